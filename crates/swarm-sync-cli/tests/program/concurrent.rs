//! What is said of values that remain side by side.

use serde_json::json;

use crate::support::{Agent, Hub, Place, json_of, stdout, until};

/// A hub that has met two writes of `k` which did not know of each other.
fn raced(place: &Place, policy: &str, values: [serde_json::Value; 2]) -> Hub {
    let file = place.path("p.toml");
    std::fs::write(&file, format!("[[policy]]\npattern = \"*\"\n{policy}\n")).expect("writable");
    let hub = Hub::start_with(&place.path("hub"), &["--policy", &file.to_string_lossy()]);
    let mut agents =
        ["agent-1", "agent-2"].map(|name| Agent::start(&hub.address, name, &place.path(name)));
    for (agent, value) in agents.iter_mut().zip(&values) {
        agent.in_step();
        agent.ok(json!({"op": "offline"}));
        agent.set("k", value);
    }
    for agent in &mut agents {
        agent.ok(json!({"op": "online"}));
        agent.flush();
    }
    hub
}

#[test]
fn a_merge_that_failed_is_said_to_people_too() {
    let place = Place::new();
    let policy = "rule = \"causal\"\non_concurrent = \"custom\"\nmerge = \"max\"";
    let hub = raced(&place, policy, [json!("text"), json!(3)]);
    let text = until(
        || stdout(&hub.client(&["get", "k"])),
        |text| text.contains("not merged: "),
    );
    let why = json_of(&hub.client(&["get", "k", "--json"]))["metadata"]["unmerged"].clone();
    let why = why.as_str().expect("a sentence");
    assert!(text.ends_with(&format!("\nnot merged: {why}\n")), "{text}");
    let watched = hub.client(&["watch", "k", "--from", "start", "--count", "1"]);
    let text = stdout(&watched);
    let expected = format!("; one of 2 concurrent values; not merged: {why}\n");
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn a_count_and_a_list_do_not_contradict_each_other() {
    let place = Place::new();
    let policy = "rule = \"causal\"\non_concurrent = \"keep\"";
    let hub = raced(&place, policy, [json!("left"), json!("right")]);
    let get = json_of(&hub.client(&["get", "k", "--json"]));
    let watched = hub.client(&["watch", "k", "--from", "start", "--count", "1", "--json"]);
    let lines = stdout(&watched);
    let change = lines.lines().find(|line| line.contains("\"change\""));
    let change = serde_json::from_str(change.expect("a change")).expect("JSON");
    for read in [get, change] {
        assert_eq!(read["siblings"].as_array().map(Vec::len), Some(2), "{read}");
        let metadata = read["metadata"].as_object().expect("an object");
        assert!(!metadata.contains_key("siblings"), "{read}");
        assert_eq!(metadata["undecided"], 0, "every one of them is shown");
    }
}
