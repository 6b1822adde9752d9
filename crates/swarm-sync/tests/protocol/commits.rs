//! Nothing speaks of a commit before the store has it.

use sync_core::{Answer, Ask, Body, Operation, Role, Value, Version};
use sync_protocol::{Command, Outcome};

use crate::stage::{AgentSide, HubSide, assert_equal, bodies, key, put, talk, trio};

#[test]
fn a_write_is_neither_acknowledged_nor_pushed_before_it_is_durable() {
    let (mut hub, mut a, _) = trio();
    let request = a.begin("k", put(1));
    assert!(a.answer(request).is_none());
    assert!(!a.said.iter().any(|m| matches!(m.body, Body::Push { .. })));
    // It reads its own write all the same.
    assert_eq!(a.value("k"), Some(Value::Int(1)));
    a.settle();
    assert!(matches!(a.answer(request), Some(Ok(Outcome::Written(_)))));
    assert!(a.said.iter().any(|m| matches!(m.body, Body::Push { .. })));
    talk(&mut hub, &mut [&mut a]);
    assert_equal(&hub, &[&a]);
}

#[test]
fn a_commit_is_confirmed_shown_and_sent_only_once_it_is_durable() {
    let (mut hub, mut a, b) = trio();
    a.write("k", put(1));
    let (mine, theirs) = (a.session.unwrap(), b.session.unwrap());
    for message in std::mem::take(&mut a.said) {
        hub.hear(mine, message);
    }
    hub.hub.handle_ask(hub.now(), 7, Ask::Get(key("k")));
    hub.drain();
    assert!(
        bodies(&hub.said, mine).is_empty(),
        "confirmed before it was durable"
    );
    assert!(
        bodies(&hub.said, theirs).is_empty(),
        "sent before it was durable"
    );
    assert!(hub.take_answer(7).is_none(), "shown before it was durable");
    hub.settle();
    assert!(
        bodies(&hub.said, mine)
            .iter()
            .any(|b| matches!(b, Body::Committed { .. }))
    );
    assert!(
        bodies(&hub.said, theirs)
            .iter()
            .any(|b| matches!(b, Body::StateUpdate { .. }))
    );
    assert!(matches!(
        hub.take_answer(7),
        Some(Ok(Answer::State(Some(_))))
    ));
}

#[test]
fn an_update_is_confirmed_only_once_it_is_durable() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    // `talk` without b has dropped what was said to it: it asks again with its next beat.
    b.pass(std::time::Duration::from_secs(2));
    let session = b.session.unwrap();
    let mut acked = false;
    for _ in 0..4 {
        for message in std::mem::take(&mut b.said) {
            acked |= matches!(message.body, Body::Ack { revision, .. } if revision == hub.hub.revision());
            hub.hear(session, message);
        }
        hub.settle();
        for (_, message) in std::mem::take(&mut hub.said) {
            b.hear(message);
        }
    }
    assert_eq!(b.value("k"), Some(Value::Int(1)));
    assert!(!acked, "confirmed before it was durable");
    b.settle();
    assert!(b.said.iter().any(|m| matches!(m.body, Body::Ack { .. })));
}

#[test]
fn what_was_not_durable_is_gone_and_nobody_was_told() {
    let (mut hub, mut a, mut b) = trio();
    let request = a.begin("k", put(1));
    a.restart();
    assert!(a.answer(request).is_none());
    assert_eq!(a.value("k"), None);
    // And at the hub: the push is repeated after its crash.
    a.write("k", put(2));
    a.connect(&mut hub, 3);
    for message in std::mem::take(&mut a.said) {
        hub.hear(a.session.unwrap(), message);
    }
    hub.restart();
    a.connect(&mut hub, 4);
    b.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(Value::Int(2)));
    assert_equal(&hub, &[&a, &b]);
}

/// Bad input, row 7.
#[test]
fn a_repeated_push_counts_once_and_a_gap_is_asked_for() {
    let (mut hub, mut a, _) = trio();
    a.write("n", Operation::Add(1));
    a.write("other", put(1));
    let session = a.session.unwrap();
    let pushes: Vec<_> = std::mem::take(&mut a.said);
    for message in pushes.iter().chain(&pushes) {
        hub.hear(session, message.clone());
    }
    let revision = hub.hub.revision();
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("n"), Some(Value::Int(1)));
    for message in &pushes {
        hub.hear(session, message.clone());
    }
    assert!(hub.hub.revision() >= revision);
    let settled = hub.hub.revision();
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(
        hub.hub.revision(),
        settled,
        "a push that brings nothing bumps nothing"
    );

    // A push whose predecessor was lost meets a gap.
    let incarnation = a.replica.writer().incarnation();
    let after = sync_core::Seq::new(9);
    let upto = sync_core::Seq::new(10);
    hub.hear(
        session,
        Body::Push {
            incarnation,
            after,
            upto,
            seqs: Vec::new().into(),
        },
    );
    assert!(
        bodies(&hub.said, session)
            .iter()
            .any(|b| matches!(b, Body::Gap { known, .. } if known.get() == 2))
    );
}

