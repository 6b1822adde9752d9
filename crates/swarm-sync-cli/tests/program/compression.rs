//! What crosses between processes, compressed and not.

use serde_json::{Value as Json, json};

use crate::support::{Agent, Hub, Place};

/// A document as programs write them: the same names again and again.
fn document(items: u64) -> Json {
    let item = |n: u64| {
        json!({"id": n, "name": format!("task-{n}"), "state": "open", "owner": null,
               "hash": format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))})
    };
    (0..items).map(item).collect()
}

/// Bytes of `what`: as they moved, and of the compressed ones before and after.
fn moved(agent: &mut Agent, what: &str) -> [u64; 3] {
    let status = agent.ok(json!({"op": "status"}));
    let traffic = &status["traffic"];
    let packed = &traffic["compression"];
    let number = |value: &Json| value.as_u64().expect("a number");
    [
        number(&traffic[what]),
        number(&packed[format!("{what}_plain")]),
        number(&packed[format!("{what}_packed")]),
    ]
}

#[test]
fn a_document_crosses_small_unless_either_side_says_otherwise() {
    const OFF: &[&str] = &["--no-compression"];
    let value = document(500);
    let plain = u64::try_from(value.to_string().len()).unwrap();
    for (of_hub, of_reader, small) in [
        (&[][..], &[][..], true),
        (OFF, &[], false),
        (&[], OFF, false),
    ] {
        let place = Place::new();
        let hub = Hub::start_with(&place.path("hub"), of_hub);
        let mut writer = place.agent(&hub, "writer");
        let path = place.path("reader");
        let mut reader = Agent::start_with(&hub.address, "reader", &path, of_reader);
        writer.set("document", &value);
        reader.reads("document", &value);
        let [received, before, after] = moved(&mut reader, "received");
        if small {
            assert!(received < plain / 2, "{received} of {plain}");
            assert!(before > plain / 2 && after < received, "{before}, {after}");
        } else {
            assert!(received > plain / 2, "{received} of {plain}");
            assert_eq!([before, after], [0, 0]);
        }
        let [_, before, _] = moved(&mut writer, "sent");
        assert_eq!(
            before > 0,
            of_hub.is_empty(),
            "the writer compresses, if its hub reads it"
        );
    }
}
