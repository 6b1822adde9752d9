//! Writing, listing and clearing keys at the hub, without a replica.

use serde_json::json;

use crate::support::{Agent, Hub, Place, json_of, stderr, stdout, until};

#[test]
fn a_map_is_written_field_by_field() {
    let place = Place::new();
    let hub = place.hub();
    let written = json_of(&hub.client(&["put", "m", "model", "m1", "--json"]));
    assert_eq!(written["durability"], "hub");
    for (field, value) in [("limits", "{\"tokens\":1}"), ("-x", "-3"), ("model", "m2")] {
        let put = hub.client(&["put", "m", field, value]);
        assert!(put.status.success(), "{}", stderr(&put));
    }
    let read = json_of(&hub.client(&["get", "m", "--json"]));
    let fields = json!({"-x": -3, "limits": {"tokens": 1}, "model": "m2"});
    assert_eq!(read["value"], fields);
    assert!(hub.client(&["unset", "m", "-x"]).status.success());
    assert!(hub.client(&["unset", "m", "limits"]).status.success());
    assert_eq!(stdout(&hub.client(&["get", "m"])), "{\"model\":\"m2\"}\n");
    let nothing = hub.client(&["unset", "m", "limits"]);
    assert_eq!(stdout(&nothing), "nothing to do: it is not there\n");
    assert!(nothing.status.success());
}

#[test]
fn a_set_is_written_element_by_element() {
    let place = Place::new();
    let hub = place.hub();
    for element in ["x", "{\"a\":1}", "-3"] {
        assert!(hub.client(&["insert", "s", element]).status.success());
    }
    let removed = json_of(&hub.client(&["remove", "s", "-3", "--json"]));
    assert!(
        removed["write"].is_string() || removed["write"].is_null(),
        "{removed}"
    );
    let read = json_of(&hub.client(&["get", "s", "--json"]));
    let elements = read["value"].as_array().expect("a list");
    assert!(
        elements.len() == 2 && elements.contains(&json!({"a": 1})),
        "{read}"
    );
}

#[test]
fn what_does_not_fit_a_key_is_a_sentence() {
    let place = Place::new();
    let hub = place.hub();
    hub.client(&["add", "n", "1"]);
    let long = "f".repeat(1_025);
    let cases: [(&[&str], &str); 3] = [
        (
            &["put", "n", "f", "1"],
            "`put` does not fit a key under the rule counter",
        ),
        (
            &["unset", "n", "f"],
            "`unset` does not fit a key under the rule counter",
        ),
        (
            &["insert", "n", "x"],
            "`insert` does not fit a key under the rule counter",
        ),
    ];
    let names: [(&[&str], &str); 2] = [
        (
            &["put", "m", &long, "1"],
            "the name of a field has 1025 bytes; 1 to 1024",
        ),
        (
            &["unset", "m", ""],
            "the name of a field has 0 bytes; 1 to 1024",
        ),
    ];
    let refused_by_hub = cases.into_iter().map(|(args, said)| (args, said, 1));
    let never_sent = names.into_iter().map(|(args, said)| (args, said, 2));
    for (args, expected, code) in refused_by_hub.chain(never_sent) {
        let refused = hub.client(args);
        assert_eq!(refused.status.code(), Some(code), "{args:?}");
        let said = stderr(&refused);
        assert!(said.contains(expected), "{said}");
        if code == 1 {
            let refused = json_of(&hub.client(&[args, &["--json"]].concat()));
            assert_eq!(refused["ok"], false, "{refused}");
        }
    }
    assert_eq!(stdout(&hub.client(&["get", "n"])), "1\n");
    assert_eq!(hub.client(&["get", "m"]).status.code(), Some(1), "unset");
}

