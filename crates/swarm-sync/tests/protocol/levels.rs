//! How far a write has got: here, at the hub, on so many others, or ended; and how far behind a read is.

use std::time::Duration;

use sync_core::{
    Answer, Ask, Body, Durability, Epoch, Message, RequestError, Revision, Role, Seq, WriteId,
};
use sync_protocol::{Command, Fate, Outcome};

use crate::hand::{deliver, say};
use crate::stage::{
    AgentSide, HubSide, hub_config, key, meet, only_receipt, put, race, read_reply, talk, trio,
};

fn written(agent: &mut AgentSide, name: &str, value: &str) -> WriteId {
    let request = agent.begin(name, put(value));
    agent.settle();
    match agent.answer(request) {
        Some(Ok(Outcome::Written(ack))) => ack.write_id.expect("a value"),
        other => panic!("{other:?}"),
    }
}

fn held(hub: &mut HubSide, replicas: u32, wait_ms: u64) -> Option<u32> {
    let ask = Ask::Held {
        epoch: Some(hub.hub.epoch()),
        revision: hub.hub.revision(),
        replicas,
        wait_ms,
    };
    match hub.ask(ask) {
        None => None,
        Some(Ok(Answer::Held(count))) => Some(count),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_write_is_local_then_at_the_hub_then_knowingly_replaced() {
    let (mut hub, mut a, mut b) = trio();
    a.cut(&mut hub);
    let id = written(&mut a, "k", "1");
    assert!(matches!(a.replica.fate(&id), Fate::Local { .. }));
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let Fate::AtHub { epoch, revision } = a.replica.fate(&id) else {
        panic!("{:?}", a.replica.fate(&id))
    };
    assert_eq!((epoch, revision), (hub.hub.epoch(), hub.hub.revision()));
    // Later revisions are no news about it.
    b.write("other", put(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.replica.fate(&id), Fate::AtHub { epoch, revision });
    b.write("k", put("seen, and replaced"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    // With the next beat the hub has said that no receipt waits.
    a.pass(Duration::from_secs(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.replica.fate(&id), Fate::Overwritten);
    // Another's write, and none at all.
    let other = written(&mut b, "b", "1");
    assert_eq!(a.replica.fate(&other), Fate::Unknown);
}

#[test]
fn what_came_back_is_told_by_its_receipt_until_that_is_dealt_with() {
    let (mut hub, mut a, mut b) = trio();
    meet(&mut hub, &mut a, &mut b, put("early"), put("late"));
    let receipt = only_receipt(&a).clone();
    let id = receipt.write.clone();
    assert_eq!(a.replica.fate(&id), Fate::Superseded(Box::new(receipt)));
    a.restart();
    assert!(matches!(a.replica.fate(&id), Fate::Superseded(_)));
    a.command(Command::TakeReceipts(vec![id.clone()]));
    a.settle();
    assert_eq!(a.replica.fate(&id), Fate::Unknown);
}

#[test]
fn waiting_for_the_hub_ends_with_what_became_of_the_write() {
    let (mut hub, mut a, mut b) = trio();
    race(&mut hub, &mut a, &mut b, put("early"), put("late"));
    let write = WriteId::new(a.replica.writer().clone(), Seq::new(1));
    let timeout = Duration::from_secs(5);
    let wait = |write: &WriteId| Command::WaitForLevel {
        write: write.clone(),
        level: Durability::Hub,
        timeout,
    };
    let late = a.command(wait(&write));
    a.pass(timeout);
    assert!(matches!(
        a.answer(late),
        Some(Err(RequestError::Unreached { .. }))
    ));
    let waiting = a.command(wait(&write));
    assert_eq!(a.answer(waiting), None, "it is cut off");
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    let answer = a.answer(waiting);
    let at_hub = |answer: &Option<_>| matches!(answer, Some(Ok(Outcome::Fate(Fate::AtHub { .. }))));
    assert!(at_hub(&answer), "{answer:?}");
}

#[test]
fn enough_confirmations_answer_who_waits_for_them_and_an_old_disk_takes_its_back() {
    let (mut hub, mut a, mut b) = trio();
    let mut c = AgentSide::new("c");
    c.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    a.write("k", put(1));
    let early = Ask::Held {
        epoch: None,
        revision: hub.hub.revision().next(),
        replicas: 1,
        wait_ms: 0,
    };
    let answer = hub.ask(early);
    assert!(
        matches!(answer, Some(Err(RequestError::Ahead { .. }))),
        "{answer:?}"
    );
    talk(&mut hub, &mut [&mut a]);
    // Whoever is in this process has no replica: all three may count; a holds it.
    assert_eq!(held(&mut hub, 0, 0), Some(1));
    b.reconnect(&mut hub, 6);
    assert_eq!(held(&mut hub, 2, 60_000), None, "it waits");
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(matches!(
        hub.take_answer(u64::MAX),
        Some(Ok(Answer::Held(2)))
    ));
    // One that comes back may have another disk: it counts again when it has said so again.
    b.reconnect(&mut hub, 7);
    assert_eq!(held(&mut hub, 3, 1_000), None);
    c.reconnect(&mut hub, 8);
    talk(&mut hub, &mut [&mut a, &mut c]);
    assert_eq!(hub.take_answer(u64::MAX), None);
    hub.pass(Duration::from_secs(2));
    assert!(matches!(
        hub.take_answer(u64::MAX),
        Some(Ok(Answer::Held(2)))
    ));
}

#[test]
fn an_agents_own_replica_is_none_of_the_others() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let ask = |revision| Ask::Held {
        epoch: None,
        revision,
        replicas: 5,
        wait_ms: 0,
    };
    let revision = hub.hub.revision();
    let session = a.session.unwrap();
    let request = |ask| Body::Request { request: 9, ask };
    hub.hear(session, request(ask(revision)));
    let client = hub.connect(30, "cli", Role::Client);
    hub.hear(client, request(ask(revision)));
    hub.settle();
    let counts = hub.said.iter().filter_map(|(_, m)| match read_reply(m) {
        Some(Ok(Answer::Held(count))) => Some(count),
        _ => None,
    });
    assert_eq!(counts.collect::<Vec<_>>(), [1, 2]);
    let stranger = Ask::Held {
        epoch: Some(Epoch::from_random(77)),
        revision,
        replicas: 1,
        wait_ms: 0,
    };
    let answer = hub.ask(stranger);
    assert!(
        matches!(answer, Some(Err(RequestError::EpochMismatch { .. }))),
        "{answer:?}"
    );
}

#[test]
fn a_read_says_whether_it_is_connected_and_how_far_behind() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let told = |agent: &AgentSide| {
        let state = agent.replica.get(agent.now(), &key("k")).expect("a value");
        (state.metadata.connected, state.metadata.behind)
    };
    assert_eq!(told(&b), (true, Some(0)));
    // What it is sent from here on is lost; the hub's next beat tells how much that was.
    for n in 0..3 {
        a.write("other", put(n));
        talk(&mut hub, &mut [&mut a]);
    }
    b.pass(Duration::from_secs(2));
    say(&mut hub, &mut b);
    deliver(&mut hub, &mut b, |body| matches!(body, Body::Pong { .. }));
    assert_eq!(told(&b), (true, Some(3)));
    b.cut(&mut hub);
    assert_eq!(told(&b), (false, Some(3)), "the last it knew");
    let mut never = AgentSide::new("c");
    never.write("k", put(1));
    assert_eq!(told(&never), (false, None));
    let answer = hub.ask(Ask::Get(key("k")));
    let Some(Ok(Answer::State(Some(state)))) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(
        (state.metadata.connected, state.metadata.behind),
        (true, Some(0))
    );
}

#[test]
fn a_read_waits_for_the_revision_that_another_was_told() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    let wait = |revision: Revision| Command::WaitForPosition {
        at: revision.into(),
        timeout: Duration::from_secs(5),
    };
    let (now, later) = (hub.hub.revision(), Revision::new(1_000));
    let waiting = b.command(wait(now));
    let in_vain = b.command(wait(later));
    assert_eq!(b.answer(waiting), None);
    b.pass(Duration::from_secs(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.answer(waiting), Some(Ok(Outcome::Done)));
    b.cut(&mut hub);
    b.pass(Duration::from_secs(5));
    let Some(Err(error)) = b.answer(in_vain) else {
        panic!("it has a deadline")
    };
    let sentence = error.to_string();
    for part in ["revision 1000", "at 1 ", "not connected", "5000 ms"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    // Also one that was held before.
    let held = b.command(wait(now));
    assert_eq!(b.answer(held), Some(Ok(Outcome::Done)));
}

/// A key that changes while pages are read is in a later page alone, in its newest state.
#[test]
fn between_two_pages_nothing_is_confirmed_and_no_position_is_reached() {
    let mut config = hub_config();
    config.limits.page_bytes = 100;
    let mut hub = HubSide::with(config);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    for (name, text) in [("k", "old"), ("m", "other"), ("k", "new")] {
        a.write(name, put(text.repeat(100)));
        talk(&mut hub, &mut [&mut a]);
    }
    let mut c = AgentSide::new("c");
    c.connect(&mut hub, 2);
    say(&mut hub, &mut c);
    deliver(&mut hub, &mut c, |_| true);
    let cursor = c.replica.cursor().expect("a page");
    assert!(cursor.revision > Revision::default() && !cursor.is_whole());
    assert_eq!(c.value("k"), None, "it comes with the next page");
    let confirms = |message: &Message| match message.body {
        Body::Ack { revision, .. } => revision > Revision::default(),
        _ => false,
    };
    assert!(!c.said.iter().any(confirms), "{:?}", c.said);
    let wait = Command::WaitForPosition {
        at: cursor.revision.into(),
        timeout: Duration::from_mins(1),
    };
    let request = c.command(wait);
    c.settle();
    assert_eq!(c.answer(request), None);
    talk(&mut hub, &mut [&mut a, &mut c]);
    assert!(c.replica.cursor().is_some_and(|cursor| cursor.is_whole()));
    assert_eq!(c.answer(request), Some(Ok(Outcome::Done)));
    assert_eq!(held(&mut hub, 2, 0), Some(2));
}
