//! Keys of several priorities: a round for each, the most urgent first, each with its own deadline, and
//! one answer.

use std::time::Duration;

use sync_core::{
    AgentId, Ask, Body, Key, Message, Priority, RequestError, SessionId, SyncReport, Value,
};
use sync_protocol::Deadlines;

use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, hub_config, key, policy, put, talk, trio};

/// In an order that is none of priority.
const KEYS: [&str; 6] = [
    "low-1",
    "plain",
    "critical-1",
    "background-1",
    "high-1",
    "low-2",
];

fn ranked() -> Vec<sync_core::Policy> {
    let all = Priority::ALL.into_iter();
    all.map(|priority| policy(&format!("{priority}-*"), |p| p.priority = priority))
        .collect()
}

/// A hub with a table of priorities and two agents that are in step with it.
fn ranked_trio() -> (HubSide, AgentSide, AgentSide) {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(ranked());
    talk(&mut hub, &mut [&mut a, &mut b]);
    (hub, a, b)
}

/// The keys of each question that a connection was asked, in order.
fn asked(said: &[(SessionId, Message)], session: SessionId) -> Vec<Vec<String>> {
    let to = said.iter().filter(|(to, _)| *to == session);
    let questions = to.filter_map(|(_, message)| match &message.body {
        Body::StateRequest { keys, .. } => Some(keys),
        _ => None,
    });
    let names = questions.map(|keys| keys.iter().map(|(key, _)| key.to_string()).collect());
    names.collect()
}

fn lines(report: &SyncReport) -> Vec<(&str, bool)> {
    let lines = report.keys.iter();
    lines
        .map(|line| (line.key.as_str(), line.failed.is_none()))
        .collect()
}

#[test]
fn the_most_urgent_keys_are_asked_for_first() {
    let (mut hub, mut a, mut b) = ranked_trio();
    hub.sync(&KEYS, None);
    let expected = [
        vec!["critical-1"],
        vec!["high-1"],
        vec!["plain"],
        vec!["low-1", "low-2"],
        vec!["background-1"],
    ];
    for session in [a.session.unwrap(), b.session.unwrap()] {
        assert_eq!(asked(&hub.said, session), expected);
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    let report = hub.report().expect("everyone has answered").unwrap();
    // The answer has them as they were asked for, each once.
    assert_eq!(lines(&report), KEYS.map(|name| (name, true)));
    assert_eq!((report.synchronized(), report.failed().count()), (6, 0));
    assert_eq!((report.responded.len(), report.in_step.len()), (2, 2));
    assert!(report.missing.is_empty());
}

#[test]
fn each_class_brings_in_what_was_not_pushed_yet() {
    let (mut hub, mut a, mut b) = ranked_trio();
    a.write("critical-1", put(1));
    b.write("low-1", put(2));
    // The pushes are lost on the way.
    a.said.clear();
    b.said.clear();
    hub.sync(&["low-1", "critical-1", "low-2"], None);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let report = hub.report().expect("everyone has answered").unwrap();
    let changed: Vec<bool> = report.keys.iter().map(|line| line.changed).collect();
    assert_eq!(changed, [true, true, false]);
    assert_eq!(report.revision, hub.hub.revision());
    assert!(report.bytes > 0);
    assert_eq!(b.value("critical-1"), Some(Value::Int(1)));
    assert_eq!(a.value("low-1"), Some(Value::Int(2)));
}

/// The answer waits for the last class; those that nobody answered in time say so, each with its time.
#[test]
fn a_class_that_nobody_answers_fails_alone() {
    let (mut hub, mut a, _b) = ranked_trio();
    hub.sync(&KEYS, None);
    // Of the questions only the critical one arrives, and only at one agent.
    let critical = |body: &Body| match body {
        Body::StateRequest { keys, .. } => keys.iter().all(|(k, _)| k.as_str() == "critical-1"),
        _ => false,
    };
    deliver(&mut hub, &mut a, critical);
    say(&mut hub, &mut a);
    let at = |hub: &mut HubSide, second: u64| {
        hub.pass(Duration::from_secs(second).saturating_sub(hub.mono));
        hub.report()
    };
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::from_secs(5)));
    assert!(at(&mut hub, 5).is_none());
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::from_secs(10)));
    assert!(at(&mut hub, 10).is_none());
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::from_secs(30)));
    assert!(at(&mut hub, 29).is_none());
    let report = at(&mut hub, 30)
        .expect("all deadlines have passed")
        .unwrap();
    assert_eq!(
        lines(&report),
        KEYS.map(|name| (name, name == "critical-1"))
    );
    assert_eq!((report.synchronized(), report.failed().count()), (1, 5));
    let reason = |name: &str| {
        let line = report.keys.iter().find(|line| line.key.as_str() == name);
        line.unwrap().failed.clone().unwrap()
    };
    assert!(
        reason("low-1").contains("within 5000 ms"),
        "{}",
        reason("low-1")
    );
    assert!(
        reason("plain").contains("within 10000 ms"),
        "{}",
        reason("plain")
    );
    // What is said of an agent is said for all keys that did not fail.
    let [answered, silent] = ["a", "b"].map(|name| [AgentId::new(name).unwrap()]);
    assert_eq!(
        (&report.responded[..], &report.missing[..]),
        (&answered[..], &silent[..])
    );
    assert_eq!(report.elapsed_ms, 30_000);
}

