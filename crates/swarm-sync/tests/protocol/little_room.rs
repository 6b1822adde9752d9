//! A disk with little room: nothing new is taken, and all else goes on.

use std::time::Duration;

use sync_core::{AgentId, Answer, Ask, Key, MemoryAsk, Namespace, Operation, Reply, RequestError};
use sync_protocol::KEEP_FREE;

use crate::claims::{claim, release, renew};
use crate::deciding::{cas, commit, decide, delete};
use crate::stage::{AgentSide, HubSide, assert_equal, hub_config, key, put, talk, trio};

const RETRY: Duration = Duration::from_secs(10);

fn fill(hub: &mut HubSide) {
    hub.hub.note_free_bytes(Some(KEEP_FREE - 1));
    assert!(hub.hub.is_short_of_space());
}

fn make_room(hub: &mut HubSide) {
    hub.hub.note_free_bytes(Some(KEEP_FREE * 2));
}

fn pass(hub: &mut HubSide, agents: &mut [&mut AgentSide], time: Duration) {
    hub.pass(time);
    for agent in agents.iter_mut() {
        agent.pass(time);
    }
    talk(hub, agents);
}

fn write(key: Key, operation: Operation) -> Ask {
    Ask::Write {
        key,
        operation,
        metadata: None,
    }
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(answer: Result<T, RequestError>) {
    let error = answer.expect_err("there is no room");
    assert_eq!(error.kind(), "no-space");
    let sentence = error.to_string();
    assert!(sentence.contains("the disk of the hub is nearly full"));
    assert!(sentence.contains(&KEEP_FREE.to_string()), "{sentence}");
}

#[track_caller]
fn asked(hub: &mut HubSide, ask: Ask) -> Reply {
    hub.ask(ask).expect("it is answered")
}

/// Bad input, row 21.
#[test]
fn what_is_pushed_without_room_stays_with_its_agent_and_comes_in_by_itself_later() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let before = hub.hub.revision();
    fill(&mut hub);
    a.write("k", put(2));
    b.write("l", put(3));
    for _ in 0..3 {
        pass(&mut hub, &mut [&mut a, &mut b], RETRY);
    }
    assert_eq!(hub.hub.revision(), before, "nothing was taken");
    assert_eq!(a.replica.pending_writes() + b.replica.pending_writes(), 2);
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
    assert!(hub.closed.is_empty() && a.closed.is_empty());
    assert_eq!(a.value("k"), Some(2.into()), "it reads what it wrote");
    make_room(&mut hub);
    pass(&mut hub, &mut [&mut a, &mut b], RETRY);
    assert_eq!(hub.value("k"), Some(2.into()));
    assert_eq!(hub.value("l"), Some(3.into()));
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
    assert_equal(&hub, &[&a, &b]);
}

/// Bad input, row 21.
#[test]
fn without_room_deletes_are_taken_and_who_was_away_catches_up() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    a.write("l", put(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    a.write("k", put(3));
    talk(&mut hub, &mut [&mut a]);
    fill(&mut hub);
    b.connect(&mut hub, 3);
    a.write("l", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("l"), None);
    assert_eq!(b.value("k"), Some(3.into()));
    assert_equal(&hub, &[&a, &b]);
}

/// Bad input, row 21.
#[test]
fn what_a_full_hub_has_taken_before_is_confirmed_when_it_is_pushed_again() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    let session = a.session.expect("it is connected");
    for message in std::mem::take(&mut a.said) {
        hub.hear(session, message);
    }
    hub.settle();
    hub.said.clear();
    fill(&mut hub);
    pass(&mut hub, &mut [&mut a, &mut b], RETRY);
    assert_equal(&hub, &[&a, &b]);
}

