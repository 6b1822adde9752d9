//! What is urgent goes ahead of what waits, between processes.

use std::fs;

use serde_json::json;

use crate::support::{Hub, Place, Process};

/// Large writes that come before the urgent one: 8 MB together.
const LARGE: usize = 16;
const LARGE_BYTES: usize = 500_000;

/// The keys in the order in which another process is told of them, after an agent that was cut off has
/// written the large ones and then a small one.
fn order(place: &Place, priority: &str) -> Vec<String> {
    let file = place.path("p.toml");
    let text = format!(
        "[[policy]]\npattern = \"urgent\"\npriority = \"{priority}\"\n\
         [[policy]]\npattern = \"bulk*\"\npriority = \"low\"\n"
    );
    fs::write(&file, text).expect("it is writable");
    let hub = Hub::start_with(
        &place.path("hub"),
        &["--policy", &file.to_string_lossy(), "--no-compression"],
    );
    let mut writer = place.agent(&hub, "writer");
    writer.in_step();
    // The watch has begun once it tells of the first key.
    assert!(hub.client(&["set", "first", "1"]).status.success());
    let count = (LARGE + 2).to_string();
    let mut watching = Process::start(&[
        "watch",
        "*",
        "--from",
        "start",
        "--json",
        "--count",
        &count,
        "--hub",
        &hub.address,
    ]);
    while watching.json()["key"] != "first" {}

    writer.ok(json!({"op": "offline"}));
    for number in 0..LARGE {
        let value = json!("x".repeat(LARGE_BYTES));
        writer.set(&format!("bulk{number:02}"), &value);
    }
    writer.set("urgent", &json!("on"));
    writer.ok(json!({"op": "online"}));
    writer.flush();
    assert!(watching.end().success());
    let mut keys = Vec::new();
    for line in watching.rest() {
        let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        if event["event"] == "change" {
            keys.push(event["key"].as_str().expect("a key").to_owned());
        }
    }
    keys
}

#[test]
fn a_critical_write_overtakes_megabytes_that_were_written_before_it() {
    let bulk = (0..LARGE).map(|number| format!("bulk{number:02}"));
    let mut expected: Vec<String> = bulk.collect();
    expected.push("urgent".to_owned());
    assert_eq!(order(&Place::new(), "medium"), expected, "in line");
    expected.retain(|key| key != "urgent");
    expected.insert(0, "urgent".to_owned());
    assert_eq!(order(&Place::new(), "critical"), expected, "ahead of all");
}
