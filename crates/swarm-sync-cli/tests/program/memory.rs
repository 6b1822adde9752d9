//! The memory of a swarm: one-shot commands, an agent's requests, and what a killed hub leaves.

use serde_json::{Value as Json, json};

use crate::support::{Hub, NO_HUB, Place, json_of, run, stderr, stdout};

#[test]
fn a_value_is_stored_read_listed_and_deleted() {
    let place = Place::new();
    let hub = place.hub();
    let stored = hub.client(&["memory", "store", "plan", "{\"step\":3}"]);
    assert_eq!(stdout(&stored), "stored in default (persistent)\n");
    let stored = hub.client(&[
        "memory",
        "store",
        "draft",
        "a text",
        "--volatile",
        "-n",
        "notes",
    ]);
    assert!(stdout(&stored).starts_with("stored in notes (volatile"));
    assert_eq!(
        stdout(&hub.client(&["memory", "get", "plan"])),
        "{\"step\":3}\n"
    );
    let read = hub.client(&["memory", "get", "draft", "-n", "notes"]);
    assert_eq!(stdout(&read), "a text\n");
    let read = json_of(&hub.client(&["memory", "get", "plan", "--json"]));
    assert_eq!(
        read,
        json!({"namespace": "default", "key": "plan", "found": true, "value": {"step": 3}})
    );
    hub.client(&["memory", "store", "task_1", "-1"]);
    assert_eq!(stdout(&hub.client(&["memory", "list"])), "plan\ntask_1\n");
    assert_eq!(
        stdout(&hub.client(&["memory", "list", "task_?"])),
        "task_1\n"
    );
    assert_eq!(
        json_of(&hub.client(&["memory", "list", "x*", "--json"])),
        json!({"namespace": "default", "keys": []})
    );
    let stats = stdout(&hub.client(&["memory", "stats"]));
    assert!(
        stats.contains("notes") && stats.contains("of at most 67108864 bytes"),
        "{stats}"
    );
    let stats = json_of(&hub.client(&["memory", "stats", "--json"]));
    assert_eq!(stats["namespaces"][0]["persistent"], 2);
    assert_eq!(stats["namespaces"][1]["volatile"], 1);
    assert_eq!(stdout(&hub.client(&["keys"])), "", "no key of the state");
    assert_eq!(
        stdout(&hub.client(&["memory", "list", "--swarm", "other"])),
        ""
    );
    assert_eq!(
        stdout(&hub.client(&["memory", "delete", "plan"])),
        "deleted\n"
    );
    let again = hub.client(&["memory", "delete", "plan"]);
    assert_eq!(stdout(&again), "nothing to do: it is not there\n");
    let cleared = hub.client(&["memory", "clear", "--namespace", "notes"]);
    assert_eq!(stdout(&cleared), "1 value cleared\n");
    assert_eq!(
        json_of(&hub.client(&["memory", "clear", "-n", "notes", "--json"])),
        json!({"namespace": "notes", "cleared": 0})
    );
}

#[test]
fn what_is_not_there_is_an_exit_code_or_the_default() {
    let place = Place::new();
    let hub = place.hub();
    let absent = hub.client(&["memory", "get", "k", "--json"]);
    assert_eq!(absent.status.code(), Some(1));
    assert_eq!(json_of(&absent)["found"], false);
    let said = stderr(&absent);
    assert!(
        said.contains("the memory of the swarm default holds no \"k\" in the namespace default"),
        "{said}"
    );
    let default = hub.client(&["memory", "get", "k", "--default", "[1]"]);
    assert_eq!(
        (default.status.code(), stdout(&default)),
        (Some(0), "[1]\n".to_owned())
    );
    let default = json_of(&hub.client(&["memory", "get", "k", "--default", "-", "--json"]));
    assert_eq!(
        (&default["found"], &default["value"]),
        (&json!(false), &json!("-"))
    );
    hub.client(&["memory", "store", "k", "null"]);
    let null = hub.client(&["memory", "get", "k", "--default", "7"]);
    assert_eq!(stdout(&null), "null\n", "null is a value");
}

