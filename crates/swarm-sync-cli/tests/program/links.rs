//! Hubs and agents that come, go, take each other's names and are killed.

use serde_json::{Value as Json, json};

#[cfg(unix)]
use crate::support::ending_signals;
#[cfg(target_os = "linux")]
use crate::support::program_after;
use crate::support::{Agent, Hub, NO_HUB, Place, Process, until};

#[test]
fn an_agent_that_was_away_catches_up() {
    let place = Place::new();
    let hub = place.hub();
    let (mut first, mut second) = (place.agent(&hub, "agent-1"), place.agent(&hub, "agent-2"));
    first.set("k", &json!("old"));
    first.flush();
    second.reads("k", &json!("old"));

    second.ok(json!({"op": "offline"}));
    assert_eq!(second.ok(json!({"op": "status"}))["connected"], false);
    first.set("k", &json!("new"));
    first.flush();
    second.set("mine", &json!("written while away"));
    assert_eq!(second.value("k"), "old");
    let (kind, _) = second.refused(json!({"op": "sync", "keys": ["k"]}));
    assert_eq!(kind, "unavailable");

    second.ok(json!({"op": "online"}));
    second.in_step();
    assert_eq!(second.value("k"), "new");
    second.flush();
    first.reads("mine", &json!("written while away"));
    assert_eq!(first.digest(), second.digest());
}

#[test]
fn an_agent_may_start_before_its_hub() {
    let place = Place::new();
    // An address that was free a moment ago.
    let hub = place.hub();
    let address = hub.address.clone();
    hub.process.kill();
    let mut agent = Agent::start(&address, "agent-1", &place.path("agent-1"));
    agent.set("k", &json!(1));
    let hub = Hub::start_at(&place.path("hub"), &address);
    agent.flush();
    assert_eq!(hub.client(&["get", "k"]).stdout, b"1\n");
}

#[test]
fn a_killed_agent_comes_back_with_its_writes_and_pushes_them() {
    let place = Place::new();
    let hub = place.hub();
    let data = place.path("agent-1");
    let mut agent = Agent::start_with(&hub.address, "agent-1", &data, &["--offline"]);
    for number in 0..50 {
        agent.set(&format!("k{number}"), &json!(number));
    }
    agent.ok(json!({"op": "add", "key": "n", "amount": 42}));
    agent.process.kill();

    let mut agent = Agent::start(&hub.address, "agent-1", &data);
    assert_eq!(agent.ready["pending_writes"], 51);
    for number in 0..50 {
        assert_eq!(agent.value(&format!("k{number}")), number);
    }
    // The new run has a contribution of its own.
    agent.ok(json!({"op": "add", "key": "n", "amount": 1}));
    agent.flush();
    assert_eq!(hub.client(&["get", "n"]).stdout, b"43\n");
    assert_eq!(hub.client(&["get", "k49"]).stdout, b"49\n");
}