#[test]
fn keys_are_deleted_and_cleared() {
    let place = Place::new();
    let hub = place.hub();
    for key in ["a", "b", "c", "d"] {
        hub.client(&["set", key, "1"]);
    }
    let deleted = json_of(&hub.client(&["delete", "a", "--json"]));
    assert_eq!(deleted["durability"], "hub");
    assert_eq!(hub.client(&["get", "a"]).status.code(), Some(1));
    let nothing = hub.client(&["delete", "a"]);
    assert_eq!(stdout(&nothing), "nothing to do: it is not there\n");

    let refused = hub.client(&["clear"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("needs a KEY, or --all"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(
        json_of(&hub.client(&["clear", "--json"]))["error"]["kind"],
        "usage"
    );
    assert_eq!(
        stdout(&hub.client(&["keys"])),
        "b\nc\nd\n",
        "nothing was cleared"
    );
    assert_eq!(stdout(&hub.client(&["clear", "b"])), "1 key cleared\n");
    assert_eq!(stdout(&hub.client(&["clear", "b"])), "0 keys cleared\n");
    hub.client(&["set", "e", "1", "--swarm", "other"]);
    assert_eq!(
        json_of(&hub.client(&["clear", "--all", "--json"])),
        json!({"cleared": 2})
    );
    assert_eq!(stdout(&hub.client(&["keys"])), "");
    assert_eq!(stdout(&hub.client(&["keys", "--swarm", "other"])), "e\n");
}

#[test]
fn keys_are_listed_over_all_pages() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    // More than an answer holds.
    let name = |number: u32| format!("{number:05}{}", "k".repeat(1_000));
    for number in 0..1_500 {
        let request = json!({"id": number, "op": "set", "key": name(number), "value": 1});
        agent.process.send(request.to_string().as_bytes());
    }
    for number in 0..1_500 {
        assert_eq!(agent.answer(&json!(number))["ok"], true);
    }
    agent.set("odd\n\u{1b}[31m", &json!(1));
    agent.flush();
    let listed = json_of(&hub.client(&["keys", "--json"]));
    let keys = listed["keys"].as_array().expect("a list");
    assert_eq!(keys.len(), 1_501);
    assert!(
        keys[..1_500]
            .iter()
            .zip(0..)
            .all(|(key, n)| *key == name(n).as_str())
    );
    assert_eq!(stdout(&hub.client(&["keys"])).lines().count(), 1_501);
    assert_eq!(
        stdout(&hub.client(&["keys", "0007?k*"])).lines().count(),
        10
    );
    assert_eq!(
        stdout(&hub.client(&["keys", "odd*"])),
        "odd\\n\\u{1b}[31m\n"
    );
    assert_eq!(
        json_of(&hub.client(&["keys", "none*", "--json"])),
        json!({"keys": []})
    );
}

#[test]
fn values_that_are_kept_side_by_side_are_all_shown() {
    let place = Place::new();
    let file = place.path("p.toml");
    let text = "[[policy]]\npattern = \"*\"\nrule = \"causal\"\non_concurrent = \"keep\"\n";
    std::fs::write(&file, text).expect("it is writable");
    let hub = Hub::start_with(&place.path("hub"), &["--policy", &file.to_string_lossy()]);
    let mut agents =
        ["agent-1", "agent-2"].map(|name| Agent::start(&hub.address, name, &place.path(name)));
    for agent in &mut agents {
        let mut policies = || agent.ok(json!({"op": "policies"}))["policies"].clone();
        until(&mut policies, |held| *held != json!([]));
        agent.ok(json!({"op": "offline"}));
    }
    agents[0].set("k", &json!("left"));
    agents[1].set("k", &json!("right"));
    for agent in &mut agents {
        agent.ok(json!({"op": "online"}));
        agent.flush();
    }
    let both = until(
        || {
            agents
                .each_mut()
                .map(|a| a.ok(json!({"op": "get", "key": "k"})))
        },
        |reads| {
            reads
                .iter()
                .all(|r| r["siblings"].as_array().is_some_and(|s| s.len() == 2))
        },
    );
    let values = |read: &serde_json::Value| {
        let siblings = read["siblings"].as_array().expect("a list");
        let mut values: Vec<String> = siblings.iter().map(|s| s["value"].to_string()).collect();
        values.sort();
        values
    };
    for read in &both {
        assert_eq!(values(read), ["\"left\"", "\"right\""]);
        assert_eq!(read["undecided"], 0, "{read}");
        assert!(read["siblings"][0]["write"].is_string(), "{read}");
    }
    let text = stdout(&hub.client(&["get", "k"]));
    assert_eq!(text.lines().next(), both[0]["value"].as_str());
    assert!(text.contains("concurrent values"), "{text}");
    assert!(text.contains("left") && text.contains("right"), "{text}");
    assert_eq!(
        values(&json_of(&hub.client(&["get", "k", "--json"]))).len(),
        2
    );
    // Who has seen both settles it.
    assert!(hub.client(&["set", "k", "settled"]).status.success());
    assert_eq!(stdout(&hub.client(&["get", "k"])), "settled\n");
    assert_eq!(
        json_of(&hub.client(&["get", "k", "--json"]))["siblings"],
        serde_json::Value::Null
    );
}

/// It is alive, whatever a feed has room for: whoever follows must not take it for deleted.
#[test]
fn a_value_too_large_for_a_feed_is_left_out_and_not_called_deleted() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.ok(json!({"op": "wait"}));
    for n in 0..24 {
        let element = format!("{n}-{}", "x".repeat(400_000));
        agent.ok(json!({"op": "insert", "key": "huge", "element": element}));
    }
    agent.ok(json!({"op": "flush", "level": "hub"}));
    let delta = agent.ask(json!({"op": "delta", "since": 0}));
    let change = &delta["changes"][0];
    assert_eq!(
        (&change["deleted"], &change["value"]),
        (&json!(false), &serde_json::Value::Null)
    );
    assert!(change["omitted_bytes"].as_u64() > Some(9_000_000));
    let table = stdout(&hub.client(&["delta"]));
    assert!(table.contains("left out"), "{table}");
    assert!(!table.contains("deleted"), "{table}");
    agent.ok(json!({"op": "delete", "key": "huge"}));
    let again = agent.ask(json!({"op": "delete", "key": "huge"}));
    assert_eq!(
        (&again["write"], &again["nothing_to_do"]),
        (&serde_json::Value::Null, &json!(true))
    );
}

#[test]
fn a_write_waits_until_so_many_agents_hold_it() {
    let place = Place::new();
    let hub = place.hub();
    let mut agents = ["a", "b"].map(|name| place.agent(&hub, name));
    for agent in &mut agents {
        agent.in_step();
    }
    let writes: [&[&str]; 7] = [
        &["set", "k", "1"],
        &["add", "n", "2"],
        &["insert", "s", "x"],
        &["remove", "s", "x"],
        &["put", "m", "f", "1"],
        &["unset", "m", "f"],
        &["delete", "k"],
    ];
    for write in writes {
        let more = ["--replicas", "2", "--timeout", "60", "--json"];
        let ack = json_of(&hub.client(&[write, &more].concat()));
        assert_eq!(ack["durability"], "replicas(2)", "{write:?}");
    }
    let nothing = hub.client(&["delete", "nobody", "--replicas", "9", "--timeout", "60"]);
    assert!(nothing.status.success(), "it waits for nobody");
    let said = stdout(&hub.client(&["set", "k", "3", "--replicas", "1", "--timeout", "60"]));
    assert!(said.contains("(replicas("), "{said}");

    let few = ["set", "k", "4", "--replicas", "3", "--timeout", "1"];
    let unreached = hub.client(&few);
    assert_eq!(unreached.status.code(), Some(7));
    let sentence = stderr(&unreached);
    assert!(
        sentence.contains("and not replicas(3) within 1000 ms; it stays"),
        "{sentence}"
    );
    assert_eq!(stdout(&hub.client(&["get", "k"])), "4\n", "it stays");
    let told = json_of(&hub.client(&[&few[..], &["--json"]].concat()));
    assert_eq!(told["error"]["kind"], "deadline", "{told}");
    let none = hub.client(&["set", "k", "5", "--replicas", "0"]);
    assert_eq!(none.status.code(), Some(2));
}
