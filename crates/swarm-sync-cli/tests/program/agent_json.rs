//! Every request an agent takes, and the order of its answers.

use serde_json::{Value as Json, json};

use crate::support::{Agent, NO_HUB, Place, until};

#[test]
fn writes_answer_with_their_id_and_durability() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    assert_eq!(agent.ready["id"], "agent-1");
    assert_eq!(agent.ready["swarm"], "default");
    let incarnation = agent.ready["incarnation"]
        .as_str()
        .expect("a name")
        .to_owned();

    let requests = [
        json!({"op": "set", "key": "k", "value": {"any": ["JSON", 1, 2.5, null, true]}}),
        json!({"op": "add", "key": "n", "amount": 42}),
        json!({"op": "insert", "key": "s", "element": "x"}),
    ];
    for (seq, request) in (1..).zip(requests) {
        let answer = agent.ok(request);
        assert_eq!(answer["write"], format!("agent-1/{incarnation}/{seq}"));
        assert_eq!(answer["durability"], "disk");
    }
    assert_eq!(
        agent.value("k"),
        json!({"any": ["JSON", 1, 2.5, null, true]})
    );
    assert_eq!(agent.value("n"), 42);
    assert_eq!(agent.value("s"), json!(["x"]));
}

#[test]
fn every_operation_does_what_it_says() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.set("k", &json!("first"));
    agent.set("k", &json!("second"));
    agent.ok(json!({"op": "add", "key": "n", "amount": 42}));
    agent.ok(json!({"op": "add", "key": "n", "amount": -50}));
    for element in [json!("x"), json!({"deep": [1]}), json!("y")] {
        agent.ok(json!({"op": "insert", "key": "s", "element": element}));
    }
    agent.ok(json!({"op": "remove", "key": "s", "element": "x"}));
    agent.set("gone", &json!(1));
    agent.ok(json!({"op": "delete", "key": "gone"}));

    assert_eq!(agent.value("k"), "second");
    assert_eq!(agent.value("n"), -8);
    let set = agent.value("s");
    let set = set.as_array().expect("a list");
    assert!(set.len() == 2 && set.contains(&json!("y")) && set.contains(&json!({"deep": [1]})));
    let absent = agent.ok(json!({"op": "get", "key": "gone"}));
    assert_eq!(absent["found"], false);
    assert_eq!(absent["value"], Json::Null);
    let nothing = agent.ok(json!({"op": "delete", "key": "never-written"}));
    assert_eq!(nothing["write"], Json::Null);

    let keys = agent.ok(json!({"op": "keys"}));
    assert_eq!(keys["keys"], json!(["k", "n", "s"]));
    let keys = agent.ok(json!({"op": "keys", "pattern": "?"}));
    assert_eq!(keys["keys"], json!(["k", "n", "s"]));
    let keys = agent.ok(json!({"op": "keys", "pattern": "k*"}));
    assert_eq!(keys["keys"], json!(["k"]));
}

#[test]
fn a_read_says_how_far_to_trust_it() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = Agent::start_with(&hub.address, "a", &place.path("a"), &["--offline"]);
    agent.ok(json!({"op": "set", "key": "k", "value": 1, "metadata": {"why": "test"}}));
    let early = agent.ok(json!({"op": "get", "key": "k"}));
    assert_eq!(early["found"], true);
    assert_eq!(early["provisional"], true);
    assert_eq!(early["version"], Json::Null);
    assert_eq!(early["revision"], Json::Null);
    assert_eq!(early["age_ms"], Json::Null, "it has never met its hub");
    let version = agent.ok(json!({"op": "version", "key": "k"}));
    assert_eq!(
        (&version["version"], &version["from"]),
        (&Json::Null, &json!("replica"))
    );

    agent.ok(json!({"op": "online"}));
    agent.flush();
    agent.in_step();
    let late = agent.ok(json!({"op": "get", "key": "k"}));
    assert_eq!(late["provisional"], false);
    assert_eq!(late["version"], 1);
    assert_eq!(late["revision"], 1);
    assert_eq!(late["agent"], "a");
    assert_eq!(late["rule"], "lww");
    assert_eq!(late["metadata"], json!({"why": "test"}));
    assert!(
        late["age_ms"].as_u64().is_some_and(|age| age < 60_000),
        "{late}"
    );
    let version = agent.ok(json!({"op": "version", "key": "k"}));
    assert_eq!(
        (&version["version"], &version["from"]),
        (&json!(1), &json!("hub"))
    );
}

