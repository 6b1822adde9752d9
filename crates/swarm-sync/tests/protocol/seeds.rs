//! Schedules under which the machines once broke a promise, found by the simulation and told by hand.

use sync_core::{
    Answer, Ask, Body, Cursor, DeltaOutcome, Message, Operation, Reason, Revision, SessionId, Value,
};

use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, assert_equal, bodies, hub_config, key, put, talk, trio};

fn is_mismatch(body: &Body) -> bool {
    let Body::DeltaReply { outcome, .. } = body else {
        return false;
    };
    matches!(outcome, DeltaOutcome::EpochMismatch { .. })
}

/// The register write covers the delete, so the delete alone would seem superfluous.
#[test]
fn a_delete_takes_place_although_the_write_on_top_of_it_is_refused() {
    let mut config = hub_config();
    config.limits.value_bytes_max = 32;
    let mut hub = HubSide::with(config);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    a.write("k", Operation::Add(5));
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    a.write("k", Operation::Delete);
    a.write("k", put("x".repeat(100)));
    a.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), None);
    assert_eq!(a.value("k"), None);
    assert_equal(&hub, &[&a]);
    assert!(matches!(a.receipts[..], [ref r] if matches!(r.reason, Reason::TooLarge { .. })));
}

/// First in the answer to a round, then in a push that was under way.
#[test]
fn a_refused_write_covers_nothing_when_it_comes_again() {
    let mut config = hub_config();
    config.limits.value_bytes_max = 32;
    let mut hub = HubSide::with(config);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    a.write("k", put("kept"));
    talk(&mut hub, &mut [&mut a]);
    a.write("k", put("x".repeat(100)));
    let push = std::mem::take(&mut a.said);
    let sync = Ask::Sync {
        keys: vec![key("k")].into(),
        timeout_ms: None,
    };
    assert!(hub.ask(sync).is_none(), "it waits for the answer");
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::StateRequest { .. })
    });
    say(&mut hub, &mut a);
    hub.settle();
    assert_eq!(hub.hub.receipts().count(), 1);
    a.said = push;
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), Some("kept".into()));
    assert_eq!(a.value("k"), Some("kept".into()));
    assert_equal(&hub, &[&a]);
    assert_eq!(a.receipts.len(), 1);
}

/// Of two runs that share their first revision, the one that was opened later comes later.
#[test]
fn runs_that_committed_nothing_do_not_confuse_cursors() {
    let (mut hub, mut a, mut b) = trio();
    a.cut(&mut hub);
    b.cut(&mut hub);
    for _ in 0..6 {
        hub.restart();
    }
    a.connect(&mut hub, 3);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    for session in 4..8 {
        hub.restart();
        a.connect(&mut hub, session);
        talk(&mut hub, &mut [&mut a]);
        let mut replies = bodies(&hub.said, SessionId(session));
        replies.retain(|body| is_mismatch(body));
        assert!(replies.is_empty(), "{replies:?}");
        a.cut(&mut hub);
    }
    assert_equal(&hub, &[&a]);
}

#[test]
fn what_was_to_be_said_is_not_said_through_the_next_connection() {
    let (mut hub, mut a, _) = trio();
    a.begin("k", put(1));
    // The push waits for the disk, and the connection ends meanwhile.
    a.cut(&mut hub);
    a.connect(&mut hub, 3);
    a.settle();
    assert!(
        matches!(a.said[0].body, Body::DeltaRequest { .. }),
        "{:?}",
        a.said
    );
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), Some(Value::Int(1)));
}

#[test]
fn a_late_question_does_not_unsettle_a_connection() {
    let (mut hub, mut a, _) = trio();
    let session = a.session.expect("connected");
    a.cut(&mut hub);
    let old = Cursor {
        epoch: sync_core::Epoch::from_random(77),
        revision: Revision::new(9),
        head: Revision::new(9),
    };
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    let question = Body::DeltaRequest {
        request: 1,
        cursor: Some(old),
        resume: None,
        policies: 0,
    };
    hub.hear(SessionId(3), Message::from(question));
    hub.settle();
    assert!(bodies(&hub.said, session).is_empty());
    hub.said.clear();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), Some(Value::Int(1)));
    assert_equal(&hub, &[&a]);
}

#[test]
fn a_member_that_comes_back_does_not_cost_the_deadline() {
    let (mut hub, mut a, mut b) = trio();
    let sync = Ask::Sync {
        keys: vec![key("k")].into(),
        timeout_ms: None,
    };
    hub.hub.handle_ask(hub.now(), 7, sync);
    hub.settle();
    // The question to `b` is lost with its connection, whose end the hub has not noticed.
    hub.said.retain(|(to, _)| Some(*to) != b.session);
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let Some(Ok(Answer::Synced(report))) = hub.take_answer(7) else {
        panic!("it still waits");
    };
    assert_eq!((report.responded.len(), report.missing.len()), (1, 1));
}

/// Bad input, row 12.
#[test]
fn an_agent_whose_clock_was_put_right_may_write_again() {
    let (mut hub, mut a, mut b) = trio();
    b.ahead_ms = 365 * 24 * 3_600_000;
    b.write("k", put("from the future"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.ahead_ms = 0;
    b.write("k", put("now"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some("now".into()));
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(b.receipts.len(), 1, "{:?}", b.receipts);
}

#[test]
fn a_restarted_hub_knows_what_was_pushed() {
    let (mut hub, mut a, _) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    hub.restart();
    a.connect(&mut hub, 3);
    a.write("k", put(2));
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    say(&mut hub, &mut a);
    hub.settle();
    let said = bodies(&hub.said, SessionId(3));
    assert!(
        !said.iter().any(|body| matches!(body, Body::Gap { .. })),
        "{said:?}"
    );
    assert_eq!(hub.value("k"), Some(Value::Int(2)));
}

/// The mark that the clock reached while it was ahead is on disk, and so is the reason to forget it.
#[test]
fn an_agent_whose_clock_was_put_right_between_two_runs_may_write_again() {
    let (mut hub, mut a, mut b) = trio();
    b.ahead_ms = 365 * 24 * 3_600_000;
    b.write("k", put("from the future"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.receipts.len(), 1);
    b.cut(&mut hub);
    b.ahead_ms = 0;
    b.restart();
    b.write("k", put("now"));
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some("now".into()));
    assert_equal(&hub, &[&a, &b]);
}