#[test]
fn bad_input_gets_a_sentence() {
    let place = Place::new();
    let hub = place.hub();
    let long = "a*".repeat(200);
    let cases: [(&[&str], i32, &str); 8] = [
        (&["memory", "store", "k"], 2, "VALUE"),
        (&["memory", "store", "k", "1", "-n", "a/b"], 2, "namespace"),
        (&["memory", "store", "k", "1", "-n", ""], 2, "namespace"),
        (&["memory", "store", "k", "NaN"], 2, "NaN"),
        (&["memory", "list", ""], 2, "pattern"),
        (
            &["memory", "list", &long],
            1,
            "the limit for listing and watching is 256",
        ),
        (&["memory", "clear"], 2, "--namespace"),
        (&["memory", "forget"], 2, "forget"),
    ];
    for (args, code, expected) in cases {
        let refused = hub.client(args);
        assert_eq!(
            refused.status.code(),
            Some(code),
            "{args:?}: {}",
            stderr(&refused)
        );
        assert!(
            stderr(&refused).contains(expected),
            "{args:?}: {}",
            stderr(&refused)
        );
    }
    let nobody = run(&["memory", "get", "k", "--hub", NO_HUB, "--json"]);
    assert_eq!(nobody.status.code(), Some(3));
    assert_eq!(json_of(&nobody)["error"]["kind"], "no-hub");
}

/// A request with these fields beside its action.
fn memory(action: &str, more: Json) -> Json {
    let mut request = json!({"op": "memory", "action": action});
    for (name, value) in more.as_object().expect("an object") {
        request[name] = value.clone();
    }
    request
}

#[test]
fn agents_use_the_memory_by_json_lines() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    let stored = agent.ok(memory("store", json!({"key": "k", "value": [1]})));
    assert_eq!(stored["persistent"], true);
    let draft = json!({"namespace": "notes", "key": "d", "value": 1, "persistent": false});
    assert_eq!(agent.ok(memory("store", draft))["persistent"], false);
    let read = agent.ok(memory("get", json!({"key": "k"})));
    assert_eq!(
        (&read["found"], &read["value"]),
        (&json!(true), &json!([1]))
    );
    assert_eq!(stdout(&hub.client(&["memory", "get", "k"])), "[1]\n");
    let read = agent.ok(memory("get", json!({"key": "none", "default": 7})));
    assert_eq!((&read["found"], &read["value"]), (&json!(false), &json!(7)));
    let listed = agent.ok(memory("list", json!({"pattern": "?"})));
    assert_eq!(listed["keys"], json!(["k"]));
    let stats = agent.ok(memory("stats", json!({})));
    assert_eq!(stats["namespaces"][1]["namespace"], "notes");
    assert_eq!(
        agent.ok(memory("delete", json!({"key": "k"})))["deleted"],
        true
    );
    let cleared = agent.ok(memory("clear", json!({"namespace": "notes"})));
    assert_eq!(cleared["cleared"], 1);
}

#[test]
fn what_an_agent_cannot_do_with_the_memory_gets_a_sentence() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    let refused = [
        (memory("forget", json!({})), "the actions are store, get"),
        (
            json!({"op": "memory"}),
            "`memory` needs \"action\": one of store",
        ),
        (
            memory("store", json!({"key": "k"})),
            "`memory` needs \"value\": a JSON value",
        ),
        (
            memory("store", json!({"value": 1})),
            "`memory` needs \"key\": a string",
        ),
        (
            memory("get", json!({"key": "k", "namespace": "a b"})),
            "namespace",
        ),
        (
            memory("get", json!({"key": "k", "namespace": 7})),
            "`memory` needs \"namespace\": a string",
        ),
        (
            memory("clear", json!({})),
            "`memory` needs \"namespace\": which one to clear",
        ),
        (memory("list", json!({"pattern": ""})), "pattern"),
        (
            memory("stats", json!({"key": "k"})),
            "`memory` has no field \"key\"",
        ),
        (
            memory("store", json!({"key": "k", "value": "x".repeat(600_000)})),
            "a value of the memory takes at most 524288",
        ),
        (
            memory("store", json!({"key": "k", "value": "x".repeat(2_000_000)})),
            "the value takes 2000",
        ),
    ];
    for (request, expected) in refused {
        let (_, message) = agent.refused(request);
        assert!(message.contains(expected), "{message}");
    }
    agent.ok(json!({"op": "offline"}));
    let (kind, message) = agent.refused(memory("get", json!({"key": "k"})));
    assert_eq!(kind, "unavailable");
    assert!(
        message.contains("using the swarm's memory needs one"),
        "{message}"
    );
}

