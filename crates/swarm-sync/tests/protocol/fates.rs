//! What becomes of writes that lose or may not enter.

use std::time::Duration;

use sync_core::{Body, Operation, Reason, Value};
use sync_protocol::Command;

use crate::hand::{deliver, say};
use crate::stage::{
    HubSide, assert_equal, hub_config, key, only_receipt, put, race, talk, trio, trio_with, winner,
};

#[test]
fn the_loser_of_a_race_gets_its_value_back() {
    let (mut hub, mut a, mut b) = trio();
    race(&mut hub, &mut a, &mut b, put("early"), put("late"));
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut b]);
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(a.value("k"), Some("late".into()));
    let receipt = only_receipt(&a);
    assert_eq!(receipt.discarded.value(), Some("early".into()));
    let (winner, winner_value) = winner(receipt);
    assert_eq!(winner.writer, *b.replica.writer());
    assert_eq!(winner_value, Some(&"late".into()));
    assert!(b.receipts.is_empty());
    assert_eq!(hub.hub.receipts().count(), 0, "taken, so forgotten");
}

#[test]
fn a_receipt_waits_for_a_writer_that_is_away_through_restarts_of_both() {
    let (mut hub, mut a, mut b) = trio();
    race(&mut hub, &mut a, &mut b, put("early"), put("late"));
    // The early write gets in first and loses only later, while its writer is away.
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(hub.hub.receipts().count(), 1);
    hub.restart();
    a.restart();
    assert_eq!(hub.hub.receipts().count(), 1);
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.receipts.len(), 1);
    // It is kept here until somebody has dealt with it.
    a.restart();
    assert_eq!(a.replica.receipts().count(), 1);
    let write = a.receipts[0].write.clone();
    a.command(Command::TakeReceipts(vec![write]));
    a.settle();
    a.restart();
    assert_eq!(a.replica.receipts().count(), 0);
}

#[test]
fn a_receipt_is_repeated_until_it_was_taken() {
    let (mut hub, mut a, mut b) = trio();
    race(&mut hub, &mut a, &mut b, put("early"), put("late"));
    a.connect(&mut hub, 3);
    b.connect(&mut hub, 4);
    let sessions = [a.session.unwrap(), b.session.unwrap()];
    // Every receipt of the first second is lost.
    for _ in 0..10 {
        for (agent, session) in [&mut a, &mut b].into_iter().zip(sessions) {
            agent.settle();
            for message in std::mem::take(&mut agent.said) {
                hub.hear(session, message);
            }
        }
        hub.settle();
        for (session, message) in std::mem::take(&mut hub.said) {
            if !matches!(message.body, Body::Receipts { .. }) {
                let agent = if session == sessions[0] {
                    &mut a
                } else {
                    &mut b
                };
                agent.hear(message);
            }
        }
    }
    assert!(a.receipts.is_empty());
    a.pass(Duration::from_secs(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.receipts.len(), 1);
    assert_equal(&hub, &[&a, &b]);
}

/// A confirmation that comes twice may be of an earlier receipt of the same write.
#[test]
fn a_receipt_that_was_not_told_yet_is_ended_by_no_confirmation() {
    let mut config = hub_config();
    config.limits.receipts_per_message = 1;
    let (mut hub, mut a, mut b) = trio_with(config);
    race(&mut hub, &mut a, &mut b, put("early"), put("late"));
    a.write("l", put("early"));
    b.write("l", put("late"));
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut b]);
    let waiting: Vec<_> = hub.hub.receipts().map(|r| r.write.clone()).collect();
    assert_eq!(waiting.len(), 2, "`a` has heard neither");
    let session = a.session.expect("connected");
    let writes = vec![waiting[1].clone()].into();
    hub.hear(session, Body::ReceiptsTaken { writes });
    assert_eq!(hub.hub.receipts().count(), 2);
    a.reconnect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.receipts.len(), 2);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn what_was_replaced_knowingly_makes_no_receipt() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("k", put(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), None);
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
    assert_eq!(hub.hub.receipts().count(), 0);
}

#[test]
fn the_rule_that_commits_first_wins_and_the_other_write_comes_back() {
    let (mut hub, mut a, mut b) = trio();
    race(&mut hub, &mut a, &mut b, Operation::Add(5), put("text"));
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(b.value("k"), Some(Value::Int(5)));
    let receipt = only_receipt(&b);
    assert!(matches!(receipt.reason, Reason::RuleMismatch { .. }));
    assert_eq!(receipt.discarded.value(), Some("text".into()));
}

/// Bad input, row 12.
#[test]
fn a_refused_write_gives_back_what_it_had_replaced() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put("kept"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    // A clock that was set wrong by a year; the value it replaced here is live at the hub.
    b.ahead_ms = 365 * 24 * 3_600_000;
    b.write("k", put("from the future"));
    assert_eq!(b.value("k"), Some("from the future".into()));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some("kept".into()));
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(b.value("k"), Some("kept".into()));
    let receipt = only_receipt(&b);
    assert!(matches!(receipt.reason, Reason::FutureStamp { .. }));
    assert!(receipt.to_string().contains("set the clock"), "{receipt}");
    // And the hub's clock was not dragged along.
    b.ahead_ms = 0;
    a.write("k", put("next"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some("next".into()));
}

