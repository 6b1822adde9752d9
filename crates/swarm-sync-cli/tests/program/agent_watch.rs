//! Watching and policies through an agent.

use serde_json::{Value as Json, json};

use crate::support::{Agent, Hub, NO_HUB, Place, until};

/// The next line that came by itself.
fn event(agent: &mut Agent) -> Json {
    if agent.events.is_empty() {
        let line = agent.process.json();
        assert!(line["event"].is_string(), "{line}");
        return line;
    }
    agent.events.remove(0)
}

/// The next change of this watch; others are not told.
fn change(agent: &mut Agent, watch: u64) -> Json {
    loop {
        let event = event(agent);
        if event["event"] == "change" {
            assert_eq!(event["watch"], watch, "{event}");
            return event;
        }
        assert_eq!(event["event"], "compacted", "{event}");
    }
}

#[test]
fn changes_come_as_events_until_unwatch() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    hub.client(&["set", "task_0", "before"]);
    let watch = agent.ok(json!({"op": "watch", "pattern": "task_*", "from": "start"}));
    assert_eq!(
        (&watch["watch"], &watch["cursor"]),
        (&json!(1), &json!("start"))
    );
    let first = change(&mut agent, 1);
    assert_eq!(
        (&first["key"], &first["value"]),
        (&json!("task_0"), &json!("before"))
    );
    assert_eq!(
        (&first["kind"], &first["deleted"]),
        (&json!("changed"), &json!(false))
    );
    let cursor = first["cursor"].as_str().expect("where to go on");
    assert!(
        cursor.ends_with(&format!(":{}", first["revision"])),
        "{first}"
    );
    agent.set("other", &json!(1));
    agent.set("task_1", &json!({"by": "itself"}));
    let own = change(&mut agent, 1);
    assert_eq!(
        (&own["key"], &own["agent"]),
        (&json!("task_1"), &json!("agent-1"))
    );
    hub.client(&["delete", "task_0"]);
    let gone = change(&mut agent, 1);
    assert_eq!(
        (&gone["kind"], &gone["deleted"]),
        (&json!("deleted"), &json!(true))
    );

    let closed = agent.ok(json!({"op": "unwatch", "watch": 1}));
    let cursor = closed["cursor"].as_str().expect("a cursor").to_owned();
    agent.set("task_2", &json!(2));
    agent.flush();
    assert!(agent.events.is_empty(), "{:?}", agent.events);
    let watch = agent.ok(json!({"op": "watch", "pattern": "task_*", "from": cursor}));
    assert_eq!(watch["watch"], 2);
    assert_eq!(change(&mut agent, 2)["key"], "task_2");
}

/// Whatever is committed before it reaches the hub for the first time comes after what it holds: nothing.
#[test]
fn a_watch_of_an_agent_that_never_met_its_hub_misses_nothing() {
    let place = Place::new();
    let hub = place.hub();
    let (addr, data) = (hub.address.clone(), place.path("hub"));
    hub.process.kill();
    let mut agent = Agent::start(&addr, "agent-1", &place.path("agent-1"));
    let watch = agent.ok(json!({"op": "watch", "pattern": "*"}));
    assert_eq!(watch["cursor"], "start");
    let hub = Hub::start_at(&data, &addr);
    let keys: Vec<String> = (0..10).map(|n| format!("k{n}")).collect();
    for key in &keys {
        hub.client(&["set", key, "v"]);
    }
    let told: Vec<Json> = keys
        .iter()
        .map(|_| change(&mut agent, 1)["key"].clone())
        .collect();
    assert_eq!(told, keys);
}

#[test]
fn a_watch_begins_where_the_replica_stands() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.set("k0", &json!(0));
    agent.flush();
    agent.in_step();
    // Started while it is cut off, it misses nothing of what happens meanwhile.
    agent.ok(json!({"op": "offline"}));
    agent.ok(json!({"op": "watch", "pattern": "k*"}));
    hub.client(&["set", "k1", "1"]);
    hub.client(&["set", "k2", "2"]);
    agent.ok(json!({"op": "online"}));
    assert_eq!(change(&mut agent, 1)["key"], "k1");
    assert_eq!(change(&mut agent, 1)["key"], "k2");
    // And it goes on with the hub that comes after this one.
    let address = hub.address.clone();
    hub.process.kill();
    let hub = Hub::start_at(&place.path("hub"), &address);
    hub.client(&["set", "k3", "3"]);
    assert_eq!(change(&mut agent, 1)["key"], "k3");
    agent.ok(json!({"op": "quit"}));
    assert!(agent.process.end().success());
}

