//! What a hub counts of its work, as the status tells it.

use std::time::Duration;

use sync_core::{Activity, Answer, Ask, HubStatus, MergeRule, Operation, RuleConflicts, Value};

use crate::stage::{HubSide, meet, put, talk, trio};

fn status(hub: &mut HubSide) -> HubStatus {
    match hub.ask(Ask::Status) {
        Some(Ok(Answer::Status(status))) => *status,
        other => panic!("no status: {other:?}"),
    }
}

fn activity(hub: &mut HubSide) -> Activity {
    status(hub).activity
}

fn lag(hub: &mut HubSide, name: &str) -> Option<u64> {
    let members = status(hub).members;
    let member = members.into_iter().find(|m| m.agent.as_str() == name);
    member.expect("it is on the roster").lag
}

#[test]
fn a_write_that_lost_is_counted_by_the_rule_that_decided() {
    let (mut hub, mut a, mut b) = trio();
    meet(&mut hub, &mut a, &mut b, put(1), put(2));
    let by_rule = activity(&mut hub).conflicts;
    let lww = MergeRule::Lww;
    assert_eq!(
        by_rule,
        [RuleConflicts {
            rule: lww,
            writes: 1
        }]
    );
    // What loses nothing is no conflict.
    a.write("n", Operation::Add(1));
    b.write("n", Operation::Add(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let told = activity(&mut hub);
    assert_eq!(told.conflicts_in_all(), 1);
    assert_eq!(told.refused, 0);
    // What the key's rule does not take is refused, and decided against nobody.
    a.cut(&mut hub);
    b.cut(&mut hub);
    a.write("other", put(1));
    b.write("other", Operation::Add(1));
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a]);
    b.connect(&mut hub, 6);
    talk(&mut hub, &mut [&mut b]);
    let told = activity(&mut hub);
    assert_eq!((told.conflicts_in_all(), told.refused), (1, 1));
}

#[test]
fn every_commit_is_counted_and_nothing_else() {
    let (mut hub, mut a, mut b) = trio();
    assert_eq!(activity(&mut hub).commits, 0);
    for n in 1..=3 {
        a.write("k", put(n));
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    assert_eq!(activity(&mut hub).commits, 3);
    hub.sync(&["k"], Some(1_000));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(activity(&mut hub).commits, 3, "a round that finds nothing");
}

#[test]
fn a_round_is_complete_incomplete_or_has_failed() {
    let (mut hub, mut a, mut b) = trio();
    hub.sync(&["k"], Some(1_000));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.sync(&["k"], Some(1_000));
    // One of them is silent until the deadline.
    talk(&mut hub, &mut [&mut a]);
    hub.pass(Duration::from_secs(1));
    hub.sync(&["k"], Some(1_000));
    hub.said.clear();
    hub.pass(Duration::from_secs(1));
    let rounds = activity(&mut hub).rounds;
    assert_eq!(rounds.run, 3);
    assert_eq!(
        (rounds.complete, rounds.incomplete, rounds.failed),
        (1, 1, 1)
    );
    assert_eq!(rounds.elapsed_ms, 2_000);
    let told = hub.ended_rounds.iter().map(|ended| ended.outcome.name());
    assert_eq!(
        told.collect::<Vec<_>>(),
        ["complete", "incomplete", "failed"]
    );
    assert!(hub.open_rounds.is_empty(), "each has ended");
}

#[test]
fn an_answer_that_brings_nothing_spares_what_is_there() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put("x".repeat(1_000)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.sync(&["k"], Some(1_000));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let same = activity(&mut hub).same;
    assert_eq!(same.answers, 2);
    assert!((2_000..2_500).contains(&same.saved_bytes), "{same:?}");
    // One that brings something is not the same.
    a.write("k", put(1));
    a.said.clear();
    hub.sync(&["k"], Some(1_000));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(activity(&mut hub).same.answers, 3);
}

#[test]
fn a_delta_spares_the_rest_of_a_large_value_and_of_the_swarm() {
    let (mut hub, mut a, mut b) = trio();
    for n in 0..100 {
        a.write("set", Operation::Insert(Value::Int(n)));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    let before = activity(&mut hub).delta;
    a.write("set", Operation::Insert(Value::Int(1_000)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let after = activity(&mut hub).delta;
    assert_eq!(after.sent - before.sent, 2, "to both of them");
    let one = (after.sent_bytes - before.sent_bytes) / 2;
    let all = (after.whole_bytes - before.whole_bytes) / 2;
    assert!(one * 90 < all, "{one} of {all}");
    // Who comes back asks for what has changed, not for all there is.
    b.cut(&mut hub);
    a.write("other", put(1));
    talk(&mut hub, &mut [&mut a]);
    let before = activity(&mut hub).delta;
    b.connect(&mut hub, 7);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let after = activity(&mut hub).delta;
    let spared = after.saved_bytes() - before.saved_bytes();
    assert!(spared > one * 90, "{spared}");
}

#[test]
fn an_agent_is_behind_by_what_it_has_not_confirmed() {
    let (mut hub, mut a, mut b) = trio();
    assert_eq!(lag(&mut hub, "a"), Some(0), "there is nothing yet");
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(lag(&mut hub, "b"), Some(0));
    for n in 2..=4 {
        a.write("k", put(n));
        // b hears it and says nothing.
        talk(&mut hub, &mut [&mut a]);
    }
    assert_eq!((lag(&mut hub, "a"), lag(&mut hub, "b")), (Some(0), Some(3)));
    hub.restart();
    assert_eq!(lag(&mut hub, "b"), None, "nobody knows");
}
