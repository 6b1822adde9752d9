//! Many keys that change at once: neither a commit nor an answer grows with them.

use std::time::Duration;

use sync_core::{Answer, Ask, Body, Delta, MergeRule, Since, Ttl};

use crate::stage::{AgentSide, HubSide, key, policy, put, read_reply, talk, trio};

const MANY: usize = 2_500;

/// How many commits of the hub's own that is: 250 keys each.
const COMMITS: u64 = 10;

fn write_many(agent: &mut AgentSide) {
    for n in 0..MANY {
        agent.write(&format!("k{n}"), put(1));
    }
}

/// Lets the hub do what it has to do, one commit after the other.
fn work(hub: &mut HubSide) {
    hub.settle();
    while hub.hub.poll_timeout().is_some_and(|due| due <= hub.mono) {
        let before = hub.hub.revision().get();
        hub.pass(Duration::ZERO);
        hub.pass(Duration::ZERO);
        let done = hub.hub.revision().get() - before;
        assert!(done <= 1, "the next waits until the one before is durable");
        hub.settle();
    }
}

fn delta(hub: &mut HubSide, since: Since) -> Delta {
    match hub.ask(Ask::Delta(since)) {
        Some(Ok(Answer::Delta(delta))) => delta,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_ends_at_the_same_time_ends_in_commits_of_their_own() {
    let (mut hub, mut a, mut b) = trio();
    let after = Duration::from_secs(5);
    let refresh = false;
    hub.govern(vec![policy("*", |p| p.ttl = Some(Ttl { after, refresh }))]);
    write_many(&mut a);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let before = hub.hub.revision().get();
    hub.mono += Duration::from_secs(6);
    work(&mut hub);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.hub.revision().get(), before + COMMITS);
    assert_eq!((hub.hub.keyspace().live_keys(), b.value("k7")), (0, None));
}

#[test]
fn a_table_that_decides_many_keys_does_so_in_several_commits() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![policy("*", |p| p.rule = Some(MergeRule::Causal))]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    b.cut(&mut hub);
    write_many(&mut a);
    write_many(&mut b);
    a.connect(&mut hub, 3);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let before = hub.hub.revision().get();
    hub.govern(Vec::new());
    work(&mut hub);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.hub.revision().get(), before + COMMITS);
    assert_eq!(a.receipts.len() + b.receipts.len(), MANY);
}

/// What is told of a key takes room, too, where its value takes none.
#[test]
fn a_page_without_values_ends() {
    let (mut hub, mut a, mut b) = trio();
    write_many(&mut a);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let before = hub.hub.revision();
    let cleared = clear_all(&mut hub);
    assert_eq!(cleared, MANY as u64);
    let first = delta(&mut hub, Since::Revision(before));
    assert!(first.more, "{} keys", first.changes.len());
    let rest = delta(&mut hub, Since::Cursor(first.to));
    assert_eq!(first.changes.len() + rest.changes.len(), MANY);
}

fn clear_all(hub: &mut HubSide) -> u64 {
    hub.hub.handle_ask(hub.now(), 7, Ask::Clear(None));
    hub.drain();
    work(hub);
    match hub.take_answer(7) {
        Some(Ok(Answer::Cleared(count))) => count,
        other => panic!("{other:?}"),
    }
}

/// It takes its time, and what comes meanwhile was not meant.
#[test]
fn what_is_written_while_all_is_cleared_stays() {
    let (mut hub, mut a, mut b) = trio();
    write_many(&mut a);
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.hub.handle_ask(hub.now(), 7, Ask::Clear(None));
    hub.settle();
    assert!(hub.take_answer(7).is_none(), "there is more");
    b.write("k999", put(2));
    b.write("k0", put(3));
    talk(&mut hub, &mut [&mut a, &mut b]);
    work(&mut hub);
    let Some(Ok(Answer::Cleared(count))) = hub.take_answer(7) else {
        panic!("it is done");
    };
    assert_eq!(count, MANY as u64 - 1);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.hub.keyspace().live_keys(), 2);
    assert_eq!(a.value("k999"), Some(2.into()));
    assert_eq!(a.value("k0"), Some(3.into()));
}

