//! Values that end, because a table says so.

use std::time::Duration;

use sync_core::{
    Answer, Ask, ChangeKind, Operation, Pattern, Policy, Since, StateVersion, Ttl, Value,
};

use crate::claims::claim;
use crate::stage::{AgentSide, HubSide, assert_equal, policy, put, talk, trio};

fn ends(seconds: u64, refresh: bool) -> Policy {
    let after = Duration::from_secs(seconds);
    policy("*", |p| p.ttl = Some(Ttl { after, refresh }))
}

fn beat(hub: &mut HubSide, agents: &mut [&mut AgentSide]) {
    for agent in agents.iter_mut() {
        agent.pass(Duration::from_secs(2));
    }
    talk(hub, agents);
}

#[test]
fn a_value_ends_by_the_hubs_clock() {
    for refresh in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        hub.govern(vec![ends(10, refresh)]);
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.write("k", put(1));
        talk(&mut hub, &mut [&mut a, &mut b]);
        hub.pass(Duration::from_secs(6));
        hub.settle();
        b.write("k", put(2));
        talk(&mut hub, &mut [&mut a, &mut b]);
        hub.restart();
        a.reconnect(&mut hub, 7);
        b.reconnect(&mut hub, 8);
        hub.pass(Duration::from_secs(6));
        talk(&mut hub, &mut [&mut a, &mut b]);
        let left = refresh.then_some(Value::Int(2));
        assert_eq!(hub.value("k"), left, "refreshed {refresh}");
        hub.pass(Duration::from_secs(6));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(hub.value("k"), None);
        assert_eq!((a.value("k"), b.value("k")), (None, None));
        assert_equal(&hub, &[&a, &b]);
        beat(&mut hub, &mut [&mut a, &mut b]);
        assert!(
            a.receipts.is_empty() && b.receipts.is_empty(),
            "it was to end"
        );
        // A new life.
        a.write("k", put(3));
        talk(&mut hub, &mut [&mut a, &mut b]);
        hub.pass(Duration::from_secs(9));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(b.value("k"), Some(Value::Int(3)));
        assert!(hub.hub.poll_timeout().is_some());
    }
}

/// A hub that has just started knows of no moment before that.
#[test]
fn a_lifetime_that_a_start_brings_is_looked_at_when_it_ends() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.govern(vec![ends(10, true)]);
    hub.restart();
    hub.settle();
    let due = hub.hub.poll_timeout().expect("a value is to end");
    let wait = due.saturating_sub(hub.now().mono);
    assert!(wait <= Duration::from_secs(10), "{wait:?}");
}

/// A write that the hub had not heard of when the key ended is not what ended.
#[test]
fn what_was_not_there_does_not_end() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![ends(10, false)]);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    b.write("k", put(2));
    hub.pass(Duration::from_secs(11));
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.value("k"), None);
    b.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.value("k"), Some(Value::Int(2)));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_table_changed_while_the_hub_was_down_holds_when_it_is_back() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.govern(vec![ends(10, false)]);
    hub.restart();
    assert!(hub.hub.poll_timeout().is_some());
    hub.pass(Duration::from_secs(11));
    hub.settle();
    assert_eq!(hub.value("k"), None);
}

/// What is stored is from when a lifetime counts; how long it is, the table says that is in force.
#[test]
fn another_table_lengthens_and_shortens_the_lives_that_are_there() {
    for refresh in [false, true] {
        for restart in [false, true] {
            let (mut hub, mut a, mut b) = trio();
            hub.govern(vec![ends(3, refresh)]);
            a.write("k", put(1));
            talk(&mut hub, &mut [&mut a, &mut b]);
            let mut wait = |hub: &mut HubSide, seconds: u64| {
                hub.pass(Duration::from_secs(seconds));
                talk(hub, &mut [&mut a, &mut b]);
                hub.value("k")
            };
            hub.govern(vec![ends(30, refresh)]);
            if restart {
                hub.restart();
            }
            assert!(wait(&mut hub, 20).is_some(), "it lives 30 seconds now");
            hub.govern(vec![ends(25, refresh)]);
            assert!(wait(&mut hub, 4).is_some(), "the 20 count, no more");
            assert_eq!(wait(&mut hub, 2), None, "{refresh} {restart}");
        }
    }
}

