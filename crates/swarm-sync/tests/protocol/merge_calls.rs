//! When functions that merge are called: one at a time for a key, so many at once, and again after they
//! have failed.

use std::time::Duration;

use sync_core::{Answer, Ask, MergeRule, Policy, Reason, Receipt, StateVersion, Value, WriteId};

use crate::stage::{AgentSide, HubSide, hub_config, key, policy, put, talk};

fn merge() -> Policy {
    policy("*", |p| {
        p.rule = Some(MergeRule::Custom);
        p.merge = Some("max".to_owned());
    })
}

/// A hub that lets so many functions work at once.
fn hub(places: usize) -> HubSide {
    let mut config = hub_config();
    config.limits.merges_max = places;
    let mut hub = HubSide::with(config);
    hub.govern(vec![merge()]);
    hub
}

/// Writes that their author made before it knew of the hub: concurrent with all others.
fn arrive(hub: &mut HubSide, session: u64, writes: &[(&str, i64)]) -> AgentSide {
    let mut agent = AgentSide::new(&format!("agent-{session}"));
    for (name, value) in writes {
        agent.write(name, put(*value));
    }
    agent.connect(hub, session);
    talk(hub, &mut [&mut agent]);
    agent
}

/// Makes the greatest of the values that the oldest call was given.
fn answer(hub: &mut HubSide) {
    let (ticket, siblings) = hub.merges.remove(0);
    let greatest = siblings.into_iter().map(|s| s.value);
    let greatest = greatest.max_by_key(|value| match value {
        Value::Int(number) => *number,
        other => panic!("{other}"),
    });
    let greatest = greatest.ok_or_else(|| "nothing to merge".to_owned());
    hub.hub.handle_merged(hub.now(), ticket, greatest);
    hub.settle();
}

fn fail(hub: &mut HubSide, reason: &str) {
    let (ticket, _) = hub.merges.remove(0);
    hub.hub
        .handle_merged(hub.now(), ticket, Err(reason.to_owned()));
    hub.settle();
}

