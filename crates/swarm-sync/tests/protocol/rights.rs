//! Rights at the machine: what they keep out, also of what comes sideways, and what changes with them.

use std::sync::Arc;

use sync_core::{
    Answer, Ask, Body, Context, Entry, Grant, Message, Operation, Pattern, Payload, Reason,
    Revision, Right, Rights, Role, Segment, Seq, SessionId, Stamp, Value, Version, Write, WriteId,
};

use crate::stage::{
    AgentSide, HubSide, WALL_MS, assert_equal, key, only_receipt, put, read_reply, talk, trio,
};

pub(crate) fn grant(agents: &str, keys: &str, rights: &[Right]) -> Grant {
    let pattern = |text: &str| Pattern::new(text).expect("a pattern");
    Grant {
        agents: pattern(agents),
        swarms: pattern("team"),
        keys: pattern(keys),
        rights: rights.to_vec(),
    }
}

/// Everybody reads all; `a` writes all, `b` only tasks.
pub(crate) fn table() -> Vec<Grant> {
    vec![
        grant("?", "*", &[Right::Read]),
        grant("a", "*", &[Right::Write]),
        grant("b", "task_*", &[Right::Write]),
    ]
}

pub(crate) fn govern(hub: &mut HubSide, grants: Vec<Grant>) {
    let rights = Rights::new(grants).expect("a few");
    hub.hub.set_rights(Some(Arc::new(rights)));
    hub.settle();
}

pub(crate) fn ask(hub: &mut HubSide, session: SessionId, ask: Ask) -> sync_core::Reply {
    hub.said.clear();
    hub.hear(session, Body::Request { request: 7, ask });
    hub.settle();
    let said = hub.said.last().expect("an answer");
    read_reply(&said.1).expect("a whole one")
}

