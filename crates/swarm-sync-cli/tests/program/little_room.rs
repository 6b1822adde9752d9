//! Nodes that keep more of their disk free than there is.

use serde_json::json;

use crate::support::{Agent, Hub, Place, json_of, run, stderr, stdout};

/// More than any disk has.
const ALL: [&str; 2] = ["--keep-free", "1152921504606846976"];

/// Bad input, row 21.
#[test]
fn a_hub_without_room_refuses_writes_with_a_sentence_and_is_read_and_reads_on() {
    let place = Place::new();
    let data = place.path("hub");
    let hub = Hub::start(&data);
    assert_eq!(hub.client(&["set", "k", "1"]).status.code(), Some(0));
    hub.process.kill();

    let hub = Hub::start_with(&data, &ALL);
    let refused = hub.client(&["set", "l", "1"]);
    assert_eq!(refused.status.code(), Some(1));
    let sentence = stderr(&refused);
    assert!(
        sentence.contains("the disk of the hub is nearly full"),
        "{sentence}"
    );
    let refused = hub.client(&["set", "l", "1", "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(json_of(&refused)["error"]["kind"], "no-space");
    let refused = hub.client(&["cas", "m", "1", "--expected", "0", "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(json_of(&refused)["error"]["kind"], "no-space");
    assert_eq!(json_of(&hub.client(&["get", "k", "--json"]))["value"], 1);
    let status = hub.client(&["status"]);
    assert!(stdout(&status).contains("it takes no new writes"));
    let status = json_of(&hub.client(&["status", "--json"]));
    assert_eq!(status["takes_writes"], false, "{status}");
    assert!(status["free_bytes"].is_u64(), "{status}");

    let mut agent = place.agent(&hub, "a");
    agent.in_step();
    agent.reads("k", &json!(1));
    agent.set("l", &json!(2));
    let waiting = agent.ok(json!({"op": "status"}));
    assert_eq!(waiting["pending_writes"], 1, "{waiting}");
    assert_eq!(hub.client(&["delete", "k"]).status.code(), Some(0));
    hub.process.kill();

    // What was acknowledged at the agent waits there.
    drop(agent);
    let hub = Hub::start(&data);
    let mut agent = place.agent(&hub, "a");
    agent.flush();
    assert_eq!(json_of(&hub.client(&["get", "l", "--json"]))["value"], 2);
}

/// Bad input, row 21.
#[test]
fn an_agent_without_room_refuses_its_writes_and_keeps_in_step() {
    let place = Place::new();
    let hub = place.hub();
    assert_eq!(hub.client(&["set", "k", "1"]).status.code(), Some(0));
    let mut agent = Agent::start_with(&hub.address, "a", &place.path("a"), &ALL);
    agent.in_step();
    agent.reads("k", &json!(1));
    let (kind, sentence) = agent.refused(json!({"op": "set", "key": "k", "value": 2}));
    assert_eq!(kind, "no-space");
    assert!(
        sentence.contains("the disk of the agent a is nearly full"),
        "{sentence}"
    );
    agent.ok(json!({"op": "delete", "key": "k"}));
    agent.flush();
    let status = agent.ok(json!({"op": "status"}));
    assert_eq!(status["takes_writes"], false, "{status}");
}

/// Bad input, row 21.
#[test]
fn what_is_kept_free_can_be_nothing_and_no_more_than_a_disk_has() {
    let place = Place::new();
    let hub = Hub::start_with(&place.path("hub"), &["--keep-free", "0"]);
    assert_eq!(hub.client(&["set", "k", "1"]).status.code(), Some(0));
    for text in ["64MiB", "-1", "1152921504606846977"] {
        let keep = format!("--keep-free={text}");
        let refused = run(&["serve", &keep]);
        assert_eq!(refused.status.code(), Some(2));
        let sentence = stderr(&refused);
        assert!(
            sentence.contains("from 0 to 1152921504606846976"),
            "{sentence}"
        );
    }
}