/// Bad input, row 21.
#[test]
fn the_hub_refuses_what_is_new_and_goes_on_with_reads_deletes_and_the_end_of_claims() {
    let (mut hub, mut a, _) = trio();
    decide(&mut hub, &mut [&mut a], cas("k", 0, 1)).expect("there is room");
    decide(&mut hub, &mut [&mut a], cas("l", 0, 1)).expect("there is room");
    asked(&mut hub, write(key("o"), put(1))).expect("there is room");
    let lease = claim(&mut hub, &mut [&mut a], 1_000).expect("there is room");
    fill(&mut hub);
    is_refused(asked(&mut hub, write(key("m"), put(1))));
    is_refused(asked(&mut hub, write(key("n"), Operation::Add(1))));
    is_refused(decide(&mut hub, &mut [&mut a], cas("k", 1, 2)));
    let (namespace, name) = (Namespace::new("notes").expect("a name"), key("m"));
    let store = |persistent| {
        Ask::Memory(MemoryAsk::Store {
            namespace: namespace.clone(),
            key: name.clone(),
            value: 1.into(),
            persistent,
        })
    };
    is_refused(asked(&mut hub, store(true)));
    asked(&mut hub, store(false)).expect("it needs no disk");

    let read = asked(&mut hub, Ask::Get(key("k")));
    assert!(matches!(read, Ok(Answer::State(Some(_)))), "{read:?}");
    let lease = renew(&mut hub, &mut [&mut a], lease.token, 2_000).expect("it is its holder's");
    let none = commit(Vec::new(), vec![delete("l")]);
    decide(&mut hub, &mut [&mut a], none).expect("it takes away");
    release(&mut hub, &mut [&mut a], lease.token).expect("it is its holder's");
    is_refused(claim(&mut hub, &mut [&mut a], 1_000));
    asked(&mut hub, write(key("o"), Operation::Delete)).expect("it takes away");
    assert_eq!((hub.value("o"), hub.value("l")), (None, None));
    let Ok(Answer::Status(status)) = asked(&mut hub, Ask::Status) else {
        panic!("no status")
    };
    assert!(!status.takes_writes);
    assert_eq!(status.free_bytes, Some(KEEP_FREE - 1));

    make_room(&mut hub);
    asked(&mut hub, write(key("m"), put(1))).expect("there is room");
    claim(&mut hub, &mut [&mut a], 1_000).expect("there is room");
}

/// A refusal for want of room is not the answer to a request for good. Bad input, row 21.
#[test]
fn an_answer_given_before_is_given_again_without_room() {
    let mut hub = HubSide::new();
    let session = hub.connect(9, "one-shot", sync_core::Role::Client);
    let attempt = sync_core::Attempt {
        run: sync_core::Incarnation::from_random(7),
        number: 1,
        answered: 0,
        again: false,
    };
    let ask = |hub: &mut HubSide, request| {
        let ask = Ask::Authority {
            attempt,
            ask: cas("k", 0, 1),
        };
        hub.hear(session, sync_core::Body::Request { request, ask });
        hub.settle();
        let (_, said) = hub.said.pop().expect("it is answered");
        crate::stage::read_reply(&said).expect("an answer")
    };
    fill(&mut hub);
    is_refused(ask(&mut hub, 1));
    make_room(&mut hub);
    let done = ask(&mut hub, 2);
    assert!(done.is_ok(), "{done:?}");
    fill(&mut hub);
    assert_eq!(ask(&mut hub, 3), done);
}

/// Bad input, row 21.
#[test]
fn a_round_goes_without_who_brings_what_there_is_no_room_for() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    fill(&mut hub);
    a.write("k", put(2));
    hub.sync(&["k"], Some(1_000));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.pass(Duration::from_secs(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let report = hub.report().expect("it has ended").expect("one answered");
    let missing: Vec<_> = report.missing.iter().map(AgentId::as_str).collect();
    assert_eq!(missing, ["a"]);
    assert_eq!(hub.value("k"), Some(1.into()));
}

/// Bad input, row 21.
#[test]
fn what_replicas_offer_waits_for_room_and_is_taken_then() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    let mut config = hub_config();
    config.disk_lost = true;
    let mut empty = HubSide::with(config);
    fill(&mut empty);
    a.connect(&mut empty, 3);
    talk(&mut empty, &mut [&mut a]);
    pass(&mut empty, &mut [&mut a], RETRY);
    assert_eq!(empty.value("k"), None);
    assert_eq!(a.value("k"), Some(1.into()));
    make_room(&mut empty);
    pass(&mut empty, &mut [&mut a], RETRY);
    assert_eq!(empty.value("k"), Some(1.into()));
    assert_equal(&empty, &[&a]);
}

/// Bad input, row 21.
#[test]
fn an_agent_without_room_refuses_new_writes_and_keeps_in_step() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.replica.note_free_bytes(Some(0));
    let request = a.begin("k", put(2));
    a.settle();
    let refused = a.answer(request).expect("it is answered");
    let error = refused.expect_err("there is no room");
    assert_eq!(error.kind(), "no-space");
    assert!(error.to_string().contains("the disk of the agent a"));
    assert_eq!(a.value("k"), Some(1.into()));
    assert!(!a.replica.status(a.now()).takes_writes);
    b.write("l", put(3));
    a.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.value("l"), Some(3.into()));
    assert_equal(&hub, &[&a, &b]);
    a.replica.note_free_bytes(Some(u64::MAX));
    a.write("k", put(4));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("k"), Some(4.into()));
}
