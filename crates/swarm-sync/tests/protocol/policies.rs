//! What a table of policies changes: rules, bounds, durability, concurrent values.

use std::time::Duration;

use sync_core::{
    Ask, Durability, Key, MergeRule, OnConcurrent, Operation, Policy, Reason, RequestError, Value,
};
use sync_protocol::Outcome;

use crate::stage::{
    AgentSide, HubSide, assert_equal, key, meet, only_receipt, policy, put, talk, trio,
};

fn keep(pattern: &str) -> Policy {
    policy(pattern, |p| p.rule = Some(MergeRule::Causal))
}

#[test]
fn agents_learn_the_table_at_once_and_keep_it_while_cut_off() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    hub.govern(vec![policy("n*", |p| p.rule = Some(MergeRule::Counter))]);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.replica.policies(), hub.hub.policies());
    assert!(b.replica.policies().is_empty());
    b.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.replica.policies(), hub.hub.policies());
    b.restart();
    assert_eq!(b.replica.policies(), hub.hub.policies());
    let refused = b.begin("n1", put("text"));
    b.settle();
    let refused = b.answer(refused).expect("answered");
    assert!(
        matches!(refused, Err(RequestError::Operation { .. })),
        "{refused:?}"
    );
}

/// Its writer had not heard of the table yet.
#[test]
fn a_write_against_the_table_comes_back() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    b.write("n1", put("text"));
    hub.govern(vec![policy("n*", |p| p.rule = Some(MergeRule::Counter))]);
    b.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.receipts.len(), 1);
    let rule = MergeRule::Counter;
    assert_eq!(b.receipts[0].reason, Reason::RuleMismatch { rule });
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_bound_of_the_table_holds_at_the_agent_and_at_the_hub() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    b.write("k", put("x".repeat(100)));
    hub.govern(vec![policy("k", |p| p.max_value_bytes = Some(50))]);
    talk(&mut hub, &mut [&mut a]);
    let refused = a.begin("k", put("x".repeat(100)));
    let refused = a.answer(refused).expect("answered at once");
    assert!(
        matches!(refused, Err(RequestError::TooLarge { limit: 50, .. })),
        "{refused:?}"
    );
    b.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(matches!(
        b.receipts[0].reason,
        Reason::TooLarge { limit: 50, .. }
    ));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn concurrent_values_stay_until_somebody_who_saw_them_writes() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![keep("k")]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    meet(&mut hub, &mut a, &mut b, put("one"), put("two"));
    assert_equal(&hub, &[&a, &b]);
    let state = a.replica.get(a.now(), &key("k")).expect("a value");
    let values: Vec<_> = state.siblings.iter().map(|s| s.value.clone()).collect();
    assert_eq!(values, [Value::from("one"), Value::from("two")]);
    assert_eq!(state.value, Some("two".into()));
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
    a.write("k", put("both"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let state = b.replica.get(b.now(), &key("k")).expect("a value");
    assert_eq!(
        (state.value, state.siblings.len()),
        (Some("both".into()), 0)
    );
    // It was shown, so it was chosen.
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
}

#[test]
fn a_table_that_keeps_them_no_longer_lets_one_win() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![keep("k")]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    meet(&mut hub, &mut a, &mut b, put("one"), put("two"));
    hub.govern(Vec::new());
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.receipts.len(), 1);
    assert_eq!(hub.value("k"), Some("two".into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn fields_do_not_conflict_and_one_field_has_one_winner() {
    let (mut hub, mut a, mut b) = trio();
    let field = |name: &str, value: i64| Operation::PutField(name.to_owned(), value.into());
    meet(&mut hub, &mut a, &mut b, field("x", 1), field("y", 2));
    let map = |json| Some(Value::from_json(json).expect("a map"));
    assert_eq!(hub.value("k"), map(serde_json::json!({"x": 1, "y": 2})));
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
    a.cut(&mut hub);
    b.cut(&mut hub);
    a.write("k", field("x", 3));
    b.mono += Duration::from_millis(5);
    b.write("k", Operation::UnsetField("x".to_owned()));
    a.connect(&mut hub, 5);
    b.connect(&mut hub, 6);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), map(serde_json::json!({"y": 2})));
    assert_equal(&hub, &[&a, &b]);
    let receipt = only_receipt(&a);
    let told = serde_json::to_value(receipt).expect("json");
    assert_eq!((&told["field"], &told["value"]), (&"x".into(), &3.into()));
    assert!(b.receipts.is_empty());
    b.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), None);
    assert!(
        !hub.hub
            .keyspace()
            .get(&key("k"))
            .expect("known")
            .entry()
            .is_live()
    );
    assert_equal(&hub, &[&a, &b]);
    assert!(b.receipts.is_empty(), "{:?}", b.receipts);
}