fn read(hub: &mut HubSide) -> StateVersion {
    match hub.ask(Ask::Get(key("k"))) {
        Some(Ok(Answer::State(Some(state)))) => *state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_made_of_some_counts_while_others_come() {
    let mut hub = hub(16);
    for n in 1..=3 {
        arrive(&mut hub, n, &[("k", i64::try_from(n).unwrap())]);
    }
    assert_eq!(hub.merges.len(), 1, "one call at a time");
    assert_eq!(hub.merges[0].1.len(), 2);
    answer(&mut hub);
    assert_eq!(
        read(&mut hub).siblings.len(),
        2,
        "the merged one and the third"
    );
    assert_eq!(hub.merges.len(), 1, "asked again for the rest");
    answer(&mut hub);
    assert_eq!(hub.value("k"), Some(Value::Int(3)));
    assert!(hub.merges.is_empty());
    let mut told: Vec<&WriteId> = hub.hub.receipts().map(|r| &r.write).collect();
    told.dedup();
    assert_eq!(told.len(), 3, "every author is told");
    let merged = |r: &Receipt| matches!(r.reason, Reason::Merged { .. });
    assert!(hub.hub.receipts().all(merged));
}

/// One call was made per write, and none of them counted before the writes had ceased.
#[test]
fn steady_writers_do_not_keep_values_from_being_merged() {
    const WRITERS: u64 = 60;
    let mut hub = hub(16);
    let mut calls = 0;
    let mut most = 0;
    for n in 1..=WRITERS {
        arrive(&mut hub, n, &[("k", i64::try_from(n).unwrap())]);
        most = most.max(read(&mut hub).siblings.len());
        // A function that takes as long as ten writes.
        if n % 10 == 0 {
            calls += 1;
            answer(&mut hub);
        }
    }
    while !hub.merges.is_empty() {
        calls += 1;
        answer(&mut hub);
    }
    assert_eq!(hub.value("k"), Some(Value::Int(60)));
    assert_eq!(calls, 7);
    // What came during the call before, during this one, and what was made of the rest.
    assert!(most <= 10 + 10 + 1, "{most} values beside each other");
}

#[test]
fn functions_wait_for_a_place_and_see_what_is_there_then() {
    let names = ["k", "l", "m", "n", "o"];
    let all = |value: i64| names.map(|name| (name, value));
    let mut hub = hub(2);
    arrive(&mut hub, 1, &all(1));
    arrive(&mut hub, 2, &all(2));
    assert_eq!(hub.merges.len(), 2, "two places");
    arrive(&mut hub, 3, &all(3));
    for _ in 0..2 {
        assert_eq!(hub.merges[0].1.len(), 2);
        answer(&mut hub);
        assert_eq!(hub.merges.len(), 2);
    }
    // The others were in line before the rest of the first two.
    for left in [3, 3, 3, 2, 2] {
        assert_eq!(hub.merges[0].1.len(), left);
        answer(&mut hub);
    }
    assert!(hub.merges.is_empty());
    assert!(
        names
            .iter()
            .all(|name| hub.value(name) == Some(Value::Int(3)))
    );
    // All at once after a restart, too.
    hub.govern(Vec::new());
    let mut keep = merge();
    keep.rule = Some(MergeRule::Causal);
    keep.merge = None;
    hub.govern(vec![keep]);
    arrive(&mut hub, 4, &all(4));
    hub.govern(vec![merge()]);
    assert_eq!(hub.merges.len(), 2);
    hub.merges.clear();
    hub.restart();
    assert_eq!(hub.merges.len(), 2);
    while !hub.merges.is_empty() {
        answer(&mut hub);
        assert!(hub.merges.len() <= 2);
    }
    assert!(
        names
            .iter()
            .all(|name| hub.value(name) == Some(Value::Int(4)))
    );
}

/// A call that nobody wants the answer of is at work all the same.
#[test]
fn a_function_that_is_named_no_more_has_its_place_until_it_answers() {
    let mut hub = hub(2);
    arrive(&mut hub, 1, &[("k", 1), ("l", 1)]);
    arrive(&mut hub, 2, &[("k", 2), ("l", 2)]);
    let mut other = merge();
    other.merge = Some("min".to_owned());
    hub.govern(vec![other]);
    assert_eq!(hub.merges.len(), 2, "no place for another");
    answer(&mut hub);
    assert_eq!(hub.merges.len(), 2, "its place is taken at once");
    assert_eq!(hub.value("k"), Some(Value::Int(2)), "and its answer void");
    assert_eq!(read(&mut hub).siblings.len(), 2);
    while !hub.merges.is_empty() {
        answer(&mut hub);
    }
    assert!(read(&mut hub).siblings.is_empty());
}

#[test]
fn a_function_that_fails_is_asked_again_and_less_and_less_often() {
    let mut hub = hub(16);
    arrive(&mut hub, 1, &[("k", 1)]);
    arrive(&mut hub, 2, &[("k", 2)]);
    for seconds in [10, 20, 40, 80, 160, 320, 640, 640] {
        fail(&mut hub, "out of reach");
        let due = hub.mono + Duration::from_secs(seconds);
        assert_eq!(hub.hub.poll_timeout(), Some(due));
        hub.pass(Duration::from_millis(seconds * 1_000 - 1));
        assert!(hub.merges.is_empty(), "not yet");
        hub.pass(Duration::from_millis(1));
        assert_eq!(hub.merges.len(), 1, "after {seconds} s");
        let state = read(&mut hub);
        assert_eq!(state.siblings.len(), 2);
        assert_eq!(state.metadata.unmerged.as_deref(), Some("out of reach"));
    }
    answer(&mut hub);
    let state = read(&mut hub);
    assert_eq!((state.siblings.len(), state.metadata.unmerged), (0, None));
    assert_eq!(hub.hub.poll_timeout(), None);
    // The next failure is a first one.
    arrive(&mut hub, 3, &[("k", 3)]);
    fail(&mut hub, "out of reach");
    let due = hub.mono + Duration::from_secs(10);
    assert_eq!(hub.hub.poll_timeout(), Some(due));
    // Others are a reason not to wait, one value is a reason not to ask.
    let mut last = arrive(&mut hub, 4, &[("k", 4)]);
    assert_eq!(hub.merges.len(), 1);
    fail(&mut hub, "out of reach");
    last.write("k", put(5));
    talk(&mut hub, &mut [&mut last]);
    let state = read(&mut hub);
    assert_eq!((state.siblings.len(), state.metadata.unmerged), (0, None));
    hub.pass(Duration::from_hours(1));
    assert!(hub.merges.is_empty());
    assert_eq!(hub.hub.poll_timeout(), None);
}

/// A service that was away is not met by everybody at once when it is back.
#[test]
fn a_herd_that_failed_comes_back_in_line() {
    let names: Vec<String> = (0..50).map(|n| format!("k-{n}")).collect();
    let all = |value: i64| -> Vec<(&str, i64)> {
        names.iter().map(|name| (name.as_str(), value)).collect()
    };
    let mut hub = hub(4);
    arrive(&mut hub, 1, &all(1));
    arrive(&mut hub, 2, &all(2));
    for _ in &names {
        fail(&mut hub, "took too long");
    }
    assert!(hub.merges.is_empty());
    hub.pass(Duration::from_secs(10));
    assert_eq!(hub.merges.len(), 4);
    while !hub.merges.is_empty() {
        answer(&mut hub);
        assert!(hub.merges.len() <= 4);
    }
    assert!(
        names
            .iter()
            .all(|name| hub.value(name) == Some(Value::Int(2)))
    );
}

/// It was asked again for ever, and made the same each time.
#[test]
fn a_bound_that_was_lowered_keeps_no_values_from_being_merged() {
    let mut hub = hub(16);
    for (n, text) in [(1, "a".repeat(60)), (2, "b".repeat(60))] {
        let mut agent = AgentSide::new(&format!("agent-{n}"));
        agent.write("k", put(text));
        agent.connect(&mut hub, n);
        talk(&mut hub, &mut [&mut agent]);
    }
    let mut lowered = merge();
    lowered.max_value_bytes = Some(20);
    hub.govern(vec![lowered]);
    // What is larger than all that is there is refused as before.
    let (ticket, _) = hub.merges.remove(0);
    let larger = Ok("c".repeat(61).into());
    hub.hub.handle_merged(hub.now(), ticket, larger);
    hub.settle();
    let state = read(&mut hub);
    assert_eq!(state.siblings.len(), 2);
    let reason = state.metadata.unmerged.expect("it was told");
    assert!(reason.contains("the limit is 63"), "{reason}");
    hub.pass(Duration::from_secs(10));
    let (ticket, siblings) = hub.merges.remove(0);
    let chosen = siblings[1].value.clone();
    hub.hub.handle_merged(hub.now(), ticket, Ok(chosen.clone()));
    hub.settle();
    let state = read(&mut hub);
    assert_eq!((state.siblings.len(), state.value), (0, Some(chosen)));
    assert_eq!(hub.hub.poll_timeout(), None);
}