/// When the last write was made is not known where lifetimes count from the first one, and the other way
/// round.
#[test]
fn a_lifetime_that_counts_from_something_else_begins_with_the_table() {
    for refresh in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        hub.govern(vec![ends(30, refresh)]);
        a.write("k", put(1));
        talk(&mut hub, &mut [&mut a, &mut b]);
        hub.pass(Duration::from_secs(20));
        hub.govern(vec![ends(10, !refresh)]);
        hub.pass(Duration::from_secs(9));
        hub.settle();
        assert!(hub.value("k").is_some(), "{refresh}");
        hub.pass(Duration::from_secs(2));
        hub.settle();
        assert_eq!(hub.value("k"), None);
    }
}

#[test]
fn a_write_under_a_longer_lifetime_leaves_its_beginning_alone() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![ends(3, false)]);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.govern(vec![ends(10, false)]);
    hub.pass(Duration::from_secs(6));
    a.write("k", put(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(Value::Int(2)));
    hub.pass(Duration::from_secs(5));
    hub.settle();
    assert_eq!(hub.value("k"), None);
}

/// What a watcher and a reader that were away are told of the one key there is.
fn told(hub: &mut HubSide) -> (ChangeKind, StateVersion) {
    let ask = Ask::Watch {
        pattern: Pattern::new("*").expect("a pattern"),
        from: Some(Since::START),
        wait_ms: 0,
    };
    let Some(Ok(Answer::Watched(watched))) = hub.ask(ask) else {
        panic!("there were changes")
    };
    let Some(Ok(Answer::Delta(mut delta))) = hub.ask(Ask::Delta(Since::START)) else {
        panic!("there were changes")
    };
    let change = watched.changes.last().expect("a change");
    (change.kind, delta.changes.remove(0))
}

/// Why there is no value is durable and told from any position, until something else happens.
#[test]
fn the_end_of_a_lifetime_keeps_its_reason() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![ends(10, false)]);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.pass(Duration::from_secs(11));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let expired = |hub: &mut HubSide| {
        let (kind, state) = told(hub);
        assert_eq!(state.value, None);
        assert_eq!(kind == ChangeKind::Expired, state.metadata.expired);
        state.metadata.expired
    };
    assert!(expired(&mut hub));
    // Neither a restart nor a table without lifetimes makes it a delete.
    hub.restart();
    assert!(expired(&mut hub));
    hub.govern(Vec::new());
    hub.restart();
    assert!(expired(&mut hub));
    a.reconnect(&mut hub, 7);
    b.reconnect(&mut hub, 8);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.write("k", put(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let (kind, state) = told(&mut hub);
    assert_eq!((kind, state.metadata.expired), (ChangeKind::Changed, false));
    a.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(!expired(&mut hub), "somebody has deleted it");
    hub.restart();
    assert!(!expired(&mut hub));
}

#[test]
fn what_is_cleared_has_not_expired() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![ends(10, false)]);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(matches!(
        hub.ask(Ask::Clear(None)),
        Some(Ok(Answer::Cleared(1)))
    ));
    let (kind, state) = told(&mut hub);
    assert_eq!((kind, state.metadata.expired), (ChangeKind::Deleted, false));
}

/// It is its holder's until its lease ends, whatever a table says of its key, when it says so, and whichever
/// run of the hub counts.
#[test]
fn a_claim_is_ended_by_its_lease_and_by_no_lifetime() {
    for (refresh, is_late, restarts) in [
        (false, false, true),
        (true, false, false),
        (false, true, true),
    ] {
        let (mut hub, mut a, mut b) = trio();
        let table = || vec![ends(2, refresh)];
        if !is_late {
            hub.govern(table());
        }
        claim(&mut hub, &mut [&mut a, &mut b], 10_000).unwrap();
        a.write("plain", put(1));
        talk(&mut hub, &mut [&mut a, &mut b]);
        if is_late {
            hub.govern(table());
        }
        talk(&mut hub, &mut [&mut a, &mut b]);
        if restarts {
            hub.restart();
            a.reconnect(&mut hub, 7);
            b.reconnect(&mut hub, 8);
        }
        for _ in 0..3 {
            hub.pass(Duration::from_secs(3));
            talk(&mut hub, &mut [&mut a, &mut b]);
        }
        assert_eq!(hub.value("plain"), None);
        let error = claim(&mut hub, &mut [&mut b, &mut a], 1).unwrap_err();
        assert_eq!(
            error.kind(),
            "claimed",
            "late {is_late}, refreshed {refresh}"
        );
        hub.pass(Duration::from_secs(1));
        talk(&mut hub, &mut [&mut a, &mut b]);
        claim(&mut hub, &mut [&mut b, &mut a], 1).unwrap();
    }
}