#[test]
fn own_writes_that_were_replaced_are_skipped_and_vouched_for() {
    let (mut hub, mut a, mut b) = trio();
    a.cut(&mut hub);
    for n in 0..100 {
        a.write("k", put(n));
    }
    assert_eq!(a.replica.pending_writes(), 1);
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("k"), Some(Value::Int(99)));
    assert_equal(&hub, &[&a, &b]);
    assert!(
        a.receipts.is_empty(),
        "what its writer replaced itself is no loss"
    );
}

#[test]
fn writes_of_an_earlier_run_are_pushed_under_their_old_ids() {
    let (mut hub, mut a, mut b) = trio();
    a.cut(&mut hub);
    a.write("n", Operation::Add(1));
    let first = a.replica.writer().clone();
    a.restart();
    assert_ne!(*a.replica.writer(), first);
    a.write("n", Operation::Add(2));
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("n"), Some(Value::Int(3)));
    let entry = hub.hub.keyspace().get(&key("n")).unwrap().entry();
    assert!(entry.writes().any(|(id, _)| id.writer == first));
}

#[test]
fn clearing_hides_the_version_and_goes_on_counting() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    a.write("n", Operation::Add(5));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(matches!(
        hub.ask(Ask::Clear(None)),
        Some(Ok(Answer::Cleared(2)))
    ));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(b.value("k"), None);
    assert!(matches!(
        hub.ask(Ask::Version(key("k"))),
        Some(Ok(Answer::Version(None)))
    ));
    b.write("k", put("another type"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let version = hub.ask(Ask::Version(key("k")));
    assert!(
        matches!(version, Some(Ok(Answer::Version(Some(v)))) if v > Version::new(2)),
        "{version:?}"
    );
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_client_writes_through_the_hub_and_joins_no_roster() {
    let (mut hub, mut a, mut b) = trio();
    let client = hub.connect(9, "cli", Role::Client);
    let ask = Ask::Write {
        key: key("n"),
        operation: Operation::Add(3),
        metadata: None,
    };
    hub.hear(client, Body::Request { request: 1, ask });
    assert!(
        bodies(&hub.said, client).is_empty(),
        "answered before it was durable"
    );
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.value("n"), Some(Value::Int(3)));
    assert_eq!(hub.hub.roster().count(), 2);
}

#[test]
fn a_store_that_fails_stops_its_machine() {
    let mut hub = HubSide::new();
    hub.connect(1, "a", Role::Member);
    let (token, ()) = match hub.hub.poll_output() {
        Some(_) => unreachable!("the stage has taken every output"),
        None => (hub.disk.complete().expect("the roster is being stored"), ()),
    };
    hub.hub
        .handle_persisted(hub.now(), token, Err("/srv/hub: disk full".to_owned()));
    hub.drain();
    // Whose hub it is hears why; its peers hear that it stopped, and nothing of its files.
    let [(_, told)] = &hub.closed[..] else {
        panic!("{:?}", hub.closed)
    };
    assert!(told.contains("its store failed"), "{told}");
    assert!(!told.contains("/srv"), "{told}");
    assert_eq!(hub.hub.failure(), Some("/srv/hub: disk full"));
    let answer = hub.ask(Ask::Status).expect("at once");
    let stopped = answer.expect_err("it has stopped");
    assert_eq!(stopped.kind(), "stopped");
    assert!(stopped.to_string().contains("/srv/hub: disk full"));

    let mut agent = AgentSide::new("a");
    let lost = agent.begin("k", put(1));
    let token = agent.disk.complete().expect("a write is being stored");
    agent
        .replica
        .handle_persisted(agent.now(), token, Err("disk full".to_owned()));
    agent.drain();
    assert!(
        agent.answer(lost).is_none_or(|r| r.is_err()),
        "acknowledged by a failed store"
    );
    let refused = agent.command(Command::FlushToDisk);
    assert_eq!(
        agent
            .answer(refused)
            .unwrap()
            .expect_err("it has stopped")
            .kind(),
        "stopped"
    );
}
