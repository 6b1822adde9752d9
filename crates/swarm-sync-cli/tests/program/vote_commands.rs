//! What the command line proposes, and what `status` says of votes.

use serde_json::json;

use crate::support::{Hub, Place, Process, stderr, stdout};
use crate::voting::{agents, asked, vote};

#[test]
fn a_proposal_writes_a_field_of_a_map_or_removes_it() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a] = agents(&place, &hub, ["a"]);
    assert!(hub.client(&["put", "config", "old", "1"]).status.success());
    let mut agree = |effect: &[&str], shown| {
        let to = ["propose", "?", "--key", "config", "--hub", &hub.address];
        let mut proposed = Process::start(&[&to, effect].concat());
        let seen = asked(&mut a);
        for (name, value) in shown {
            assert_eq!(seen[name], value, "{seen}");
        }
        vote(&mut a, &seen, "for", "");
        assert_eq!(proposed.end().code(), Some(0), "{:?}", proposed.rest());
        let read = hub.client(&["get", "config", "--json"]);
        crate::support::json_of(&read)["value"].clone()
    };
    let model = json!({"name": "m2"});
    let text = model.to_string();
    let put = agree(
        &["--field", "model", "--value", &text],
        vec![("field", json!("model")), ("value", model.clone())],
    );
    assert_eq!(put, json!({"old": 1, "model": model}));
    let unset = agree(&["--unset", "old"], vec![("unset", json!("old"))]);
    assert_eq!(unset, json!({"model": model}));
}

/// What it cannot mean is not taken for something else: here, to delete the whole map.
#[test]
fn a_field_goes_with_a_value_alone() {
    let place = Place::new();
    let hub = place.hub();
    for effect in [
        &["--delete"][..],
        &["--add", "1"],
        &["--insert", "x"],
        &["--remove", "x"],
        &["--unset", "g"],
        &[],
    ] {
        let field = ["propose", "?", "--key", "config", "--field", "f"];
        let refused = hub.client(&[&field, effect].concat());
        assert_eq!(refused.status.code(), Some(2), "{effect:?}");
        assert!(stderr(&refused).contains("--field"), "{}", stderr(&refused));
    }
}

#[test]
fn the_status_says_since_when_votes_are_counted() {
    let place = Place::new();
    let hub = place.hub();
    let address = hub.address.clone();
    let [_a] = agents(&place, &hub, ["a"]);
    let status = |hub: &Hub| stdout(&hub.client(&["status"]));
    let nothing = "no votes since this hub started";
    assert!(status(&hub).contains(nothing), "{}", status(&hub));
    let late = hub.client(&["propose", "?", "--timeout", "50ms"]);
    assert_eq!(late.status.code(), Some(6), "{}", stderr(&late));
    let counted = status(&hub);
    assert!(
        counted.contains("votes since this hub started:") && counted.contains("0 of 1"),
        "{counted}"
    );
    hub.process.kill();
    let hub = Hub::start_at(&place.path("hub"), &address);
    assert!(status(&hub).contains(nothing), "{}", status(&hub));
}