#[test]
fn cursors_and_deltas_page_through_the_log() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.set("k1", &json!(1));
    agent.set("k2", &json!(2));
    agent.flush();
    agent.in_step();
    let cursor = agent.ok(json!({"op": "cursor"}));
    assert_eq!(cursor["epoch"].as_str().map(str::len), Some(16), "{cursor}");
    let everything = agent.ok(json!({"op": "delta"}));
    assert_eq!(keys_of(&everything), ["k1", "k2"]);
    assert_eq!(everything["more"], false);

    agent.set("k3", &json!(3));
    agent.ok(json!({"op": "delete", "key": "k1"}));
    agent.flush();
    let since = json!({"epoch": cursor["epoch"], "revision": cursor["revision"]});
    for since in [since, cursor["revision"].clone()] {
        let delta = agent.ok(json!({"op": "delta", "since": since}));
        let mut keys = keys_of(&delta);
        keys.sort_unstable();
        assert_eq!(keys, ["k1", "k3"]);
        let changes = delta["changes"].as_array().expect("a list");
        let gone = changes
            .iter()
            .find(|c| c["key"] == "k1")
            .expect("deletions count");
        assert_eq!(
            (&gone["value"], &gone["deleted"]),
            (&Json::Null, &json!(true))
        );
        assert_eq!(delta["to"]["revision"], delta["head"]);
        let after = agent.ok(json!({"op": "delta", "since": delta["to"]}));
        assert_eq!(keys_of(&after), [""; 0]);
    }
}

fn keys_of(delta: &Json) -> Vec<&str> {
    let changes = delta["changes"].as_array().expect("a list");
    changes.iter().filter_map(|c| c["key"].as_str()).collect()
}

#[test]
fn a_delta_follows_its_pages() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    let value = "v".repeat(100_000);
    for number in 0..20 {
        // A commit each, so that the answer spans pages.
        agent.set(&format!("k{number}"), &json!(value));
        agent.flush();
    }
    let delta = agent.ok(json!({"op": "delta", "since": 0}));
    assert_eq!(keys_of(&delta).len(), 20);
    assert_eq!(delta["more"], false);
    assert_eq!(delta["to"]["revision"], delta["head"]);
}

#[test]
fn a_sync_reports_its_round_and_clear_reaches_everybody() {
    let place = Place::new();
    let hub = place.hub();
    let (mut first, mut second) = (place.agent(&hub, "agent-1"), place.agent(&hub, "agent-2"));
    first.in_step();
    second.in_step();
    first.set("k", &json!("v"));
    first.ok(json!({"op": "add", "key": "n", "amount": 1}));
    let report = first.ok(json!({"op": "sync", "keys": ["k", "n"], "timeout_ms": 30_000}));
    assert_eq!(report["responded"], json!(["agent-1", "agent-2"]));
    assert_eq!(report["missing"], json!([]));
    assert_eq!(report["keys"][0]["key"], "k");
    assert_eq!(report["keys"][0]["version"], 1);
    assert!(
        report["bytes"].is_u64() && report["elapsed_ms"].is_u64(),
        "{report}"
    );
    assert_eq!(second.value("k"), "v");

    let cleared = second.ok(json!({"op": "clear", "key": "k"}));
    assert_eq!(cleared["cleared"], 1);
    first.reads("k", &Json::Null);
    let cleared = second.ok(json!({"op": "clear", "all": true}));
    assert_eq!(cleared["cleared"], 1);
    first.reads("n", &Json::Null);
    let (kind, message) = second.refused(json!({"op": "clear"}));
    assert_eq!(kind, "bad-request");
    assert!(message.contains("all"), "{message}");
}

#[test]
fn who_loses_a_race_gets_a_receipt() {
    let place = Place::new();
    let hub = place.hub();
    let mut agents = ["agent-1", "agent-2"]
        .map(|name| Agent::start_with(&hub.address, name, &place.path(name), &["--offline"]));
    for (number, agent) in agents.iter_mut().enumerate() {
        agent.set("k", &json!(number));
    }
    for agent in &mut agents {
        agent.ok(json!({"op": "online"}));
        agent.flush();
    }
    let held = until(
        || {
            agents
                .each_mut()
                .map(|a| a.ok(json!({"op": "receipts"}))["receipts"].clone())
        },
        |held| held.iter().any(|list| list != &json!([])),
    );
    let loser = held
        .iter()
        .position(|list| list != &json!([]))
        .expect("one lost");
    let receipt = &held[loser][0];
    assert_eq!(receipt["key"], "k");
    assert_eq!(receipt["value"], json!(loser));
    assert_eq!(receipt["reason"], "superseded");
    assert_eq!(receipt["rule"], "lww");
    assert_eq!(receipt["winning_value"], json!(1 - loser));
    let winner = receipt["winner"].as_str().expect("a write id");
    assert!(
        winner.starts_with(&format!("agent-{}/", 2 - loser)),
        "{winner}"
    );
    let why = receipt["why"].as_str().expect("a sentence");
    assert!(
        why.contains("than the winner's") || why.contains("equal stamps"),
        "{why}"
    );
    let agent = &mut agents[loser];
    assert_eq!(agent.value("k"), json!(1 - loser));
    // It has also come by itself, with a sentence.
    let event = agent
        .events
        .iter()
        .find(|e| e["event"] == "receipt")
        .cloned();
    let event = event.unwrap_or_else(|| agent.process.json());
    assert!(
        event["message"]
            .as_str()
            .is_some_and(|m| m.contains("lost against")),
        "{event}"
    );
    assert_eq!(event["write"], receipt["write"]);

    let taken = agent.ok(json!({"op": "receipts", "take": [receipt["write"]]}));
    assert_eq!(taken["receipts"][0]["write"], receipt["write"]);
    let left = agent.ok(json!({"op": "receipts", "take": true}));
    assert_eq!(left["receipts"], json!([]));
}