#[test]
fn concurrent_adds_and_a_delete_lose_nothing_unseen() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", Operation::Add(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    race(
        &mut hub,
        &mut a,
        &mut b,
        Operation::Delete,
        Operation::Add(10),
    );
    a.connect(&mut hub, 3);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(a.value("k"), Some(Value::Int(10)));
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
}

/// The same as when both meet at the hub: which arrived first decides nothing.
#[test]
fn a_delete_wins_over_an_older_write_that_comes_after_it() {
    for restarts in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        a.write("k", put("old"));
        talk(&mut hub, &mut [&mut a, &mut b]);
        b.cut(&mut hub);
        b.write("k", put("older"));
        a.mono += Duration::from_millis(5);
        a.write("k", Operation::Delete);
        talk(&mut hub, &mut [&mut a]);
        assert_eq!(hub.value("k"), None);
        if restarts {
            hub.restart();
            a.restart();
            a.connect(&mut hub, 3);
        }
        b.connect(&mut hub, 4);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!((hub.value("k"), b.value("k")), (None, None));
        let receipt = only_receipt(&b);
        assert_eq!(receipt.discarded.value(), Some("older".into()));
        let (winner, winner_value) = winner(receipt);
        assert_eq!(winner.writer.agent(), a.replica.writer().agent());
        assert_eq!(winner_value, None);
        assert!(a.receipts.is_empty());
        assert_equal(&hub, &[&a, &b]);
        // What has seen the delete is not judged by it.
        b.write("k", put("new"));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(a.value("k"), Some("new".into()));
        assert_equal(&hub, &[&a, &b]);
    }
}

#[test]
fn a_delete_that_a_newer_write_undoes_comes_back_to_its_writer() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put("old"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    a.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a]);
    b.mono += Duration::from_millis(50);
    b.write("k", put("newer"));
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.value("k"), Some("newer".into()));
    let receipt = only_receipt(&a);
    assert_eq!(receipt.discarded.value(), None);
    assert!(matches!(
        receipt.reason,
        Reason::Superseded {
            winner_value: Some(_),
            ..
        }
    ));
    assert!(b.receipts.is_empty());
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_deleted_field_wins_over_an_older_write_to_it_that_comes_after() {
    for whole in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        let field = |name: &str, value: i64| Operation::PutField(name.to_owned(), value.into());
        a.write("k", field("x", 1));
        talk(&mut hub, &mut [&mut a, &mut b]);
        b.cut(&mut hub);
        b.write("k", field("x", 2));
        b.write("k", field("y", 3));
        a.mono += Duration::from_millis(50);
        let delete = if whole {
            Operation::Delete
        } else {
            Operation::UnsetField("x".to_owned())
        };
        a.write("k", delete);
        talk(&mut hub, &mut [&mut a]);
        b.connect(&mut hub, 4);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let left = Value::from_json(serde_json::json!({"y": 3})).ok();
        assert_eq!(hub.value("k"), left.filter(|_| !whole));
        assert_eq!(b.receipts.len(), if whole { 2 } else { 1 });
        assert!(a.receipts.is_empty());
        assert_equal(&hub, &[&a, &b]);
    }
}

/// Each is one writer's contribution: a key does not grow with the number of connections.
#[test]
fn all_connections_under_a_name_write_as_one() {
    use sync_core::{Answer, Ask, Role};

    let mut hub = HubSide::new();
    for n in 0..50 {
        let session = hub.connect(n, "cli", Role::Client);
        let ask = Ask::Write {
            key: key("n"),
            operation: Operation::Add(1),
            metadata: None,
        };
        hub.hear(session, Body::Request { request: 1, ask });
        hub.settle();
        hub.hub.handle_disconnected(hub.now(), session);
    }
    assert_eq!(hub.value("n"), Some(Value::Int(50)));
    let state = hub.hub.keyspace().get(&key("n"));
    let entry = state.expect("a value").entry();
    assert_eq!((entry.live_count(), entry.context().spans().len()), (1, 1));
    let answer = hub.ask(Ask::Get(key("n")));
    assert!(matches!(answer, Some(Ok(Answer::State(Some(_))))));
}

/// Between the receipt of a refused write and the repair its replica shows nothing of the key: what is
/// written then has not seen the value that is still there, and must not end it in silence.
#[test]
fn what_is_written_before_a_refused_write_is_undone_covers_nothing_unseen() {
    let mut config = hub_config();
    config.limits.value_bytes_max = 32;
    let (mut hub, mut a, mut b) = trio_with(config);
    a.write("k", put("now"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("k"), Some("now".into()));
    b.write("k", put("x".repeat(100)));
    say(&mut hub, &mut b);
    deliver(&mut hub, &mut b, |body| {
        !matches!(body, Body::RepairReply { .. })
    });
    assert_eq!((b.value("k"), b.receipts.len()), (None, 1));
    assert!(b.replica.is_provisional(&key("k")), "it is not undone yet");
    b.cut(&mut hub);
    b.restart();
    assert!(b.replica.is_provisional(&key("k")), "it is not undone yet");
    b.mono += Duration::from_millis(5);
    b.write("k", put("w"));
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(hub.value("k"), Some("w".into()));
    assert!(!b.replica.is_provisional(&key("k")));
    let told = a.receipts.iter().map(|r| r.discarded.value());
    assert_eq!(told.collect::<Vec<_>>(), [Some("now".into())]);
}
