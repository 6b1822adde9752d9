//! What a read says it was read at, handed back to a hub that was started again or has lost its disk.

use serde_json::{Value as Json, json};

use crate::support::{Hub, Place, json_of, stderr, stdout};

fn text(object: &Json, field: &str) -> String {
    let text = object[field].as_str();
    text.unwrap_or_else(|| panic!("{field} in {object}"))
        .to_owned()
}

/// The same hub started anew, after `meanwhile`.
fn restarted(place: &Place, hub: Hub, meanwhile: impl FnOnce()) -> Hub {
    let address = hub.address.clone();
    hub.process.kill();
    meanwhile();
    Hub::start_at(&place.path("hub"), &address)
}

fn without_its_disk(place: &Place, hub: Hub) -> Hub {
    restarted(place, hub, || {
        std::fs::remove_dir_all(place.path("hub")).expect("it is there");
    })
}

#[test]
fn a_version_that_a_lost_hub_had_told_is_refused() {
    let place = Place::new();
    let hub = place.hub();
    let absent = json_of(&hub.client(&["get", "owner", "--json"]));
    assert!(text(&absent, "expected").starts_with("0@"), "{absent}");
    let first = ["cas", "owner", "a", "--json", "--expected"];
    let first = json_of(&hub.client(&[&first[..], &[&text(&absent, "expected")]].concat()));
    let read = json_of(&hub.client(&["get", "owner", "--json"]));
    let expected = text(&read, "expected");
    assert_eq!(expected, format!("1@{}", text(&read, "position")));
    let version = json_of(&hub.client(&["version", "owner", "--json"]));
    assert_eq!(
        (text(&first, "expected"), text(&version, "expected")),
        (expected.clone(), expected.clone())
    );

    // A restart changes nothing about it.
    let hub = restarted(&place, hub, || ());
    let second = ["cas", "owner", "b", "--expected", &expected];
    assert_eq!(stdout(&hub.client(&second)), "version 2\n");
    let read = json_of(&hub.client(&["get", "owner", "--json"]));
    let bound = ["cas", "owner", "c", "--expected", &text(&read, "expected")];

    let hub = without_its_disk(&place, hub);
    for (value, version) in [("x", "0"), ("y", "1")] {
        hub.client(&["cas", "owner", value, "--expected", version]);
    }
    let refused = hub.client(&bound);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("another run of the hub"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(stdout(&hub.client(&["get", "owner"])), "y\n");
    // The bare number is at it again, of another value.
    let bare = ["cas", "owner", "c", "--expected", "2"];
    assert_eq!(stdout(&hub.client(&bare)), "version 3\n");
}

#[test]
fn an_agent_is_refused_what_was_read_and_written_at_a_lost_hub() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a, mut b] = ["a", "b"].map(|name| place.agent(&hub, name));
    a.ok(json!({"op": "wait", "timeout_ms": 60_000}));
    let cas = |expected: &Json, value: &str| json!({"op": "cas", "key": "k", "expected": expected, "value": value});
    let first = a.ok(cas(&json!(0), "first"));
    a.reads("k", &json!("first"));
    let read = a.ok(json!({"op": "get", "key": "k"}));
    assert!(text(&read, "expected").starts_with("1@"), "{read}");
    let second = a.ok(cas(&read["expected"], "second"));
    assert_eq!(second["version"], 2);
    let stale = a.refused(cas(&first["expected"], "third"));
    assert_eq!(stale.0, "conflict");
    let written = a.ok(json!({
        "op": "set", "key": "n", "value": 1, "level": "hub", "timeout_ms": 60_000
    }));
    let told = text(&written, "position");
    let read_n = |at: &Json| json!({"op": "get", "key": "n", "at_least": at, "timeout_ms": 60_000});
    assert_eq!(b.ok(read_n(&json!(told)))["value"], 1);

    let hub = without_its_disk(&place, hub);
    for agent in [&mut a, &mut b] {
        agent.in_step();
    }
    assert!(hub.client(&["set", "other", "1"]).status.success());
    let (kind, message) = a.refused(cas(&second["expected"], "third"));
    assert_eq!(kind, "epoch-mismatch", "{message}");
    let (kind, message) = b.refused(read_n(&json!(told)));
    assert_eq!(kind, "epoch-mismatch", "{message}");
    assert!(message.contains("another run of the hub"), "{message}");
    // A bare revision is one of whatever log is followed.
    b.ok(read_n(&written["revision"]));
}

#[test]
fn what_is_wrong_with_an_expectation_is_said() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "a");
    agent.in_step();
    let cas = |expected: Json| json!({"op": "cas", "key": "k", "expected": expected, "value": 1});
    // Far above what the key is at, which is no mistake of the request's.
    let (kind, message) = agent.refused(cas(json!(1_u64 << 63)));
    assert_eq!(kind, "conflict", "{message}");
    let beyond: Json = serde_json::from_str("18446744073709551616").expect("a number");
    for bad in [json!("3@"), json!("3@7"), json!(-1), json!([1]), beyond] {
        let (kind, message) = agent.refused(cas(bad.clone()));
        assert_eq!(kind, "bad-request", "{bad}: {message}");
        assert!(message.contains("version"), "{bad}: {message}");
    }
    let (_, message) = agent.refused(json!({"op": "cas", "key": "k"}));
    for part in ["\"value\", or \"delete\"", "\"expected\", or \"claim\""] {
        assert!(message.contains(part), "{message}");
    }
    let (_, message) = agent.refused(json!({"op": "cas", "key": "k", "value": 1}));
    assert!(message.contains("\"expected\""), "{message}");
    let refused = hub.client(&["cas", "k"]);
    for part in ["VALUE", "--expected", "--delete", "--if-claim"] {
        assert!(stderr(&refused).contains(part), "{}", stderr(&refused));
    }
    for bad in ["3@", "3@7", "x@00000000000000ff:1"] {
        let refused = hub.client(&["cas", "k", "1", "--expected", bad]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(
            stderr(&refused).contains("VERSION@EPOCH:REVISION"),
            "{}",
            stderr(&refused)
        );
    }
}