#[test]
fn a_write_that_is_to_be_at_the_hub_is_acknowledged_there() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![policy("*", |p| p.durability = Some(Durability::Hub))]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let request = a.begin("k", put(1));
    a.settle();
    assert!(a.answer(request).is_none(), "it is only here");
    talk(&mut hub, &mut [&mut a, &mut b]);
    let Some(Ok(Outcome::Written(ack))) = a.answer(request) else {
        panic!("no acknowledgement")
    };
    assert_eq!(ack.durability, Durability::Hub);
    a.cut(&mut hub);
    let request = a.begin("k", put(2));
    a.settle();
    a.pass(Duration::from_secs(11));
    let late = a.answer(request).expect("the wait has an end");
    assert!(
        matches!(late, Err(RequestError::Unreached { .. })),
        "{late:?}"
    );
}

#[test]
fn a_write_that_memory_is_enough_for_waits_for_no_disk() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![policy("*", |p| {
        p.durability = Some(Durability::Memory);
    })]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let request = a.begin("k", put(1));
    let Some(Ok(Outcome::Written(ack))) = a.answer(request) else {
        panic!("no acknowledgement")
    };
    assert_eq!(ack.durability, Durability::Memory);
}

#[test]
fn what_on_concurrent_says_holds_for_causal_values() {
    let (mut hub, mut a, mut b) = trio();
    let lww = policy("k", |p| {
        p.rule = Some(MergeRule::Causal);
        p.on_concurrent = Some(OnConcurrent::Lww);
    });
    hub.govern(vec![lww]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    meet(&mut hub, &mut a, &mut b, put(1), put(2));
    assert_eq!(a.receipts.len(), 1);
    let answer = hub.ask(Ask::Version(Key::new("k").expect("a key")));
    assert!(matches!(
        answer,
        Some(Ok(sync_core::Answer::Version(Some(_))))
    ));
    assert_eq!(hub.value("k"), Some(Value::Int(2)));
}

/// A sentence about the limit names whose it may be, and one about the rule does not say to delete where
/// deleting does not help.
#[test]
fn what_a_policy_refuses_is_said_to_be_the_policys() {
    let (mut hub, mut a, mut b) = trio();
    a.write("held", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    b.write("small", put("x".repeat(100)));
    hub.govern(vec![
        policy("small", |p| p.max_value_bytes = Some(50)),
        policy("text", |p| p.rule = Some(MergeRule::Lww)),
        policy("held", |p| p.rule = Some(MergeRule::Map)),
    ]);
    b.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let receipt = b.receipts[0].to_string();
    assert!(
        receipt.contains("over the limit of 50 for \"small\""),
        "{receipt}"
    );
    let refused = |hub: &mut HubSide, a: &mut AgentSide, name: &str, operation: &Operation| {
        let asked = a.begin(name, operation.clone());
        let here = a.answer(asked).expect("answered at once").err();
        let ask = Ask::Write {
            key: key(name),
            operation: operation.clone(),
            metadata: None,
        };
        let there = hub.ask(ask).and_then(Result::err);
        assert_eq!(here, there);
        here.expect("it is refused").to_string()
    };
    let large = refused(&mut hub, &mut a, "small", &put("x".repeat(100)));
    assert!(large.contains("the key's policy"), "{large}");
    let field = Operation::PutField("f".to_owned(), Value::Int(1));
    let never = refused(&mut hub, &mut a, "text", &field);
    assert!(
        never.contains("`put` does not fit a key under the rule lww, which its policy"),
        "{never}"
    );
    let not_yet = refused(&mut hub, &mut a, "held", &field);
    assert!(not_yet.ends_with("or delete this one first"), "{not_yet}");
    let neither = refused(&mut hub, &mut a, "held", &Operation::Add(1));
    assert!(
        neither.contains("does not fit a key under the rule map, which its policy"),
        "{neither}"
    );
}

/// Nobody reads the policies of a hub that has stopped, be they asked for before the write that fails or
/// behind it.
#[test]
fn who_waits_for_the_policies_is_told_when_the_store_fails() {
    for asked_first in [true, false] {
        let (mut hub, mut a, _b) = trio();
        let ask = |hub: &mut HubSide| {
            hub.hub.handle_ask(hub.now(), 7, Ask::ReloadPolicies);
            hub.drain();
        };
        if asked_first {
            ask(&mut hub);
        }
        a.write("k", put(1));
        for message in std::mem::take(&mut a.said) {
            hub.hear(a.session.expect("connected"), message);
        }
        let token = hub.disk.complete().expect("a batch is under way");
        if !asked_first {
            ask(&mut hub);
        }
        assert_eq!(hub.take_answer(7), None);
        hub.hub
            .handle_persisted(hub.now(), token, Err("gone".to_owned()));
        hub.drain();
        let reason = "gone".to_owned();
        let stopped = RequestError::Stopped { reason };
        assert_eq!(hub.take_answer(7), Some(Err(stopped)));
        // What is read all the same is nobody's any more.
        let table = std::sync::Arc::clone(hub.hub.policies());
        hub.hub.handle_policies(hub.now(), Ok(table));
        hub.drain();
        assert!(hub.answers.is_empty(), "{:?}", hub.answers);
    }
}