/// Whoever asks for it again waits for one more, which clears what came until the last of them asked.
#[test]
fn all_who_ask_while_all_is_cleared_share_the_next_clearing() {
    let (mut hub, mut a, mut b) = trio();
    write_many(&mut a);
    talk(&mut hub, &mut [&mut a, &mut b]);
    // The disk does not finish: nothing is done of it yet but the first commit.
    let ask = |hub: &mut HubSide, request, ask| {
        hub.hub.handle_ask(hub.now(), request, ask);
        hub.drain();
    };
    let write = || Ask::Write {
        key: key("new"),
        operation: put(2),
        metadata: None,
    };
    for request in 1..=1_024 {
        ask(&mut hub, request, Ask::Clear(None));
        ask(&mut hub, 10_000 + request, write());
    }
    ask(&mut hub, 2_000, Ask::Clear(None));
    work(&mut hub);
    let refused = hub
        .take_answer(2_000)
        .expect("there is no room")
        .unwrap_err();
    assert!(refused.to_string().contains("1024 callers"), "{refused}");
    let mut cleared = |request| match hub.take_answer(request) {
        Some(Ok(Answer::Cleared(count))) => count,
        other => panic!("{other:?}"),
    };
    assert_eq!(cleared(1), MANY as u64);
    // What was cleared since they asked: all but the first commit's. The key that came after the last of
    // them had asked is there.
    for request in 2..=1_024 {
        assert_eq!(cleared(request), MANY as u64 - 250);
    }
    assert_eq!(hub.hub.keyspace().live_keys(), 1);
    assert_eq!(hub.value("new"), Some(2.into()));
}

/// One that asks without end leaves room for the others; and keys that hold nothing any more cost each
/// commit no more than so many looks.
#[test]
fn one_peer_does_not_use_up_the_clearings_of_the_others() {
    let (mut hub, mut a, mut b) = trio();
    write_many(&mut a);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let clear = |request| Body::Request {
        request,
        ask: Ask::Clear(None),
    };
    let session = a.session.unwrap();
    for request in 0..=16 {
        hub.hear(session, clear(request));
    }
    hub.hear(b.session.unwrap(), clear(9));
    work(&mut hub);
    let told = |to| {
        let told = hub.said.iter().filter(|(of, _)| *of == to);
        told.filter_map(|(_, message)| read_reply(message))
            .collect::<Vec<_>>()
    };
    let of_a = told(session);
    assert_eq!(of_a.iter().filter(|reply| reply.is_ok()).count(), 16);
    assert_eq!(of_a.iter().filter(|reply| reply.is_err()).count(), 1);
    assert!(matches!(told(b.session.unwrap())[..], [Ok(_)]));
    assert_eq!(hub.hub.keyspace().live_keys(), 0);
}

/// Whoever waits for it is told that it will not be done.
#[test]
fn a_clearing_that_the_store_interrupts_is_answered() {
    let (mut hub, mut a, mut b) = trio();
    write_many(&mut a);
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.hub.handle_ask(hub.now(), 7, Ask::Clear(None));
    hub.drain();
    let token = hub.disk.complete().expect("the first commit");
    let full = Err("full".to_owned());
    hub.hub.handle_persisted(hub.now(), token, full);
    hub.drain();
    let answer = hub.take_answer(7).expect("it is told");
    assert_eq!(answer.unwrap_err().kind(), "stopped");
}

/// What the hub decides meanwhile of what was there is nobody's write.
#[test]
fn what_the_hub_itself_decides_meanwhile_is_cleared_too() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![policy("z", |p| p.rule = Some(MergeRule::Causal))]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    write_many(&mut a);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    b.cut(&mut hub);
    a.write("z", put(1));
    b.write("z", put(2));
    a.connect(&mut hub, 3);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.hub.handle_ask(hub.now(), 7, Ask::Clear(None));
    hub.settle();
    hub.govern(Vec::new());
    work(&mut hub);
    let Some(Ok(Answer::Cleared(count))) = hub.take_answer(7) else {
        panic!("it is done");
    };
    assert_eq!(count, MANY as u64 + 1);
    assert_eq!(hub.hub.keyspace().live_keys(), 0);
}

/// However much the hub has been given to do.
#[test]
fn lifetimes_end_while_all_is_cleared() {
    let (mut hub, mut a, mut b) = trio();
    let after = Duration::from_secs(5);
    let refresh = false;
    hub.govern(vec![policy("z*", |p| p.ttl = Some(Ttl { after, refresh }))]);
    write_many(&mut a);
    a.write("z", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.hub.handle_ask(hub.now(), 7, Ask::Clear(None));
    hub.settle();
    hub.mono += Duration::from_secs(6);
    for _ in 0..2 {
        hub.pass(Duration::ZERO);
        hub.settle();
    }
    assert_eq!(hub.value("z"), None);
    assert!(hub.take_answer(7).is_none(), "there is more to clear");
}
