//! A delete that the hub decides is a delete like any other: what is older loses against it, what is
//! newer stands, and neither without a word.

use std::time::Duration;

use sync_core::{Expectation, MergeRule, Operation, Reason};
use sync_protocol::KeyState;

use crate::claims::claim;
use crate::deciding::{cas, commit, decide, delete, expect};
use crate::graves::graves;
use crate::stage::{
    AgentSide, HubSide, assert_equal, key, only_receipt, policy, put, talk, trio, winner,
};

/// `a` has it deleted if it is of the first version.
fn decide_to_delete(hub: &mut HubSide, a: &mut AgentSide, name: &str) {
    let ask = commit(vec![expect(name, 1)], vec![delete(name)]);
    decide(hub, &mut [a], ask).expect("it is of the first version");
}

#[test]
fn it_wins_over_an_older_write_that_comes_after_it() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put("base"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    b.write("k", put("old"));
    hub.mono += Duration::from_secs(1);
    decide_to_delete(&mut hub, &mut a, "k");
    hub.restart();
    a.reconnect(&mut hub, 11);
    b.connect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(hub.value("k"), None);
    let receipt = only_receipt(&b);
    let (delete, value) = winner(receipt);
    assert_eq!((delete.writer.agent().as_str(), value), ("a", None));
    assert!(a.receipts.is_empty(), "{:?}", a.receipts);
}

#[test]
fn a_newer_write_that_has_not_seen_it_stands_and_whoever_had_it_deleted_hears() {
    let (mut hub, mut a, mut b) = trio();
    decide(&mut hub, &mut [&mut a, &mut b], cas("k", 0, 1)).unwrap();
    b.cut(&mut hub);
    decide_to_delete(&mut hub, &mut a, "k");
    let mut c = AgentSide::new("c");
    c.mono += Duration::from_secs(1);
    c.write("k", put("newer"));
    c.connect(&mut hub, 13);
    b.connect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    assert_equal(&hub, &[&a, &b, &c]);
    assert_eq!(hub.value("k"), Some("newer".into()));
    assert_eq!(winner(only_receipt(&a)).1, Some(&"newer".into()));
    assert_eq!(graves(&hub), 0, "what is older loses against the write");
    b.write("k", put("plain"));
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    assert_eq!(hub.value("k"), Some("plain".into()), "a key like any other");
}

/// Nothing plain gets in whatever was deleted: there is nothing to remember a delete for.
#[test]
fn a_policy_refuses_the_older_write_as_well_and_costs_no_grave() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    b.write("cas.x", put("old"));
    let rule = MergeRule::Authority;
    hub.govern(vec![policy("cas.*", |p| p.rule = Some(rule))]);
    decide(&mut hub, &mut [&mut a], cas("cas.x", 0, 1)).unwrap();
    decide_to_delete(&mut hub, &mut a, "cas.x");
    assert_eq!((hub.value("cas.x"), graves(&hub)), (None, 0));
    b.connect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(hub.value("cas.x"), None);
    assert_eq!(only_receipt(&b).reason, Reason::RuleMismatch { rule });
    assert!(a.receipts.is_empty(), "{:?}", a.receipts);
}

/// A table of jobs is claimed and deleted for ever: what is left of a task is what is left of any key
/// that was deleted, however often.
#[test]
fn a_task_that_was_claimed_and_deleted_leaves_what_any_deleted_key_leaves() {
    let left = |hub: &HubSide| {
        let entry = hub.hub.keyspace().get(&key("task")).map(KeyState::entry);
        let entry = entry.expect("it was there");
        let spans = entry.context().spans().len();
        (entry.live_count(), spans, graves(hub))
    };
    let (mut hub, mut a, _b) = trio();
    a.write("task", put(1));
    a.write("task", Operation::Delete);
    talk(&mut hub, &mut [&mut a]);
    let plainly = left(&hub);
    assert_eq!(plainly, (0, 1, 1));

    let (mut hub, mut a, _b) = trio();
    for _ in 0..100 {
        let held = claim(&mut hub, &mut [&mut a], 1_000).unwrap();
        let expect = Expectation::Claim {
            key: key("task"),
            token: held.token,
        };
        let done = commit(vec![expect], vec![delete("task")]);
        decide(&mut hub, &mut [&mut a], done).unwrap();
    }
    assert_eq!(left(&hub), plainly);
    assert!(a.receipts.is_empty(), "{:?}", a.receipts);
}
