//! What came back: at the hub for commands, at its replica for an agent, and proposed again.

use serde_json::{Value as Json, json};

use crate::metrics::{measured, tells};
use crate::support::{Agent, Hub, Place, Process, json_of, program, run, stderr, stdout, until};

/// A write of `cli` that an agent, which had not seen it, has superseded.
fn lost(place: &Place) -> (Hub, Agent) {
    let hub = place.hub();
    let path = place.path("agent-1");
    let mut agent = Agent::start_with(&hub.address, "agent-1", &path, &["--offline"]);
    let set = hub.client(&["set", "k", "mine"]);
    assert!(set.status.success(), "{}", stderr(&set));
    // Later than the command, on the same clock.
    agent.set("k", &json!("theirs"));
    agent.ok(json!({"op": "online"}));
    agent.flush();
    (hub, agent)
}

#[test]
fn commands_find_out_what_they_lost_and_against_what() {
    let place = Place::new();
    let (hub, _agent) = lost(&place);
    let listed = json_of(&hub.client(&["receipts", "--json"]));
    assert_eq!(
        (&listed["name"], &listed["taken"]),
        (&json!("cli"), &json!(0))
    );
    let receipt = &listed["receipts"][0];
    assert_eq!(receipt["key"], "k");
    assert_eq!(
        (&receipt["value"], &receipt["winning_value"]),
        (&json!("mine"), &json!("theirs"))
    );
    assert_eq!(
        (&receipt["rule"], &receipt["reason"]),
        (&json!("lww"), &json!("superseded"))
    );
    let why = receipt["why"].as_str().unwrap_or_default();
    assert!(why.contains("is older than the winner's"), "{why}");

    let said = stdout(&hub.client(&["receipts", "--take"]));
    for part in [
        "lost against",
        "it wrote mine; there is theirs instead",
        "1 taken",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(
        stdout(&hub.client(&["receipts"])),
        "no receipt waits for cli\n"
    );
}

#[test]
fn what_nobody_has_read_is_not_taken() {
    let place = Place::new();
    let (hub, _agent) = lost(&place);
    for how in [&["--json"][..], &[], &["--follow"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let args = [&["receipts", "--take", "--hub", &hub.address], how].concat();
        let ended = program(&args).stdout(writer).status();
        assert!(ended.expect("the program starts").success(), "{how:?}");
        let listed = json_of(&hub.client(&["receipts", "--json"]));
        assert_eq!(listed["receipts"][0]["value"], "mine", "{how:?}");
    }
    let taken = json_of(&hub.client(&["receipts", "--take", "--json"]));
    assert_eq!(
        (&taken["receipts"][0]["value"], &taken["taken"]),
        (&json!("mine"), &json!(1))
    );
    assert_eq!(
        stdout(&hub.client(&["receipts"])),
        "no receipt waits for cli\n"
    );
}

#[test]
fn a_follower_goes_on_after_a_restart_of_the_hub() {
    let place = Place::new();
    let (mut hub, mut agent) = lost(&place);
    let address = hub.address.clone();
    let follow = [
        "receipts", "--follow", "--take", "--json", "--hub", &address,
    ];
    let following = Process::start(&follow);
    assert_eq!(following.json()["key"], "k");
    let listed = || json_of(&run(&["receipts", "--json", "--hub", &address]));
    until(listed, |listed| listed["receipts"] == json!([]));
    hub.process.kill();
    hub = Hub::start_at(&place.path("hub"), &address);
    agent.in_step();
    agent.ok(json!({"op": "offline"}));
    assert!(hub.client(&["set", "later", "mine"]).status.success());
    agent.set("later", &json!("theirs"));
    agent.ok(json!({"op": "online"}));
    agent.flush();
    assert_eq!(following.json()["key"], "later", "and nothing twice");
    until(listed, |listed| listed["receipts"] == json!([]));
}

/// What it shows is of the run that is there then, and not of the one at which it began to follow.
#[test]
fn a_follower_that_began_with_nothing_repeats_nothing_after_restarts() {
    let place = Place::new();
    let (mut hub, metrics) = measured(&place);
    let address = hub.address.clone();
    let follow = ["receipts", "--follow", "--json", "--hub", &address];
    let following = Process::start(&follow);
    tells(&metrics, &[("swarm_sync_connections", 1.0)]);
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    for key in ["first", "second"] {
        hub.process.kill();
        hub = Hub::start_at(&place.path("hub"), &address);
        agent.in_step();
        agent.ok(json!({"op": "offline"}));
        assert!(hub.client(&["set", key, "mine"]).status.success());
        agent.set(key, &json!("theirs"));
        agent.ok(json!({"op": "online"}));
        agent.flush();
        assert_eq!(following.json()["key"], key, "and nothing twice");
    }
}

#[test]
fn the_receipts_of_an_agent_are_its_own_to_take() {
    let place = Place::new();
    let hub = place.hub();
    let listed = hub.client(&["receipts", "--name", "agent-1"]);
    assert_eq!(stdout(&listed), "no receipt waits for agent-1\n");
    let refused = hub.client(&["receipts", "--name", "agent-1", "--take"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("its own to take"),
        "{}",
        stderr(&refused)
    );
    let nobody = run(&[
        "receipts",
        "--hub",
        crate::support::NO_HUB,
        "--timeout",
        "1",
    ]);
    assert_ne!(nobody.status.code(), Some(0));
}

#[test]
fn an_agent_follows_a_write_and_proposes_it_again() {
    let place = Place::new();
    let (hub, mut winner) = lost(&place);
    // Of two writes of one millisecond that of the greater name wins: not this one's.
    let mut agent = place.agent(&hub, "agent-0");
    agent.in_step();
    winner.ok(json!({"op": "offline"}));
    agent.ok(json!({"op": "offline"}));
    let early = agent.ok(json!({"op": "set", "key": "k", "value": "early"}));
    let write = early["write"].clone();
    let local = agent.ok(json!({"op": "fate", "write": write}));
    assert_eq!(
        (&local["fate"], &local["durability"]),
        (&json!("local"), &json!("disk"))
    );
    winner.set("k", &json!("late"));
    winner.ok(json!({"op": "online"}));
    winner.flush();
    agent.ok(json!({"op": "online"}));
    let fate = until(
        || agent.ok(json!({"op": "fate", "write": write})),
        |fate| fate["fate"] == "superseded",
    );
    assert_eq!(fate["receipt"]["winning_value"], "late");
    agent.reads("k", &json!("late"));
    let again = agent.ok(json!({"op": "repropose", "write": write}));
    assert!(
        again["write"].is_string() && again["write"] != write,
        "{again}"
    );
    let (kind, message) = agent.refused(json!({"op": "repropose", "write": write}));
    assert_eq!(kind, "invalid");
    assert!(message.contains("no receipt of"), "{message}");
    assert_eq!(agent.ok(json!({"op": "receipts"}))["receipts"], json!([]));
    // The receipt went with it.
    let acked = agent.ok(json!({"op": "ack_receipt", "write": write}));
    assert_eq!(acked["taken"], false);
    agent.flush();
    winner.reads("k", &json!("early"));
}

#[test]
fn writes_and_reads_say_what_they_wait_for() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a, mut b] = ["a", "b"].map(|name| place.agent(&hub, name));
    b.in_step();
    let written = a.ok(json!({
        "op": "set", "key": "k", "value": 1, "level": "replicas", "replicas": 1, "timeout_ms": 60_000
    }));
    assert_eq!(written["durability"], "replicas(1)");
    let revision = written["revision"].clone();
    let read = b.ok(json!({"op": "get", "key": "k", "at_least": revision, "timeout_ms": 60_000}));
    assert_eq!(
        (&read["value"], &read["connected"]),
        (&json!(1), &json!(true))
    );
    assert!(read["behind"].is_u64(), "{read}");
    let fate = a.ok(json!({"op": "fate", "write": written["write"]}));
    assert_eq!(
        (&fate["fate"], &fate["replicas"]),
        (&json!("on-replicas"), &json!(1))
    );
    let (kind, message) = b.refused(json!({
        "op": "get", "key": "k", "at_least": 1_000, "timeout_ms": 50
    }));
    assert_eq!(kind, "deadline");
    assert!(message.contains("revision 1000"), "{message}");
    let (kind, message) = a.refused(json!({
        "op": "add", "key": "n", "amount": 1, "level": "replicas", "replicas": 9, "timeout_ms": 50
    }));
    assert_eq!(kind, "deadline");
    assert!(message.contains("and not replicas(9)"), "{message}");
    for bad in [
        json!({"op": "set", "key": "k", "value": 1, "level": "everywhere"}),
        json!({"op": "set", "key": "k", "value": 1, "level": "replicas", "replicas": 0}),
        json!({"op": "set", "key": "k", "value": 1, "level": "replicas"}),
        json!({"op": "fate", "write": "nonsense"}),
        json!({"op": "repropose"}),
    ] {
        assert_eq!(a.refused(bad.clone()).0, "bad-request", "{bad}");
    }
    b.ok(json!({"op": "offline"}));
    let cut = b.ok(json!({"op": "get", "key": "absent"}));
    assert_eq!(
        (&cut["found"], &cut["connected"]),
        (&Json::Bool(false), &json!(false))
    );
}
