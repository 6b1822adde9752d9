//! What a new table of policies does to what is there already: found by the simulation, told by hand.

use std::time::Duration;

use sync_core::{Answer, Ask, MergeRule, Operation, Pattern, Policy, Reason, Receipt, Value};

use crate::stage::{assert_equal, key, put, talk, trio};

fn merged_by(function: &str) -> Policy {
    let mut policy = Policy::new(Pattern::new("*").expect("a pattern"));
    policy.rule = Some(MergeRule::Custom);
    policy.merge = Some(function.to_owned());
    policy
}

/// A table that names another function does not wait for other values, be the first one still at work or
/// has it failed.
#[test]
fn a_function_is_asked_as_soon_as_the_table_names_it() {
    for failed in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        hub.govern(vec![merged_by("wrong")]);
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        a.write("k", put(1));
        b.write("k", put(2));
        a.connect(&mut hub, 3);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let (wrong, _) = hub.merges.pop().expect("a merge was asked for");
        if failed {
            let no = Err("no idea".to_owned());
            hub.hub.handle_merged(hub.now(), wrong, no);
        }
        hub.govern(vec![merged_by("right")]);
        let (right, _) = hub.merges.pop().expect("the other function is asked");
        hub.hub.handle_merged(hub.now(), wrong, Ok(Value::Int(8)));
        hub.hub.handle_merged(hub.now(), right, Ok(Value::Int(9)));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(hub.value("k"), Some(Value::Int(9)));
        assert_equal(&hub, &[&a, &b]);
        let by_right =
            |r: &Receipt| matches!(&r.reason, Reason::Merged { by, .. } if by == "right");
        assert!(a.receipts.iter().chain(&b.receipts).all(by_right));
    }
}

/// As long as a value is there that the table's rule does not hold, its own rule goes on.
#[test]
fn a_value_that_the_table_does_not_fit_can_be_replaced() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let mut counter = Policy::new(Pattern::new("*").expect("a pattern"));
    counter.rule = Some(MergeRule::Counter);
    hub.govern(vec![counter]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let ask = Ask::Write {
        key: key("k"),
        operation: put(2),
        metadata: None,
    };
    assert!(matches!(hub.ask(ask), Some(Ok(Answer::Written(_)))));
    assert_eq!(hub.value("k"), Some(Value::Int(2)), "it was acknowledged");
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("k", put(3));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(Value::Int(3)));
    assert!(b.receipts.is_empty(), "{:?}", b.receipts);
    b.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("k", Operation::Add(4));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(Value::Int(4)));
    assert_equal(&hub, &[&a, &b]);
}

/// The delete was made before there was a table, or by an agent that had not heard of it.
#[test]
fn values_that_are_kept_do_not_lose_against_an_earlier_rules_delete() {
    let mut keep = Policy::new(Pattern::new("*").expect("a pattern"));
    keep.rule = Some(MergeRule::Causal);
    for table_first in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        a.write("k", put(1));
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        a.mono += Duration::from_millis(5);
        a.write("k", Operation::Delete);
        if table_first {
            hub.govern(vec![keep.clone()]);
            b.write("k", put(2));
            talk(&mut hub, &mut [&mut b]);
        }
        b.cut(&mut hub);
        b.write("k", put(3));
        a.connect(&mut hub, 3);
        talk(&mut hub, &mut [&mut a]);
        hub.govern(vec![keep.clone()]);
        b.connect(&mut hub, 4);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(hub.value("k"), Some(Value::Int(3)), "{table_first}");
        assert!(b.receipts.is_empty(), "{:?}", b.receipts);
        assert_equal(&hub, &[&a, &b]);
    }
}

#[test]
fn a_table_changed_while_the_hub_was_down_decides_what_was_kept() {
    let (mut hub, mut a, mut b) = trio();
    let mut keep = Policy::new(Pattern::new("*").expect("a pattern"));
    keep.rule = Some(MergeRule::Causal);
    hub.govern(vec![keep]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    b.write("k", put(1));
    a.mono += Duration::from_millis(5);
    a.write("k", put(2));
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.policies = std::sync::Arc::default();
    hub.restart();
    hub.pass(Duration::from_millis(1));
    for (agent, session) in [(&mut a, 7), (&mut b, 8)] {
        agent.session = None;
        agent.replica.handle_link_down(agent.now());
        agent.connect(&mut hub, session);
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    let state = hub.hub.keyspace().get(&key("k")).expect("known");
    assert_eq!(state.entry().live_count(), 1);
    assert_eq!((a.receipts.len(), b.receipts.len()), (0, 1));
    assert_equal(&hub, &[&a, &b]);
}
