//! Where room runs out the least urgent goes first: rounds at the hub, new writes at an agent. What was
//! acknowledged never does.

use std::time::Duration;

use sync_core::{Ask, Body, Key, Policy, Priority, Reply, Role, SessionId};
use sync_protocol::{Covers, HubConfig, Limits, PeriodicPlan, Schedule};

use crate::hand::{deliver, say};
use crate::stage::{
    AgentSide, HubSide, assert_equal, hub_config, key, policy, put, read_reply, talk,
};

fn ranked() -> Vec<Policy> {
    let all = Priority::ALL.into_iter();
    all.map(|priority| policy(&format!("{priority}-*"), |p| p.priority = priority))
        .collect()
}

/// A hub with an agent that says nothing of itself, so that rounds stay open.
fn hub_with(change: impl FnOnce(&mut HubConfig)) -> HubSide {
    scene(change).0
}

fn scene(change: impl FnOnce(&mut HubConfig)) -> (HubSide, AgentSide) {
    let mut config = hub_config();
    change(&mut config);
    let mut hub = HubSide::with(config);
    hub.govern(ranked());
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    (hub, a)
}

fn long(name: &str) -> String {
    format!("{name}-{}", "k".repeat(1_000))
}

fn sync(hub: &mut HubSide, client: SessionId, request: u64, keys: &[&str]) {
    let keys: Vec<Key> = keys.iter().map(|k| key(k)).collect();
    let ask = Ask::Sync {
        keys: keys.into(),
        timeout_ms: Some(60_000),
    };
    hub.hear(client, Body::Request { request, ask });
    hub.settle();
}

/// What was answered since the last look: the request and the kind of the error, or how many keys were
/// synchronized of how many.
fn answers(hub: &mut HubSide) -> Vec<(u64, String)> {
    let said = std::mem::take(&mut hub.said);
    let replies = said.iter().filter_map(|(_, message)| match message.body {
        Body::Reply { request, .. } => Some((request, read_reply(message)?)),
        _ => None,
    });
    let text = |reply: Reply| match reply {
        Err(error) => error.kind().to_owned(),
        Ok(sync_core::Answer::Synced(report)) => {
            format!("{} of {}", report.synchronized(), report.keys.len())
        }
        Ok(other) => panic!("{other:?}"),
    };
    replies
        .map(|(request, reply)| (request, text(reply)))
        .collect()
}

fn shed(requests: &[u64]) -> Vec<(u64, String)> {
    requests.iter().map(|r| (*r, "shed".to_owned())).collect()
}

#[test]
fn a_round_ends_for_a_more_urgent_one_the_least_urgent_and_youngest_first() {
    let mut hub = hub_with(|config| config.limits.rounds_max = 4);
    let client = hub.connect(9, "client", Role::Client);
    for (request, name) in (1..).zip(["background-1", "low-1", "background-2", "high-1"]) {
        sync(&mut hub, client, request, &[name]);
    }
    assert_eq!(answers(&mut hub), []);
    sync(&mut hub, client, 5, &["critical-1"]);
    assert_eq!(
        answers(&mut hub),
        shed(&[3]),
        "the youngest of the least urgent"
    );
    sync(&mut hub, client, 6, &["critical-2"]);
    assert_eq!(answers(&mut hub), shed(&[1]));
    sync(&mut hub, client, 7, &["plain"]);
    assert_eq!(answers(&mut hub), shed(&[2]));
    // Nothing is less urgent than another of the same priority.
    sync(&mut hub, client, 8, &["plain"]);
    assert_eq!(answers(&mut hub), [(8, "too-many-rounds".to_owned())]);
    sync(&mut hub, client, 9, &["background-1"]);
    assert_eq!(answers(&mut hub), [(9, "too-many-rounds".to_owned())]);
}

#[test]
fn the_sentence_says_for_what_it_was_ended() {
    let mut hub = hub_with(|config| config.limits.rounds_max = 1);
    let client = hub.connect(9, "client", Role::Client);
    sync(&mut hub, client, 1, &["low-1"]);
    hub.said.clear();
    sync(&mut hub, client, 2, &["high-1"]);
    let said = std::mem::take(&mut hub.said);
    let error = said
        .iter()
        .find_map(|(_, message)| read_reply(message)?.err());
    let sentence = error.expect("it was ended").to_string();
    for part in ["low priority", "high priority", "ask again"] {
        assert!(sentence.contains(part), "{sentence}");
    }
}