/// Requests that do not wait for each other's answers are done in their order.
#[test]
fn requests_in_a_row_follow_each_other() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    let mut requests = Vec::new();
    for number in 0..1_500 {
        let key = format!("k{number}");
        requests.push(
            json!({"op": "memory", "action": "store", "namespace": "n", "key": key, "value": 1}),
        );
    }
    requests.push(json!({"op": "memory", "action": "clear", "namespace": "n"}));
    requests.push(
        json!({"op": "memory", "action": "store", "namespace": "n", "key": "k7", "value": 2}),
    );
    requests.push(json!({"op": "memory", "action": "list", "namespace": "n"}));
    let count = requests.len();
    for (id, mut request) in requests.into_iter().enumerate() {
        request["id"] = json!(id);
        agent.process.send(request.to_string().as_bytes());
    }
    let mut answers = vec![Json::Null; count];
    for _ in 0..count {
        let answer = agent.process.json();
        let id = answer["id"].as_u64().expect("an answer");
        answers[usize::try_from(id).expect("a small one")] = answer;
    }
    assert_eq!(answers[count - 3]["cleared"], 1_500);
    assert_eq!(answers[count - 1]["keys"], json!(["k7"]));
}

#[test]
fn a_killed_hub_has_what_it_acknowledged_as_persistent_and_nothing_else() {
    let place = Place::new();
    let hub = place.hub();
    for number in 0..20 {
        let (key, value) = (format!("k{number}"), number.to_string());
        let mut args = vec!["memory", "store", &key, &value];
        if number % 2 > 0 {
            args.push("--volatile");
        }
        assert!(hub.client(&args).status.success());
    }
    // One in place of the other, both ways.
    assert!(
        hub.client(&["memory", "store", "k0", "x", "--volatile"])
            .status
            .success()
    );
    assert!(hub.client(&["memory", "store", "k1", "x"]).status.success());
    hub.process.kill();
    let hub = Hub::start(&place.path("hub"));
    let listed = json_of(&hub.client(&["memory", "list", "--json"]));
    let mut keys = vec!["k1".to_owned()];
    keys.extend((2..20).step_by(2).map(|number| format!("k{number}")));
    keys.sort();
    assert_eq!(listed["keys"], json!(keys));
    assert_eq!(stdout(&hub.client(&["memory", "get", "k1"])), "x\n");
    assert_eq!(stdout(&hub.client(&["memory", "get", "k18"])), "18\n");
}

/// It is killed while values are stored: whatever was answered is there.
#[test]
fn a_hub_killed_in_the_middle_of_stores_has_every_one_that_was_answered() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    for id in 0..1_000 {
        let request = json!({
            "id": id, "op": "memory", "action": "store", "key": format!("k{id:04}"), "value": id,
        });
        agent.process.send(request.to_string().as_bytes());
    }
    let mut answered = Vec::new();
    while answered.len() < 100 {
        let answer = agent.process.json();
        assert_eq!(answer["ok"], true, "{answer}");
        answered.push(answer["id"].as_u64().expect("an answer"));
    }
    hub.process.kill();
    while let Some(answer) = Some(agent.process.json()).filter(|a| a["ok"] == true) {
        answered.push(answer["id"].as_u64().expect("an answer"));
    }
    drop(agent);
    let hub = Hub::start(&place.path("hub"));
    let listed = json_of(&hub.client(&["memory", "list", "--json"]));
    let held = listed["keys"].as_array().expect("a list");
    for id in answered {
        assert!(
            held.contains(&json!(format!("k{id:04}"))),
            "{id} is missing"
        );
    }
}

#[test]
fn what_its_hub_says_is_the_most_that_a_memory_holds() {
    let place = Place::new();
    let hub = Hub::start_with(&place.path("hub"), &["--memory-bytes-max", "1048576"]);
    let text = "x".repeat(100_000);
    let store = |n: usize| hub.client(&["memory", "store", &format!("k{n}"), &text]);
    let refused = (0..20).map(store).find(|stored| !stored.status.success());
    let refused = refused.expect("twice as much as it holds");
    assert!(stderr(&refused).contains("1048576"), "{}", stderr(&refused));
    let stats = json_of(&hub.client(&["memory", "stats", "--json"]));
    assert_eq!(stats["bytes_max"], 1_048_576);
    let bad = run(&["serve", "--memory-bytes-max", "7"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(stderr(&bad).contains("from 1048576 to"), "{}", stderr(&bad));
}
