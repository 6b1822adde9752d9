//! Deletes of counters: a contribution that was made without knowledge of one stands for what it has removed
//! as well, and the delete says how much that is.

use std::time::Duration;

use sync_core::{Ask, MergeRule, Operation, Ttl};

use crate::graves::graves;
use crate::stage::{AgentSide, HubSide, assert_equal, key, policy, put, talk, trio};

/// `a` has added 10, which `b` has seen, and is cut off.
fn counted() -> (HubSide, AgentSide, AgentSide) {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", Operation::Add(10));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("k"), Some(10.into()));
    a.cut(&mut hub);
    (hub, a, b)
}

fn assert_reads(hub: &HubSide, agents: &[&AgentSide], expected: Option<i64>) {
    assert_equal(hub, agents);
    let expected = expected.map(Into::into);
    assert_eq!(hub.value("k"), expected);
    for agent in agents {
        assert_eq!(agent.value("k"), expected);
    }
}

#[test]
fn what_was_deleted_does_not_come_back_with_the_next_addition() {
    for restart in [false, true] {
        let (mut hub, mut a, mut b) = counted();
        b.write("k", Operation::Delete);
        talk(&mut hub, &mut [&mut b]);
        assert_reads(&hub, &[&b], None);
        assert_eq!(graves(&hub), 1);
        if restart {
            hub.restart();
            b.reconnect(&mut hub, 12);
        }
        a.write("k", Operation::Add(5));
        assert_eq!(a.value("k"), Some(15.into()), "it cannot know");
        a.connect(&mut hub, 11);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_reads(&hub, &[&a, &b], Some(5));
        a.write("k", Operation::Add(1));
        b.write("k", Operation::Add(100));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_reads(&hub, &[&a, &b], Some(106));
        // Whoever adds anew has no part in what was deleted.
        a.restart();
        a.reconnect(&mut hub, 13);
        a.write("k", Operation::Add(1));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_reads(&hub, &[&a, &b], Some(107));
        b.write("k", Operation::Delete);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_reads(&hub, &[&a, &b], None);
        // The key is free for anything.
        a.write("k", put("plain"));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(b.value("k"), Some("plain".into()));
        assert!(a.receipts.is_empty() && b.receipts.is_empty());
    }
}

#[test]
fn a_delete_that_comes_after_the_next_addition_removes_what_it_had_seen() {
    let (mut hub, mut a, mut b) = counted();
    b.cut(&mut hub);
    b.write("k", Operation::Delete);
    a.write("k", Operation::Add(5));
    a.connect(&mut hub, 11);
    talk(&mut hub, &mut [&mut a]);
    assert_reads(&hub, &[&a], Some(15));
    b.connect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_reads(&hub, &[&a, &b], Some(5));
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
}

#[test]
fn two_deletes_of_the_same_remove_it_once() {
    let (mut hub, mut a, mut b) = counted();
    let mut c = AgentSide::new("c");
    c.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut b, &mut c]);
    a.write("k", Operation::Add(5));
    for agent in [&mut b, &mut c] {
        agent.cut(&mut hub);
        agent.write("k", Operation::Delete);
    }
    for (n, agent) in [(11, &mut a), (12, &mut b), (13, &mut c)] {
        agent.connect(&mut hub, n);
    }
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    assert_reads(&hub, &[&a, &b, &c], Some(5));
}

/// However the hub itself comes to delete.
#[test]
fn nor_does_what_the_hub_was_asked_to_delete_or_what_has_ended() {
    type Delete = fn(&mut HubSide);
    let deletes: [Delete; 2] = [
        |hub| drop(hub.ask(Ask::Clear(Some(key("k"))))),
        |hub| {
            let ttl = Ttl {
                after: Duration::from_secs(1),
                refresh: false,
            };
            let lasting = policy("k", |p| p.ttl = Some(ttl));
            hub.govern(vec![lasting]);
            hub.pass(Duration::from_secs(2));
        },
    ];
    for end in deletes {
        let (mut hub, mut a, mut b) = counted();
        end(&mut hub);
        hub.settle();
        talk(&mut hub, &mut [&mut b]);
        assert_reads(&hub, &[&b], None);
        a.write("k", Operation::Add(5));
        a.connect(&mut hub, 11);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_reads(&hub, &[&a, &b], Some(5));
    }
}

#[test]
fn a_counter_by_policy_is_no_other() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![policy("k", |p| p.rule = Some(MergeRule::Counter))]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.write("k", Operation::Add(10));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    b.write("k", Operation::Delete);
    a.write("k", Operation::Add(5));
    talk(&mut hub, &mut [&mut b]);
    a.connect(&mut hub, 11);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_reads(&hub, &[&a, &b], Some(5));
}