/// Bytes: only as many end as are needed, and none if all of them would not do.
#[test]
fn rounds_end_for_bytes_only_if_that_helps() {
    let mut hub = hub_with(|config| config.limits.round_bytes_max = 8_192);
    let client = hub.connect(9, "client", Role::Client);
    let (low, background) = (long("low"), long("background"));
    sync(&mut hub, client, 1, &[&low]);
    sync(&mut hub, client, 2, &[&background]);
    sync(&mut hub, client, 3, &[&background]);
    let many: Vec<String> = (0..7).map(|n| long(&format!("high-{n}"))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    // As much as there is room for in all, and more.
    sync(&mut hub, client, 4, &many);
    assert_eq!(answers(&mut hub), [(4, "too-many-rounds".to_owned())]);
    sync(&mut hub, client, 5, &many[..3]);
    assert_eq!(answers(&mut hub), shed(&[3]));
    sync(&mut hub, client, 6, &many[..2]);
    assert_eq!(answers(&mut hub), shed(&[1, 2]));
}

/// The part of a synchronization that is less urgent ends, the other goes on.
#[test]
fn a_synchronization_may_lose_a_part_of_itself() {
    let (mut hub, mut a) = scene(|config| config.limits.round_bytes_max = 8_192);
    let client = hub.connect(9, "client", Role::Client);
    let (low, high) = (long("low"), long("high"));
    sync(&mut hub, client, 1, &[&low, &high]);
    let many: Vec<String> = (0..4).map(|n| long(&format!("critical-{n}"))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    sync(&mut hub, client, 2, &many);
    deliver(&mut hub, &mut a, |_| true);
    say(&mut hub, &mut a);
    hub.settle();
    let expected = [(1, "1 of 2".to_owned()), (2, "4 of 4".to_owned())];
    assert_eq!(answers(&mut hub), expected);
}

/// What there is no room for fails; the rest of the same request goes out.
#[test]
fn a_part_that_there_is_no_room_for_fails_alone() {
    let (mut hub, mut a) = scene(|config| config.limits.round_bytes_max = 4_096);
    let client = hub.connect(9, "client", Role::Client);
    let lows: Vec<String> = (0..5).map(|n| long(&format!("low-{n}"))).collect();
    let mut keys = vec!["critical-1"];
    keys.extend(lows.iter().map(String::as_str));
    sync(&mut hub, client, 1, &keys);
    deliver(&mut hub, &mut a, |_| true);
    say(&mut hub, &mut a);
    hub.settle();
    assert_eq!(answers(&mut hub), [(1, "1 of 6".to_owned())]);
}

/// What the program that runs the hub waits for, nobody ends.
#[test]
fn the_hubs_own_are_not_ended_for_a_peer() {
    let mut hub = hub_with(|config| config.limits.rounds_max = 1);
    let ask = Ask::Sync {
        keys: vec![key("background-1")].into(),
        timeout_ms: Some(60_000),
    };
    assert!(hub.ask(ask).is_none());
    let client = hub.connect(9, "client", Role::Client);
    sync(&mut hub, client, 1, &["critical-1"]);
    sync(&mut hub, client, 2, &["critical-2"]);
    assert_eq!(answers(&mut hub), [(2, "too-many-rounds".to_owned())]);
    assert!(hub.take_answer(u64::MAX).is_none());
}

/// A run of the schedule that nobody waits for ends like any other, and comes again at its time.
#[test]
fn a_periodic_run_ends_for_a_more_urgent_round() {
    let covers = Covers::Patterns(vec![sync_core::Pattern::new("low-1").expect("a pattern")]);
    let plan = PeriodicPlan::new("low", covers, Duration::from_mins(1));
    let schedule = Schedule::new(vec![plan], &Limits::default()).expect("a schedule");
    let mut hub = hub_with(|config| {
        config.limits.rounds_max = 1;
        config.schedule = schedule;
    });
    hub.pass(Duration::from_millis(1));
    hub.pass(Duration::from_mins(1));
    assert!(hub.runs_of_plans.is_empty(), "it waits for the agent");
    let client = hub.connect(9, "client", Role::Client);
    sync(&mut hub, client, 1, &["high-1"]);
    assert_eq!(answers(&mut hub), [], "it has taken the place");
    let [run] = &hub.runs_of_plans[..] else {
        panic!("{:?}", hub.runs_of_plans)
    };
    assert!(
        run.failure.as_ref().unwrap().contains("low priority"),
        "{run:?}"
    );
}

/// The least urgent are refused first, and what waits stays and arrives.
#[test]
fn an_outbox_that_fills_refuses_what_is_less_urgent_first() {
    let mut hub = HubSide::new();
    hub.govern(ranked());
    let mut a = AgentSide::with("a", |config| config.limits.outbox_bytes_max = 10_000);
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    let mut refused: Vec<(Priority, usize)> = Vec::new();
    let mut taken = 0;
    for n in 0..60 {
        for priority in Priority::ALL.into_iter().rev() {
            let name = format!("{priority}-{n}");
            let request = a.begin(&name, put("x".repeat(20)));
            a.settle();
            match a.answer(request).expect("answered") {
                Ok(_) => taken += 1,
                Err(error) => {
                    assert_eq!(error.kind(), "outbox-full");
                    assert!(error.to_string().contains(priority.as_str()), "{error}");
                    if refused.iter().all(|(p, _)| *p != priority) {
                        refused.push((priority, n));
                    }
                }
            }
        }
    }
    let order: Vec<Priority> = refused.iter().map(|(priority, _)| *priority).collect();
    let least_first: Vec<Priority> = Priority::ALL.into_iter().rev().collect();
    assert_eq!(order, least_first);
    // Everything that was acknowledged arrives.
    assert_eq!(a.replica.pending_writes(), taken);
    a.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a]);
    assert_equal(&hub, &[&a]);
    assert_eq!(hub.hub.keyspace().live_keys(), taken as u64);
}