#[test]
fn a_killed_hub_comes_back_with_what_it_acknowledged() {
    let place = Place::new();
    let hub = place.hub();
    let address = hub.address.clone();
    let (mut first, mut second) = (place.agent(&hub, "agent-1"), place.agent(&hub, "agent-2"));
    for number in 0..20 {
        first.set(&format!("k{number}"), &json!(number));
        first.flush();
    }
    second.in_step();
    let before = second.ok(json!({"op": "cursor"}));
    hub.process.kill();
    first.set("meanwhile", &json!(true));

    let hub = Hub::start_at(&place.path("hub"), &address);
    for number in 0..20 {
        let read = hub.client(&["get", &format!("k{number}")]);
        assert_eq!(read.stdout, format!("{number}\n").into_bytes());
    }
    first.flush();
    second.in_step();
    second.reads("meanwhile", &json!(true));
    let after = second.ok(json!({"op": "cursor"}));
    assert_ne!(
        before["epoch"], after["epoch"],
        "every run of a hub has its own"
    );
    assert!(after["revision"].as_u64() > before["revision"].as_u64());
    let since = json!({"epoch": before["epoch"], "revision": before["revision"]});
    let delta = second.ok(json!({"op": "delta", "since": since}));
    let keys: Vec<_> = delta["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| &c["key"])
        .collect();
    assert_eq!(keys, ["meanwhile"]);
    assert_eq!(first.digest(), second.digest());
}

#[test]
fn the_second_agent_under_a_name_is_refused_and_the_first_undisturbed() {
    let place = Place::new();
    let hub = place.hub();
    let mut first = place.agent(&hub, "agent-1");
    first.in_step();
    let mut second = Agent::start(&hub.address, "agent-1", &place.path("copy"));
    let status = until(
        || second.ok(json!({"op": "status"})),
        |s| !s["link_error"].is_null(),
    );
    let error = status["link_error"].as_str().unwrap_or_default();
    assert!(
        error.contains("two processes cannot share one name"),
        "{error}"
    );
    second.process.logged("two processes cannot share one name");
    let status = first.ok(json!({"op": "status"}));
    assert_eq!(
        (&status["connected"], &status["link_error"]),
        (&json!(true), &Json::Null)
    );
    first.set("k", &json!(1));
    first.flush();

    // Once the first is gone, however it went, the second takes its place.
    first.process.kill();
    second.in_step();
    assert_eq!(second.value("k"), 1);
}

#[test]
#[cfg(unix)]
fn a_frozen_agent_loses_its_name_to_a_living_one() {
    let place = Place::new();
    let hub = place.hub();
    let mut first = place.agent(&hub, "agent-1");
    first.in_step();
    first.process.signal("STOP");
    let mut second = Agent::start(&hub.address, "agent-1", &place.path("second"));
    second.in_step();
    assert_eq!(second.ok(json!({"op": "status"}))["connected"], true);
    first.process.signal("CONT");
}

#[test]
fn swarms_are_separate() {
    let place = Place::new();
    let hub = place.hub();
    let mut red = Agent::start_with(&hub.address, "a", &place.path("red"), &["--swarm", "red"]);
    let mut blue = Agent::start_with(&hub.address, "a", &place.path("blue"), &["--swarm", "blue"]);
    red.set("k", &json!("red"));
    red.flush();
    blue.in_step();
    assert_eq!(blue.value("k"), Json::Null);
    assert_eq!(hub.client(&["get", "k", "--swarm", "red"]).stdout, b"red\n");
    assert_eq!(
        hub.client(&["get", "k", "--swarm", "blue"]).status.code(),
        Some(1)
    );
}

#[test]
#[cfg(unix)]
fn signals_stop_hub_and_agent_in_an_orderly_way() {
    for signal in ending_signals() {
        let place = Place::new();
        let mut hub = place.hub();
        let mut agent = place.agent(&hub, "agent-1");
        agent.set("k", &json!(1));
        agent.flush();
        agent.process.signal(signal);
        assert!(agent.process.end().success(), "{signal}");
        // A hub takes SIGHUP for something else.
        let signal = if signal == "HUP" { "TERM" } else { signal };
        hub.process.signal(signal);
        assert!(hub.process.end().success(), "{signal}");
        // Both directories are free again, and whole.
        let hub = place.hub();
        assert_eq!(hub.client(&["get", "k"]).stdout, b"1\n");
        assert_eq!(place.agent(&hub, "agent-1").value("k"), 1);
    }
}

/// What `nohup` does, and what the end of a terminal then does.
#[test]
#[cfg(target_os = "linux")]
fn a_hang_up_that_is_to_be_ignored_is() {
    let place = Place::new();
    let data = place.path("a");
    let data = data.to_string_lossy();
    let args = ["agent", "--json", "--hub", NO_HUB, "--data", &data];
    let mut agent = Process::spawn(program_after("trap '' HUP", &args));
    assert_eq!(agent.json()["event"], "ready");
    agent.signal("HUP");
    agent.send(br#"{"id":1,"op":"keys"}"#);
    assert_eq!(agent.json()["ok"], true);
    agent.signal("TERM");
    assert!(agent.end().success());
}

#[test]
fn an_agent_in_memory_says_so() {
    let place = Place::new();
    let hub = place.hub();
    let args = [
        "agent",
        "--json",
        "--hub",
        &hub.address,
        "--id",
        "a",
        "--memory",
    ];
    let mut process = Process::start(&args);
    assert_eq!(process.json()["data"], Json::Null);
    process.send(br#"{"id":1,"op":"set","key":"k","value":1}"#);
    assert_eq!(process.json()["durability"], "memory");
    process.send(br#"{"id":2,"op":"flush","level":"disk"}"#);
    assert_eq!(process.json()["error"]["kind"], "invalid");
    process.send(br#"{"id":3,"op":"flush","level":"hub"}"#);
    assert_eq!(process.json()["durability"], "hub");
}
