//! What a watcher is told, and when.

use std::time::Duration;

use sync_core::{
    Answer, Ask, Body, Change, ChangeKind, Operation, Pattern, Policy, RequestError, Role, Since,
    Ttl, Watched,
};

use crate::stage::{HubSide, put, read_reply, talk, trio};

const PATIENT: u64 = 10_000;

fn ask(pattern: &str, from: Option<Since>, wait_ms: u64) -> Ask {
    Ask::Watch {
        pattern: Pattern::new(pattern).expect("a pattern"),
        from,
        wait_ms,
    }
}

/// Asks and expects an answer at once.
fn watched(hub: &mut HubSide, pattern: &str, from: Option<Since>) -> Watched {
    match hub.ask(ask(pattern, from, PATIENT)) {
        Some(Ok(Answer::Watched(watched))) => watched,
        other => panic!("{other:?}"),
    }
}

fn brief(changes: &[Change]) -> Vec<String> {
    let brief = |c: &Change| match &c.state.value {
        Some(value) => format!("{}={value}", c.state.key),
        None => format!("{} {:?}", c.state.key, c.kind),
    };
    changes.iter().map(brief).collect()
}

#[test]
fn every_change_of_a_watched_key_is_delivered_in_order() {
    let (mut hub, mut a, mut b) = trio();
    assert!(
        hub.ask(ask("k*", None, PATIENT)).is_none(),
        "there is nothing yet"
    );
    for n in 1..=3 {
        a.write("k", put(n));
        a.write("other", put(n));
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    let Some(Ok(Answer::Watched(first))) = hub.take_answer(u64::MAX) else {
        panic!("the first change answers")
    };
    assert_eq!(
        (brief(&first.changes), first.compacted),
        (vec!["k=1".to_owned()], false)
    );
    // Two more have come between the questions.
    let next = watched(&mut hub, "k*", Some(Since::Cursor(first.to)));
    assert_eq!(
        (brief(&next.changes), next.compacted),
        (vec!["k=2".to_owned(), "k=3".to_owned()], false)
    );
    let revisions: Vec<_> = next.changes.iter().map(|c| c.state.revision).collect();
    assert!(revisions.is_sorted() && revisions[0] > first.changes[0].state.revision);
    assert!(
        hub.ask(ask("k*", Some(Since::Cursor(next.to)), PATIENT))
            .is_none()
    );
    a.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let Some(Ok(Answer::Watched(last))) = hub.take_answer(u64::MAX) else {
        panic!("a delete is a change")
    };
    assert_eq!(brief(&last.changes), ["k Deleted"]);
}

#[test]
fn what_was_not_kept_is_said_to_be_missing() {
    let (mut hub, mut a, mut b) = trio();
    for n in 1..=3 {
        a.write("k", put(n));
        a.write("l", put(n));
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    let all = watched(&mut hub, "*", Some(Since::START));
    assert!(all.compacted, "nobody watched when they were made");
    assert_eq!(brief(&all.changes), ["k=3", "l=3"]);
    // From here on they are kept, but a restart forgets them.
    a.write("k", put(4));
    a.write("k", put(5));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.restart();
    let missed = watched(&mut hub, "*", Some(Since::Cursor(all.to)));
    assert!(missed.compacted);
    assert_eq!(brief(&missed.changes), ["k=5"]);
    assert!(
        hub.ask(ask("*", Some(Since::Cursor(missed.to)), PATIENT))
            .is_none(),
        "nothing else was"
    );
}

#[test]
fn a_position_of_another_log_is_an_error() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let mut elsewhere = watched(&mut hub, "*", Some(Since::START)).to;
    elsewhere.epoch = sync_core::Epoch::from_random(99);
    let refused = hub.ask(ask("*", Some(Since::Cursor(elsewhere)), PATIENT));
    assert!(
        matches!(refused, Some(Err(RequestError::EpochMismatch { .. }))),
        "{refused:?}"
    );
    let ahead = Since::Revision(sync_core::Revision::new(1_000));
    let refused = hub.ask(ask("*", Some(ahead), PATIENT));
    assert!(
        matches!(refused, Some(Err(RequestError::Ahead { .. }))),
        "{refused:?}"
    );
}

#[test]
fn a_question_does_not_wait_for_ever() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(hub.ask(ask("none*", None, 1_000)).is_none());
    assert!(hub.hub.poll_timeout().is_some());
    hub.pass(Duration::from_secs(2));
    let Some(Ok(Answer::Watched(nothing))) = hub.take_answer(u64::MAX) else {
        panic!("it ends")
    };
    assert!(nothing.changes.is_empty());
    assert_eq!(nothing.to.revision, hub.hub.revision());
}

#[test]
fn the_end_of_a_lifetime_is_told_as_such() {
    let (mut hub, mut a, mut b) = trio();
    let mut policy = Policy::new(Pattern::new("*").expect("a pattern"));
    policy.ttl = Some(Ttl {
        after: Duration::from_secs(5),
        refresh: false,
    });
    hub.govern(vec![policy]);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(hub.ask(ask("*", None, PATIENT)).is_none());
    hub.pass(Duration::from_secs(6));
    hub.settle();
    let Some(Ok(Answer::Watched(end))) = hub.take_answer(u64::MAX) else {
        panic!("an end is a change")
    };
    assert_eq!(end.changes[0].kind, ChangeKind::Expired);
}

#[test]
fn a_page_of_changes_has_a_bound_and_the_next_one_goes_on() {
    let (mut hub, mut a, mut b) = trio();
    for n in 0..6 {
        a.write(&format!("k{n}"), put("x".repeat(100_000)));
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    let mut from = Since::START;
    let mut keys = Vec::new();
    let mut pages = 0;
    while keys.len() < 6 {
        let page = watched(&mut hub, "*", Some(from));
        assert!(page.changes.len() <= 3, "{}", page.changes.len());
        keys.extend(page.changes.iter().map(|c| c.state.key.to_string()));
        from = Since::Cursor(page.to);
        pages += 1;
    }
    assert_eq!(keys, ["k0", "k1", "k2", "k3", "k4", "k5"]);
    assert_eq!(pages, 2);
}

/// Nobody takes a question back: those of watches that have ended must not keep others from watching.
#[test]
fn the_oldest_question_of_a_crowded_connection_makes_room() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let client = hub.connect(9, "client", Role::Client);
    let head = hub.hub.revision();
    hub.said.clear();
    for request in 1..=66 {
        let ask = ask("other", Some(Since::Revision(head)), PATIENT);
        hub.hear(client, Body::Request { request, ask });
    }
    hub.settle();
    let mut answered = Vec::new();
    for (_, message) in std::mem::take(&mut hub.said) {
        let Some(Ok(Answer::Watched(watched))) = read_reply(&message) else {
            panic!("{message:?}")
        };
        assert_eq!((watched.changes.len(), watched.to.revision), (0, head));
        if let Body::Reply { request, .. } = message.body {
            answered.push(request);
        }
    }
    assert_eq!(
        answered,
        [1, 2],
        "the oldest, and they may go on from there"
    );
}