/// Who answered for some keys only is missing: what is said of an agent is said for all keys.
#[test]
fn who_answers_for_a_part_is_missing() {
    let (mut hub, mut a, mut b) = ranked_trio();
    hub.sync(&["critical-1", "low-1"], None);
    let said = hub.said.clone();
    let critical = |body: &Body| match body {
        Body::StateRequest { keys, .. } => keys.iter().all(|(k, _)| k.as_str() == "critical-1"),
        _ => false,
    };
    deliver(&mut hub, &mut b, critical);
    say(&mut hub, &mut b);
    hub.said = said
        .into_iter()
        .filter(|(to, _)| Some(*to) == a.session)
        .collect();
    talk(&mut hub, &mut [&mut a]);
    assert!(hub.report().is_none(), "b has not answered for low-1");
    hub.pass(Duration::from_secs(5));
    let report = hub.report().expect("the deadline has passed").unwrap();
    assert_eq!(report.synchronized(), 2);
    assert_eq!(report.responded, [AgentId::new("a").unwrap()]);
    assert_eq!(report.missing, [AgentId::new("b").unwrap()]);
}

#[test]
fn a_synchronization_that_fails_in_all_classes_is_an_error() {
    let (mut hub, ..) = ranked_trio();
    hub.sync(&["low-1", "critical-1"], None);
    hub.pass(Duration::from_secs(5));
    assert!(hub.report().is_none());
    hub.pass(Duration::from_secs(25));
    let error = hub.report().expect("all deadlines have passed");
    let expected = RequestError::NobodyAnswered {
        asked: 2,
        deadline_ms: 30_000,
    };
    assert_eq!(error, Err(expected));
}

#[test]
fn a_time_that_is_named_holds_for_all_classes() {
    let (mut hub, ..) = ranked_trio();
    hub.sync(&KEYS, Some(1_000));
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::from_secs(1)));
    hub.pass(Duration::from_secs(1));
    let error = hub.report().expect("the deadline has passed");
    let expected = RequestError::NobodyAnswered {
        asked: 2,
        deadline_ms: 1_000,
    };
    assert_eq!(error, Err(expected));
}

#[test]
fn deadlines_are_what_the_hub_was_told() {
    let mut config = hub_config();
    let deadlines = Deadlines::all(Duration::from_secs(2));
    config.deadlines = deadlines.with(Priority::Critical, Duration::from_secs(7));
    let mut hub = HubSide::with(config);
    hub.govern(ranked());
    hub.connect(1, "a", sync_core::Role::Member);
    hub.sync(&["critical-1"], None);
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::from_secs(7)));
    hub.sync(&["high-1"], None);
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::from_secs(2)));
}

/// What is said to an agent whose cursor is being settled waits, and then comes in the same order.
#[test]
fn whoever_settles_later_is_asked_in_the_same_order() {
    let (mut hub, mut a, b) = ranked_trio();
    let mut late = AgentSide::new("late");
    late.connect(&mut hub, 7);
    hub.sync(&["low-1", "critical-1"], None);
    let session = late.session.unwrap();
    assert!(asked(&hub.said, session).is_empty());
    say(&mut hub, &mut late);
    hub.settle();
    let expected = [vec!["critical-1"], vec!["low-1"]];
    assert_eq!(asked(&hub.said, session), expected);
    talk(&mut hub, &mut [&mut a, &mut late]);
    drop(b);
}

/// With the connection that asked all of its rounds end.
#[test]
fn all_classes_end_with_the_connection_that_asked() {
    let (mut hub, ..) = ranked_trio();
    let client = hub.connect(9, "client", sync_core::Role::Client);
    let keys: Vec<Key> = KEYS.map(key).into();
    let ask = Ask::Sync {
        keys: keys.into(),
        timeout_ms: None,
    };
    hub.hear(client, Body::Request { request: 1, ask });
    assert!(hub.hub.poll_timeout().is_some());
    hub.hub.handle_disconnected(hub.now(), client);
    hub.settle();
    assert_eq!(hub.hub.poll_timeout(), None, "a round is still there");
}
