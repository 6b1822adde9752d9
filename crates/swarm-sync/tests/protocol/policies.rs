//! What a table of policies changes.

use std::time::Duration;

use sync_core::{
    Durability, Key, MergeRule, OnConcurrent, Operation, Pattern, Policy, Reason, RequestError,
    Ttl, Value,
};
use sync_protocol::Outcome;

use crate::stage::{AgentSide, HubSide, assert_equal, key, put, talk, trio};

fn policy(pattern: &str, change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::new(Pattern::new(pattern).expect("a pattern"));
    change(&mut policy);
    policy
}

fn keep(pattern: &str) -> Policy {
    policy(pattern, |p| p.rule = Some(MergeRule::Causal))
}

fn ends(seconds: u64, refresh: bool) -> Policy {
    let after = Duration::from_secs(seconds);
    policy("*", |p| p.ttl = Some(Ttl { after, refresh }))
}

fn merge() -> Policy {
    policy("*", |p| {
        p.rule = Some(MergeRule::Custom);
        p.merge = Some("max".to_owned());
    })
}

/// Both write while cut off, then meet.
fn race(
    hub: &mut HubSide,
    a: &mut AgentSide,
    b: &mut AgentSide,
    first: Operation,
    last: Operation,
) {
    a.cut(hub);
    b.cut(hub);
    a.write("k", first);
    b.mono += Duration::from_millis(5);
    b.write("k", last);
    a.connect(hub, 3);
    b.connect(hub, 4);
    talk(hub, &mut [a, b]);
}

fn beat(hub: &mut HubSide, agents: &mut [&mut AgentSide]) {
    for agent in agents.iter_mut() {
        agent.pass(Duration::from_secs(2));
    }
    talk(hub, agents);
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
    race(&mut hub, &mut a, &mut b, put("one"), put("two"));
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
    race(&mut hub, &mut a, &mut b, put("one"), put("two"));
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
    race(&mut hub, &mut a, &mut b, field("x", 1), field("y", 2));
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
    let [receipt] = &a.receipts[..] else {
        panic!("{:?}", a.receipts)
    };
    let told = serde_json::to_value(receipt).expect("json");
    assert_eq!(
        (&told["field"], &told["discarded"]),
        (&"x".into(), &3.into())
    );
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
        for (agent, session) in [(&mut a, 7), (&mut b, 8)] {
            agent.session = None;
            agent.replica.handle_link_down(agent.now());
            agent.connect(&mut hub, session);
        }
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
        matches!(late, Err(RequestError::Deadline { .. })),
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
fn a_function_makes_one_value_of_several() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![merge()]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    race(&mut hub, &mut a, &mut b, put(1), put(2));
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
        let [receipt] = &agent.receipts[..] else {
            panic!("{:?}", agent.receipts)
        };
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
    race(&mut hub, &mut a, &mut b, put(1), put(2));
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
    for (agent, session) in [(&mut a, 7), (&mut b, 8)] {
        agent.session = None;
        agent.replica.handle_link_down(agent.now());
        agent.connect(&mut hub, session);
    }
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
    race(&mut hub, &mut a, &mut b, put(1), put(2));
    let (ticket, _) = hub.merges.pop().expect("a merge was asked for");
    let large = Value::from("x".repeat(100));
    hub.hub.handle_merged(hub.now(), ticket, Ok(large));
    hub.settle();
    let state = hub.hub.keyspace().get(&key("k")).expect("known");
    assert_eq!(state.entry().live_count(), 2);
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
    race(&mut hub, &mut a, &mut b, put(1), put(2));
    assert_eq!(a.receipts.len(), 1);
    let answer = hub.ask(sync_core::Ask::Version(Key::new("k").expect("a key")));
    assert!(matches!(
        answer,
        Some(Ok(sync_core::Answer::Version(Some(_))))
    ));
    assert_eq!(hub.value("k"), Some(Value::Int(2)));
}