#[test]
fn the_id_may_be_any_json_and_is_null_if_missing() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    for id in [
        json!("text"),
        json!({"a": [1]}),
        json!(null),
        json!(1.5),
        json!([]),
    ] {
        let request = json!({"id": id, "op": "get", "key": "k"});
        agent.process.send(request.to_string().as_bytes());
        assert_eq!(agent.answer(&id)["ok"], true);
    }
    agent.process.send(br#"{"op":"get","key":"k"}"#);
    assert_eq!(agent.answer(&Json::Null)["ok"], true);
}

#[test]
fn writes_start_in_order_and_slow_requests_hold_up_nobody() {
    let place = Place::new();
    // Nobody there: a flush to the hub waits.
    let mut agent = Agent::start(NO_HUB, "agent-1", &place.path("agent-1"));
    agent
        .process
        .send(br#"{"id":0,"op":"set","key":"k","value":0}"#);
    agent.answer(&json!(0));
    agent
        .process
        .send(br#"{"id":"slow","op":"flush","level":"hub","timeout_ms":60000}"#);
    for number in 1..=500 {
        let request = json!({"id": number, "op": "set", "key": "k", "value": number});
        agent.process.send(request.to_string().as_bytes());
    }
    // Read your writes, even those that are still on their way to the disk.
    let request = json!({"id": "read", "op": "get", "key": "k"});
    agent.process.send(request.to_string().as_bytes());
    let mut seqs = Vec::new();
    let mut read = Json::Null;
    while seqs.len() < 500 || read.is_null() {
        let line = agent.process.json();
        assert_eq!(line["ok"], true, "{line}");
        match line["write"].as_str() {
            Some(write) => {
                let seq = write.rsplit('/').next().and_then(|s| s.parse::<u64>().ok());
                seqs.push((line["id"].as_u64(), seq));
            }
            None => read = line["value"].clone(),
        }
    }
    assert_eq!(read, 500);
    for (id, seq) in seqs {
        assert_eq!(seq, id.map(|id| id + 1), "a write overtook another");
    }
    let late = agent.refused(json!({"op": "flush", "level": "hub", "timeout_ms": 1}));
    assert_eq!(late.0, "deadline");
}

#[test]
fn flush_to_disk_and_status_tell_where_the_writes_are() {
    let place = Place::new();
    let mut agent = Agent::start(NO_HUB, "agent-1", &place.path("agent-1"));
    agent.set("k", &json!(1));
    let flushed = agent.ok(json!({"op": "flush", "level": "disk"}));
    assert_eq!(flushed["durability"], "disk");
    let status = until(
        || agent.ok(json!({"op": "status"})),
        |s| !s["link_error"].is_null(),
    );
    assert_eq!(status["pending_writes"], 1);
    assert_eq!(status["connected"], false);
    assert_eq!(status["keys"], 1);
    let traffic = &status["traffic"];
    assert_eq!([&traffic["sent"], &traffic["received"]], [&json!(0); 2]);
    assert_eq!(traffic["compression"]["cpu_us"], 0, "{traffic}");
    let error = status["link_error"].as_str().unwrap_or_default();
    assert!(
        error.contains("no hub at 127.0.0.1:1") && error.contains("serve"),
        "{error}"
    );
    for op in [
        json!({"op": "sync", "keys": ["k"]}),
        json!({"op": "delta"}),
        json!({"op": "clear", "key": "k"}),
    ] {
        let (kind, message) = agent.refused(op);
        assert_eq!(kind, "unavailable", "{message}");
    }
    assert_eq!(agent.value("k"), 1);
}

#[test]
fn quit_and_the_end_of_input_answer_everything_first() {
    let place = Place::new();
    let hub = place.hub();
    let data = place.path("agent-1");
    let mut agent = Agent::start(&hub.address, "agent-1", &data);
    let quit = agent.ok(json!({"op": "quit"}));
    assert_eq!(quit.as_object().map(serde_json::Map::len), Some(2));
    assert!(agent.process.end().success());

    // Many lines and then the end, as from a file.
    let mut agent = Agent::start(&hub.address, "agent-1", &data);
    for number in 0..200 {
        let request =
            json!({"id": number, "op": "set", "key": format!("k{number}"), "value": number});
        agent.process.send(request.to_string().as_bytes());
    }
    agent
        .process
        .send(br#"{"id":"last","op":"flush","level":"hub"}"#);
    drop(agent.process.stdin.take());
    let status = agent.process.end();
    let lines = agent.process.rest();
    assert!(status.success());
    assert_eq!(lines.len(), 201);
    assert!(
        lines.iter().all(|line| line.contains("\"ok\":true")),
        "{lines:?}"
    );
    let read = hub.client(&["get", "k199"]);
    assert_eq!(read.stdout, b"199\n");
}
