//! How a key came to be what it is, from the command line and through an agent.

use serde_json::{Value as Json, json};

use crate::support::{Agent, Hub, Place, json_of, stderr, stdout};

/// A key that was set three times and deleted, and another.
fn five_commits() -> (Place, Hub) {
    let place = Place::new();
    let hub = place.hub();
    for value in 1..=3 {
        let set = hub.client(&["set", "k", &value.to_string()]);
        assert!(set.status.success(), "{}", stderr(&set));
    }
    hub.client(&["set", "other", "x"]);
    hub.client(&["delete", "k"]);
    (place, hub)
}

#[test]
fn the_commits_of_a_key_can_be_looked_at() {
    let (_place, hub) = five_commits();
    let told = json_of(&hub.client(&["history", "k", "--json"]));
    assert_eq!(told["version"], 4);
    let kinds: Vec<&Json> = told["commits"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|commit| &commit["kind"])
        .collect();
    assert_eq!(kinds, ["deleted", "changed", "changed", "changed"]);
    assert_eq!(told["commits"][1]["value"], 3);
    assert_eq!(told["dropped"], Json::Null);
    let two = json_of(&hub.client(&["history", "k", "--limit", "2", "--json"]));
    assert_eq!(
        (two["commits"].as_array().map(Vec::len), &two["next"]),
        (Some(2), &json!(2))
    );
    let table = stdout(&hub.client(&["history", "k"]));
    assert!(
        table.contains("version") && table.contains("cli"),
        "{table}"
    );

    let text = stdout(&hub.client(&["explain", "k"]));
    assert!(
        text.starts_with("\"k\" holds no value (version 4, revision 5)."),
        "{text}"
    );
    let text = stdout(&hub.client(&["explain", "nobody"]));
    assert!(
        text.contains("No commit that this hub knows of has touched"),
        "{text}"
    );
}

#[test]
fn a_key_is_read_as_it_was_and_two_revisions_are_compared() {
    let (_place, hub) = five_commits();
    assert_eq!(stdout(&hub.client(&["get", "k", "--at", "2"])), "2\n");
    let gone = hub.client(&["get", "k", "--at", "5"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        stderr(&gone).contains("held no value at revision 5"),
        "{}",
        stderr(&gone)
    );
    let early = hub.client(&["get", "other", "--at", "1"]);
    assert!(
        stderr(&early).contains("no commit had touched"),
        "{}",
        stderr(&early)
    );

    let told = json_of(&hub.client(&["diff", "2", "5", "--json"]));
    let change = |key: &str, was: Json, became: Json| {
        let changes = told["changes"].as_array().expect("a list");
        let change = changes.iter().find(|change| change["key"] == key);
        let change = change.unwrap_or_else(|| panic!("{told}"));
        assert_eq!(
            (&change["was"]["value"], &change["became"]["value"]),
            (&was, &became)
        );
    };
    change("k", json!(2), Json::Null);
    change("other", Json::Null, json!("x"));
    let text = stdout(&hub.client(&["diff", "start"]));
    assert!(text.contains("2 keys changed up to revision 5"), "{text}");
}

#[test]
fn positions_that_cannot_be_are_sentences() {
    let place = Place::new();
    let hub = place.hub();
    hub.client(&["set", "k", "1"]);
    let cases: [(&[&str], &str); 5] = [
        (&["get", "k", "--at", "99"], "ahead of the hub"),
        (&["diff", "1", "start"], "name the earlier one first"),
        (&["diff", "00000000000000ff:1"], "another run of the hub"),
        (&["diff", "soon"], "expected a revision"),
        (&["history", "k", "--limit", "0"], "invalid value"),
    ];
    for (args, expected) in cases {
        let refused = hub.client(args);
        assert!(!refused.status.success());
        assert!(stderr(&refused).contains(expected), "{}", stderr(&refused));
    }
}

#[test]
fn an_agent_asks_the_hub_how_a_value_came_about() {
    let place = Place::new();
    let hub = place.hub();
    let [mut first, mut second] = ["agent-1", "agent-2"]
        .map(|name| Agent::start_with(&hub.address, name, &place.path(name), &["--offline"]));
    let lost = first.ok(json!({"op": "set", "key": "k", "value": "early"}))["write"].clone();
    let won = second.ok(json!({"op": "set", "key": "k", "value": "late"}))["write"].clone();
    let unconnected = first.ok(json!({"op": "explain", "key": "k"}));
    let sentence = unconnected["sentences"][0].as_str().unwrap_or_default();
    assert!(sentence.contains("not connected"), "{unconnected}");
    for agent in [&mut first, &mut second] {
        agent.ok(json!({"op": "online"}));
        agent.flush();
        agent.in_step();
    }

    let told = second.ok(json!({"op": "history", "key": "k"}));
    let losses = |told: &Json| -> Vec<Json> {
        let commits = told["commits"].as_array().cloned().unwrap_or_default();
        let lost = commits.iter().filter_map(|c| c["lost"].as_array().cloned());
        lost.flatten().collect()
    };
    let losses = losses(&told);
    assert_eq!(losses.len(), 1, "{told}");
    assert_eq!((&losses[0]["write"], &losses[0]["winner"]), (&lost, &won));
    assert_eq!(
        (&losses[0]["reason"], &losses[0]["value"]),
        (&json!("superseded"), &json!("early"))
    );

    let told = first.ok(json!({"op": "explain", "key": "k"}));
    assert_eq!(told["state"]["value"], "late");
    assert!(
        told["why"].is_string(),
        "which policy counts is said as before"
    );
    assert!(
        told["sentences"].as_array().is_some_and(|s| s.len() > 2),
        "{told}"
    );

    let knew = first.ok(json!({"op": "knew", "key": "k", "write": won}));
    assert_eq!(knew["comparable"], false, "it had never met its hub");
    let told = first.ok(json!({"op": "get", "key": "k", "at": told["state"]["revision"]}));
    assert_eq!(
        (&told["found"], &told["value"]),
        (&json!(true), &json!("late"))
    );
    let told = first.ok(json!({"op": "diff", "from": 0}));
    assert_eq!(told["changes"][0]["key"], "k");

    for (request, kind) in [
        (json!({"op": "diff"}), "bad-request"),
        (json!({"op": "history", "key": "k", "limit": 0}), "invalid"),
        (
            json!({"op": "knew", "key": "k", "write": "x"}),
            "bad-request",
        ),
        (json!({"op": "diff", "from": 999}), "ahead"),
    ] {
        let answer = first.ask(request);
        assert_eq!(answer["error"]["kind"], kind, "{answer}");
    }
}

#[test]
fn an_explanation_that_the_hub_cannot_finish_says_what_the_replica_knows() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "a");
    agent.set("k", &json!(1));
    agent.flush();
    hub.process.signal("STOP");
    agent.process.send(
        json!({"id": "why", "op": "explain", "key": "k"})
            .to_string()
            .as_bytes(),
    );
    // Answered by the replica alone, after it has asked the hub.
    for _ in 0..5 {
        agent.digest();
    }
    hub.process.kill();
    let told = agent.answer(&json!("why"));
    assert_eq!(told["ok"], true, "{told}");
    let sentence = told["sentences"][0].as_str().unwrap_or_default();
    for part in ["known to the hub only", "was lost", "this replica knows"] {
        assert!(sentence.contains(part), "{told}");
    }
    assert!(told["why"].is_string(), "which policy counts: {told}");
}

