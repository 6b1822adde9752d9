//! Functions that merge, because a table says so.

use sync_core::{MergeRule, Policy, Reason, Value};

use crate::stage::{assert_equal, key, meet, only_receipt, policy, put, talk, trio};

fn merge() -> Policy {
    policy("*", |p| {
        p.rule = Some(MergeRule::Custom);
        p.merge = Some("max".to_owned());
    })
}

#[test]
fn a_function_makes_one_value_of_several() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![merge()]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    meet(&mut hub, &mut a, &mut b, put(1), put(2));
    let (ticket, siblings) = hub.merges.pop().expect("a merge was asked for");
    assert!(hub.merges.is_empty());
    assert_eq!(siblings.len(), 2);
    hub.hub.handle_merged(hub.now(), ticket, Ok(Value::Int(3)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(
        (a.value("k"), b.value("k")),
        (Some(Value::Int(3)), Some(Value::Int(3)))
    );
    assert_equal(&hub, &[&a, &b]);
    for agent in [&a, &b] {
        let receipt = only_receipt(agent);
        assert!(
            matches!(&receipt.reason, Reason::Merged { by, .. } if by == "max"),
            "{receipt}"
        );
    }
    assert!(hub.merges.is_empty(), "one value needs no merge");
}

/// It says so, keeps what there is, and tries again once there is something else.
#[test]
fn a_function_that_fails_leaves_the_values() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![merge()]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    meet(&mut hub, &mut a, &mut b, put(1), put(2));
    let (ticket, _) = hub.merges.pop().expect("a merge was asked for");
    hub.hub
        .handle_merged(hub.now(), ticket, Err("no idea".to_owned()));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let answer = hub.ask(sync_core::Ask::Get(key("k")));
    let Some(Ok(sync_core::Answer::State(Some(state)))) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(state.siblings.len(), 2);
    assert_eq!(state.metadata.unmerged.as_deref(), Some("no idea"));
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
    // Asked anew after a restart, and when the values are others.
    hub.restart();
    let (ticket, _) = hub.merges.pop().expect("asked anew");
    a.reconnect(&mut hub, 7);
    b.reconnect(&mut hub, 8);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.write("k", put(9));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(Value::Int(9)));
    // Too late: those it was given are gone.
    hub.hub.handle_merged(hub.now(), ticket, Ok(Value::Int(3)));
    hub.settle();
    assert_eq!(hub.value("k"), Some(Value::Int(9)));
}

#[test]
fn a_merged_value_that_is_no_value_counts_as_a_failure() {
    let (mut hub, mut a, mut b) = trio();
    let mut small = merge();
    small.max_value_bytes = Some(20);
    hub.govern(vec![small]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    meet(&mut hub, &mut a, &mut b, put(1), put(2));
    let (ticket, _) = hub.merges.pop().expect("a merge was asked for");
    let large = Value::from("x".repeat(100));
    hub.hub.handle_merged(hub.now(), ticket, Ok(large));
    hub.settle();
    let state = hub.hub.keyspace().get(&key("k")).expect("known");
    assert_eq!(state.entry().live_count(), 2);
}
