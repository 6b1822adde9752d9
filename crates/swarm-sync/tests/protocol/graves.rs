//! Deletes that have done their work, and writes that come after.

use std::time::Duration;

use sync_core::{MergeRule, Operation, Policy, RowOp, Value};

use crate::stage::{
    AgentSide, HubSide, assert_equal, hub_config, only_receipt, policy, put, race, talk, trio,
    trio_with, winner,
};

fn field(name: &str, value: i64) -> Operation {
    Operation::PutField(name.to_owned(), value.into())
}

fn unset(name: &str) -> Operation {
    Operation::UnsetField(name.to_owned())
}

fn is_grave(key: &[u8]) -> bool {
    key.first() == Some(&b'g')
}

/// How many graves the hub's disk holds.
pub(crate) fn graves(hub: &HubSide) -> usize {
    hub.disk.rows().filter(|row| is_grave(&row.key)).count()
}

/// What the hub's next batches take: rows of graves, all rows, bytes.
fn cost(hub: &mut HubSide, agent: &mut AgentSide) -> (usize, usize, usize) {
    for message in std::mem::take(&mut agent.said) {
        hub.hear(agent.session.expect("connected"), message);
    }
    let ops: Vec<&RowOp> = hub.disk.waiting().flat_map(|b| &b.ops).collect();
    let graves = ops.iter().filter(|op| match op {
        RowOp::Put { key, .. } | RowOp::Delete { key } => is_grave(key),
    });
    let bytes = hub.disk.waiting().map(sync_core::Batch::bytes).sum();
    (graves.count(), ops.len(), bytes)
}

fn value(hub: &HubSide, name: &str) -> Option<i64> {
    match hub.value("k")? {
        Value::Map(fields) => match fields.get(name)? {
            Value::Int(number) => Some(*number),
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    }
}

/// Of deletes in the same moment the one that was heard of first was kept.
#[test]
fn equal_stamps_are_judged_alike_in_every_order() {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut hub = HubSide::new();
        let mut agents = ["a", "b", "c"].map(AgentSide::new);
        for (session, agent) in (1..).zip(&mut agents) {
            agent.connect(&mut hub, session);
        }
        let [a, b, c] = &mut agents;
        a.write("k", field("x", 1));
        talk(&mut hub, &mut [&mut *a, &mut *b, &mut *c]);
        for agent in [&mut *a, &mut *b, &mut *c] {
            agent.cut(&mut hub);
            agent.mono += Duration::from_millis(5);
        }
        a.write("k", unset("x"));
        b.write("k", field("x", 2));
        c.write("k", unset("x"));
        for (session, agent) in (11..).zip(order) {
            agents[agent].connect(&mut hub, session);
            let [a, b, c] = &mut agents;
            talk(&mut hub, &mut [a, b, c]);
        }
        let [a, b, c] = &agents;
        assert_eq!(hub.value("k"), None, "{order:?}");
        let (won, _) = winner(only_receipt(b));
        assert_eq!(won.writer.agent().as_str(), "c");
        assert_equal(&hub, &[a, b, c]);
    }
}

/// It was told that it had lost against a concurrent write, or, by a clock that is ahead, it won.
#[test]
fn who_has_seen_a_delete_may_write_again() {
    for ahead_ms in [0, 3_000] {
        for all in [false, true] {
            let (mut hub, mut a, mut b) = trio();
            a.ahead_ms = ahead_ms;
            a.write("k", field("x", 1));
            a.write("k", field("y", 1));
            talk(&mut hub, &mut [&mut a, &mut b]);
            a.write("k", if all { Operation::Delete } else { unset("x") });
            talk(&mut hub, &mut [&mut a, &mut b]);
            hub.restart();
            a.reconnect(&mut hub, 7);
            b.reconnect(&mut hub, 8);
            talk(&mut hub, &mut [&mut a, &mut b]);
            b.write("k", field("x", 2));
            talk(&mut hub, &mut [&mut a, &mut b]);
            assert_eq!(value(&hub, "x"), Some(2));
            assert!(a.receipts.is_empty(), "{:?}", a.receipts);
            assert!(b.receipts.is_empty(), "{:?}", b.receipts);
            assert_equal(&hub, &[&a, &b]);
        }
    }
}