/// One answer holds the keys of 64 pages of 64.
#[test]
fn a_diff_that_is_cut_says_where_it_goes_on() {
    const KEYS: usize = 64 * 64 + 10;
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "a");
    for n in 0..KEYS {
        let request = json!({"id": n, "op": "set", "key": format!("k{n:05}"), "value": n});
        agent.process.send(request.to_string().as_bytes());
    }
    for n in 0..KEYS {
        assert_eq!(agent.answer(&json!(n))["ok"], true);
    }
    agent.flush();

    let mut keys = Vec::new();
    let mut next = json!({"from": 0});
    let mut answers = 0;
    while !next.is_null() {
        next["op"] = json!("diff");
        let told = agent.ok(next);
        let changes = told["changes"].as_array().expect("a list");
        keys.extend(changes.iter().map(|change| change["key"].clone()));
        next = told["next"].clone();
        answers += 1;
    }
    assert!(answers > 1, "it was cut");
    keys.sort_by_key(Json::to_string);
    keys.dedup();
    assert_eq!(keys.len(), KEYS, "nothing is missing");
    let whole = json_of(&hub.client(&["diff", "start", "--json"]));
    assert_eq!(whole["changes"].as_array().map(Vec::len), Some(KEYS));
    let (kind, message) = agent.refused(json!({"op": "diff", "from": 0, "after": 7}));
    assert_eq!(kind, "bad-request");
    assert!(message.contains("a key, as"), "{message}");
}

/// What was acknowledged is remembered through a hub that is killed.
#[test]
fn a_hub_that_was_killed_remembers() {
    let place = Place::new();
    let hub = place.hub();
    hub.client(&["set", "k", "1"]);
    hub.client(&["set", "k", "2"]);
    hub.process.kill();
    let hub = place.hub();
    let told = json_of(&hub.client(&["history", "k", "--json"]));
    assert_eq!(told["commits"].as_array().map(Vec::len), Some(2));
}