#[test]
fn a_position_that_is_not_of_this_hub_is_told() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.set("k", &json!(1));
    agent.flush();
    let from = json!({"epoch": "00000000000000ff", "revision": 1});
    agent.ok(json!({"op": "watch", "pattern": "*", "from": from}));
    let reload = event(&mut agent);
    assert_eq!(
        (&reload["event"], &reload["watch"]),
        (&json!("reload"), &json!(1))
    );
    assert_eq!(change(&mut agent, 1)["key"], "k");
}

#[test]
fn there_may_be_many_watches_but_not_any_number() {
    let place = Place::new();
    let mut agent = Agent::start(NO_HUB, "agent-1", &place.path("agent-1"));
    for number in 1..=32 {
        let open = agent.ok(json!({"op": "watch", "pattern": "*"}));
        assert_eq!(open["watch"], number);
    }
    let (_, message) = agent.refused(json!({"op": "watch", "pattern": "*"}));
    assert!(message.contains("32 watches are open"), "{message}");
    let closed = agent.ok(json!({"op": "unwatch", "watch": 1}));
    assert_eq!(closed["cursor"], "start", "it has never met its hub");
    agent.ok(json!({"op": "watch", "pattern": "*"}));
    agent.ok(json!({"op": "quit"}));
    assert!(agent.process.end().success());
}

#[test]
fn a_map_reads_as_an_object() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.ok(json!({"op": "put", "key": "m", "field": "a", "value": {"deep": [1]}}));
    agent.ok(json!({"op": "put", "key": "m", "field": "b", "value": null}));
    agent.ok(json!({"op": "put", "key": "m", "field": "c", "value": "x"}));
    agent.ok(json!({"op": "unset", "key": "m", "field": "c"}));
    let read = agent.ok(json!({"op": "get", "key": "m"}));
    assert_eq!(read["value"], json!({"a": {"deep": [1]}, "b": null}));
    assert_eq!(
        (&read["rule"], &read["siblings"]),
        (&json!("map"), &json!([]))
    );
    let (kind, message) = agent.refused(json!({"op": "add", "key": "m", "amount": 1}));
    assert_eq!(kind, "operation");
    assert!(message.contains("under the rule map"), "{message}");
}

#[test]
fn policies_reach_the_agent() {
    let place = Place::new();
    let file = place.path("p.toml");
    std::fs::write(&file, "[[policy]]\npattern = \"n_*\"\nrule = \"counter\"\n").expect("writable");
    let hub = Hub::start_with(&place.path("hub"), &["--policy", &file.to_string_lossy()]);
    let mut agent = Agent::start_with(&hub.address, "a", &place.path("a"), &["--offline"]);
    assert_eq!(agent.ok(json!({"op": "policies"}))["policies"], json!([]));
    agent.ok(json!({"op": "online"}));
    let held = until(
        || agent.ok(json!({"op": "policies"})),
        |held| held["policies"] != json!([]),
    );
    assert_eq!(held["policies"][0]["pattern"], "n_*", "{held}");
    assert_eq!(held["policies"][0]["rule"], "counter", "{held}");
    let explained = agent.ok(json!({"op": "explain", "key": "n_1"}));
    assert_eq!(explained["counts"], "n_*");
    assert_eq!(explained["holds"]["rule"], "counter");
    let explained = agent.ok(json!({"op": "explain", "key": "x"}));
    assert_eq!(
        (&explained["counts"], &explained["matching"]),
        (&Json::Null, &json!([]))
    );
    let (kind, message) = agent.refused(json!({"op": "set", "key": "n_1", "value": 1}));
    assert_eq!(kind, "operation");
    assert!(message.contains("under the rule counter"), "{message}");
}