#[test]
fn what_its_writer_had_no_right_to_is_undone_and_the_rest_stands() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, table());
    a.write("plan", put("theirs"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("task_1", put("mine"));
    b.write("plan", put("mine"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(only_receipt(&b).reason, Reason::Forbidden);
    assert_eq!(hub.value("plan"), Some("theirs".into()));
    assert_eq!(hub.value("task_1"), Some("mine".into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_removal_without_the_right_is_undone_too() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, table());
    a.write("tags", Operation::Insert("x".into()));
    a.write("sum", Operation::Add(3));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("tags", Operation::Delete);
    b.write("sum", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.receipts.len(), 2, "{:?}", b.receipts);
    assert!(b.receipts.iter().all(|r| r.reason == Reason::Forbidden));
    assert_eq!(hub.value("sum"), Some(3.into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn what_is_written_while_cut_off_is_judged_by_the_rights_at_the_push() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    b.write("plan", put("mine"));
    govern(&mut hub, table());
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(only_receipt(&b).reason, Reason::Forbidden);
    assert_eq!(hub.value("plan"), None);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_hub_that_lost_its_disk_takes_a_key_back_only_from_who_may_write_it() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, table());
    let backup = hub.disk.image();
    a.write("plan", put("1"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    for agent in [&mut a, &mut b] {
        agent.cut(&mut hub);
    }
    hub.disk.restore(backup);
    hub.restart();
    govern(&mut hub, table());
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(hub.value("plan"), None, "it might be made up");
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("plan"), Some("1".into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_replica_is_for_who_may_read_the_whole_swarm_also_once_that_changes() {
    let mut hub = HubSide::new();
    govern(&mut hub, table());
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    let waiting = hub.connect(4, "a", Role::Client);
    let other = hub.connect(5, "x", Role::Client);
    hub.settle();
    let mut narrow = table();
    narrow[0] = grant("x", "*", &[Right::Read]);
    govern(&mut hub, narrow);
    let refused = std::mem::take(&mut hub.refused);
    let told = |session, words: &str| {
        let mut refused = refused.iter();
        refused.any(|(to, why)| *to == session && why.contains(words))
    };
    let member = a.session.expect("it was connected");
    assert!(told(member, "no right to read all of it"), "{refused:?}");
    assert!(told(waiting, "have changed"), "{refused:?}");
    assert!(!told(other, ""), "nothing is new for it: {refused:?}");
    hub.connect(2, "a", Role::Member);
    hub.settle();
    assert_eq!(hub.refused.len(), 1, "and not let in again");
    assert!(hub.closed.is_empty(), "nobody broke the protocol");
    let client = hub.connect(3, "a", Role::Client);
    let read = ask(&mut hub, client, Ask::Get(key("task_1")));
    assert_eq!(read, Ok(Answer::State(None)));
}

/// The same, and `b` writes all, too.
fn wide_table() -> Vec<Grant> {
    let mut grants = table();
    grants.push(grant("b", "*", &[Right::Write]));
    grants
}

/// Puts `b`'s disk back to what it was when it had not heard of the refusal yet.
fn come_back_with(
    old: crate::disk::Image,
    hub: &mut HubSide,
    a: &mut AgentSide,
    b: &mut AgentSide,
) {
    assert_eq!(hub.hub.receipts().count(), 0, "its writer has it");
    b.cut(hub);
    b.disk.restore(old);
    b.restart();
    b.receipts.clear();
    b.connect(hub, 3);
    talk(hub, &mut [a, b]);
}

#[test]
fn a_barred_removal_that_an_old_disk_brings_back_is_told_again_and_removes_nothing() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, table());
    a.write("tags", Operation::Insert("x".into()));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("tags", Operation::Delete);
    let old = b.disk.image();
    talk(&mut hub, &mut [&mut a, &mut b]);
    come_back_with(old, &mut hub, &mut a, &mut b);
    assert_eq!(only_receipt(&b).reason, Reason::Forbidden);
    assert_equal(&hub, &[&a, &b]);
    let whole = hub.value("tags");
    assert!(whole.is_some() && b.value("tags") == whole);
}

#[test]
fn a_removal_that_took_place_is_not_told_of_when_an_old_disk_brings_it_back() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, wide_table());
    a.write("tags", Operation::Insert("x".into()));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("tags", Operation::Delete);
    let old = b.disk.image();
    talk(&mut hub, &mut [&mut a, &mut b]);
    govern(&mut hub, table());
    come_back_with(old, &mut hub, &mut a, &mut b);
    assert!(b.receipts.is_empty(), "{:?}", b.receipts);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_write_without_the_right_that_an_old_disk_brings_back_has_the_reason_that_it_had() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, table());
    a.write("plan", put("theirs"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("plan", put("mine"));
    let old = b.disk.image();
    talk(&mut hub, &mut [&mut a, &mut b]);
    let first = only_receipt(&b).reason.clone();
    come_back_with(old, &mut hub, &mut a, &mut b);
    assert_eq!(first, Reason::Forbidden);
    assert_eq!(only_receipt(&b).reason, first);
    assert_equal(&hub, &[&a, &b]);
}

/// It was acknowledged, and then both the hub's disk and the right to it were lost.
#[test]
fn an_acknowledged_write_that_only_its_writer_holds_comes_back_once_it_has_lost_the_right() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, wide_table());
    a.write("plan", put("theirs"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let backup = hub.disk.image();
    a.cut(&mut hub);
    b.write("plan", put("mine"));
    b.write("tags", Operation::Insert("x".into()));
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(b.replica.pending_writes(), 0);
    b.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    govern(&mut hub, table());
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut b]);
    let told = b.receipts.iter().map(|r| (r.key.as_str(), &r.reason));
    let told: Vec<_> = told.collect();
    let barred = &Reason::Forbidden;
    assert_eq!(told, [("plan", barred), ("tags", barred)]);
    assert_eq!(b.value("plan"), Some("theirs".into()));
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    // It has nothing left to offer.
    b.cut(&mut hub);
    b.connect(&mut hub, 5);
    b.settle();
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(b.receipts.len(), 2, "{:?}", b.receipts);
}

/// A push of one write of `b` to a key, which says that it has written nothing to it before.
fn first_write(b: &AgentSide, seq: u64, payload: Payload) -> Message {
    let writer = b.replica.writer().clone();
    let write = Write {
        stamp: Stamp::at_millis(WALL_MS),
        payload,
        prev: Seq::new(0),
        over: Context::new(),
        note: None,
    };
    let segment = Segment {
        key: key("plan"),
        version: Version::default(),
        revision: Revision::default(),
        entry: Entry::of_write(WriteId::new(writer.clone(), Seq::new(seq)), write),
    };
    let body = Body::Push {
        incarnation: writer.incarnation(),
        after: Seq::new(seq - 1),
        upto: Seq::new(seq),
        seqs: vec![Seq::new(seq)].into(),
    };
    Message::with(body, vec![segment.encode()])
}

#[test]
fn a_refused_write_ends_nothing_that_its_writer_says_it_has_not_written() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, wide_table());
    b.write("plan", put("mine"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let member = b.session.expect("it is connected");
    // Too large, decided by the hub alone, and without the right.
    let large = Payload::put(&Value::from("x".repeat(600_000)));
    hub.hear(member, first_write(&b, 2, large));
    hub.settle();
    assert_eq!(hub.value("plan"), Some("mine".into()));
    hub.hear(member, first_write(&b, 3, Payload::decreed(&Value::Int(1))));
    hub.settle();
    assert_eq!(hub.value("plan"), Some("mine".into()));
    govern(&mut hub, table());
    hub.hear(member, first_write(&b, 4, Payload::put(&Value::Int(1))));
    hub.settle();
    assert_eq!(hub.value("plan"), Some("mine".into()));
    assert_eq!(hub.hub.receipts().count(), 3);
}