/// A put into a map out of which a thousand fields were removed wrote as many graves again.
#[test]
fn a_commit_costs_what_it_changes() {
    let (mut hub, mut a, mut b) = trio();
    for n in 0..100 {
        a.write("k", field(&format!("live-{n}"), n));
    }
    for n in 0..500 {
        a.write("k", field(&format!("done-{n}"), n));
        a.write("k", unset(&format!("done-{n}")));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(graves(&hub), 500);
    for (operation, changed) in [
        (field("live-7", 8), 0),
        (field("fresh", 1), 0),
        (unset("fresh"), 1),
        (field("done-3", 4), 1),
        (unset("done-3"), 1),
    ] {
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.write("k", operation.clone());
        let (graves, rows, bytes) = cost(&mut hub, &mut a);
        assert_eq!(graves, changed, "{operation:?}");
        // One of them is the row of the log that it shares with those before it.
        assert!(
            rows < 10 && bytes < 1_000 + 3_840,
            "{rows} rows, {bytes} bytes"
        );
    }
}

#[test]
fn a_clear_stands_for_the_fields_that_its_author_saw_deleted() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", field("x", 1));
    a.write("k", field("y", 1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    b.write("k", field("x", 2));
    b.write("k", field("z", 2));
    a.mono += Duration::from_millis(5);
    a.write("k", unset("x"));
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(graves(&hub), 1);
    a.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(graves(&hub), 1, "that of the clear");
    b.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), None);
    assert_eq!(b.receipts.len(), 2, "{:?}", b.receipts);
    assert_equal(&hub, &[&a, &b]);
}

/// Bad input, row 23.
/// What is forgotten is when one field was deleted, not that some were.
#[test]
fn a_forgotten_delete_is_undone_by_nothing_older() {
    for restart in [false, true] {
        let mut config = hub_config();
        config.limits.graves_max = 2;
        let (mut hub, mut a, mut b) = trio_with(config);
        for name in ["f0", "f1", "f2", "f3", "live"] {
            a.write("k", field(name, 1));
        }
        talk(&mut hub, &mut [&mut a, &mut b]);
        b.cut(&mut hub);
        b.write("k", field("f0", 2));
        b.write("k", field("live", 2));
        // Its own, made and changed while it was cut off: nobody can have deleted it.
        b.write("k", field("own", 1));
        b.write("k", field("own", 2));
        a.mono += Duration::from_millis(5);
        for name in ["f0", "f1", "f2", "f3"] {
            a.write("k", unset(name));
            talk(&mut hub, &mut [&mut a]);
        }
        assert_eq!(graves(&hub), 2 + 1, "two, and one for the others");
        if restart {
            hub.restart();
            a.reconnect(&mut hub, 5);
            talk(&mut hub, &mut [&mut a]);
        }
        b.session = None;
        b.replica.handle_link_down(b.now());
        b.connect(&mut hub, 6);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(value(&hub, "f0"), None);
        assert_eq!(value(&hub, "live"), Some(2));
        assert_eq!(value(&hub, "own"), Some(2));
        let lost = only_receipt(&b);
        assert_eq!(lost.discarded.field_name(), Some("f0"));
        assert_eq!(winner(lost).1, None);
        assert!(a.receipts.is_empty(), "{:?}", a.receipts);
        // Who has seen what there is is not judged by it.
        b.write("k", field("f0", 3));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(value(&hub, "f0"), Some(3));
        assert_eq!(b.receipts.len(), 1);
        assert_equal(&hub, &[&a, &b]);
    }
}

#[test]
fn a_rule_that_keeps_values_leaves_no_grave() {
    let keep: Policy = policy("k", |p| p.rule = Some(MergeRule::Causal));
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    race(&mut hub, &mut a, &mut b, put(2), Operation::Delete);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(graves(&hub), 1);
    hub.govern(vec![keep]);
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(graves(&hub), 0);
    assert_eq!(hub.value("k"), Some(Value::Int(2)));
    assert_equal(&hub, &[&a, &b]);
}
