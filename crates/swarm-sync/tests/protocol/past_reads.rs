//! How questions about the past are read from the store, and where they end.

use bytes::Bytes;
use sync_core::{
    Ask, Body, Cursor, Epoch, Message, PastAsk, RequestError, Revision, Role, Row, Since,
};

use crate::looking_back::{ask, history, is, set};
use crate::stage::{HubSide, key, put, talk, trio};

#[test]
fn positions_that_are_not_of_this_log_are_refused_in_a_sentence() {
    let mut hub = HubSide::new();
    set(&mut hub, "k", put(1));
    let at = |revision| Since::Revision(Revision::new(revision));
    let state = |at| PastAsk::StateAt { key: key("k"), at };
    let ahead = ask(&mut hub, state(at(2))).unwrap_err();
    assert!(matches!(ahead, RequestError::Ahead { .. }), "{ahead:?}");
    let foreign = Since::Cursor(Cursor {
        epoch: Epoch::from_random(77),
        revision: Revision::new(1),
        head: Revision::new(1),
    });
    let error = ask(&mut hub, state(foreign)).unwrap_err();
    assert!(
        matches!(error, RequestError::EpochMismatch { .. }),
        "{error:?}"
    );
    let (from, to, after) = (at(1), Some(at(0)), None);
    let error = ask(&mut hub, PastAsk::Diff { from, to, after }).unwrap_err();
    assert!(
        error.to_string().contains("name the earlier one first"),
        "{error}"
    );
    let (key, upto, limit) = (key("k"), None, 0);
    let error = ask(&mut hub, PastAsk::History { key, upto, limit }).unwrap_err();
    assert!(error.to_string().contains("at least 1"), "{error}");
}

#[test]
fn an_answer_waits_for_the_commits_before_it_and_then_for_the_rows() {
    let mut hub = HubSide::new();
    let write = Ask::Write {
        key: key("k"),
        operation: put(1),
        metadata: None,
    };
    hub.hub.handle_ask(hub.now(), 1, write);
    let (key, upto, limit) = (key("k"), None, 9);
    let question = Ask::Past(PastAsk::History { key, upto, limit });
    hub.hub.handle_ask(hub.now(), 2, question);
    hub.drain();
    assert!(hub.loads.is_empty(), "the commit is not durable");
    let token = hub.disk.complete().unwrap();
    hub.hub.handle_persisted(hub.now(), token, Ok(()));
    hub.drain();
    assert_eq!(hub.loads.len(), 1);
    assert!(hub.take_answer(2).is_none());
    hub.settle();
    assert!(hub.take_answer(2).is_some());
}

#[test]
fn questions_wait_in_a_line_that_has_an_end() {
    let mut hub = HubSide::new();
    set(&mut hub, "k", put(1));
    let session = hub.connect(9, "client", Role::Client);
    for request in 1..=40 {
        let ask = Ask::Past(PastAsk::Explain(key("k")));
        hub.hear(session, Message::from(Body::Request { request, ask }));
    }
    assert_eq!(hub.loads.len(), 8, "no more are read at once");
    let refused = |hub: &HubSide| hub.said.iter().filter(|(to, _)| *to == session).count();
    assert_eq!(refused(&hub), 40 - 8 - 16);
    // Whoever has left is not answered, and its reads still count until they are done.
    hub.hub.handle_disconnected(hub.now(), session);
    hub.said.clear();
    hub.settle();
    assert!(hub.said.is_empty());
    assert!(hub.ask(Ask::Past(PastAsk::Explain(key("k")))).is_some());
}

/// What becomes of rows on their way from the store.
type Spoil = fn(Vec<Row>) -> Result<Vec<Row>, String>;

#[test]
fn a_hub_that_cannot_read_its_store_stops_and_says_so_to_its_driver() {
    let gone: Spoil = |_| Err("the disk is gone".to_owned());
    let spoilt: Spoil = |mut rows| {
        for row in &mut rows {
            row.value = Bytes::from_static(b"rubbish");
        }
        Ok(rows)
    };
    for read in [gone, spoilt] {
        let mut hub = HubSide::new();
        set(&mut hub, "k", put(1));
        hub.hub
            .handle_ask(hub.now(), 5, Ask::Past(PastAsk::Explain(key("k"))));
        hub.drain();
        let (ticket, ranges) = hub.loads.remove(0);
        assert_eq!(hub.hub.failure(), None);
        let rows = hub.disk.read(&ranges);
        assert!(!rows.is_empty());
        hub.hub.handle_loaded(hub.now(), ticket, read(rows));
        hub.drain();
        let answer = hub.take_answer(5).expect("nobody waits for ever");
        assert!(
            matches!(answer, Err(RequestError::Stopped { .. })),
            "{answer:?}"
        );
        assert!(hub.hub.failure().is_some());
        assert_eq!(hub.hub.poll_timeout(), None);
    }
}

/// What a lost future has numbered is not numbered again, so nothing that is told of it can be
/// contradicted; and a version that was left out does not break the chain.
#[test]
fn a_disk_that_was_rolled_back_remembers_what_it_has() {
    let (mut hub, mut a, mut b) = trio();
    b.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let backup = hub.disk.image();
    for n in 2..6 {
        b.write("k", put(n));
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    let lost = hub.hub.revision();
    hub.disk.restore(backup);
    hub.restart();
    for (session, agent) in (20..).zip([&mut a, &mut b]) {
        agent.reconnect(&mut hub, session);
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    let told = history(&mut hub, "k");
    assert_eq!(told.commits.last().map(|c| c.value.clone()), Some(is(1)));
    assert_eq!(told.commits[0].value, is(5));
    assert!(told.commits[0].revision > lost);
    let chained = told
        .commits
        .windows(2)
        .all(|two| two[0].before == two[1].version);
    assert!(chained && told.dropped.is_none(), "{told:?}");
}
