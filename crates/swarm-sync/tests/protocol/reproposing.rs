//! What came back is proposed again: in the place of what it lost against, and of nothing else.

use std::time::Duration;

use sync_core::{Body, Operation, RequestError, Value};
use sync_protocol::{Command, Outcome};

use crate::hand::{deliver, say};
use crate::stage::{
    AgentSide, HubSide, assert_equal, meet, only_receipt, policy, put, race, talk, trio,
};

fn again(agent: &mut AgentSide) -> Result<Outcome, RequestError> {
    let write = agent
        .replica
        .receipts()
        .next()
        .expect("one waits")
        .write
        .clone();
    let request = agent.command(Command::Repropose(write));
    agent.settle();
    agent.answer(request).expect("it is answered")
}

#[test]
fn a_value_that_lost_is_proposed_again_as_a_write_that_has_seen_the_winner() {
    let (mut hub, mut a, mut b) = trio();
    meet(&mut hub, &mut a, &mut b, put("early"), put("late"));
    assert!(matches!(again(&mut a), Ok(Outcome::Written(ack)) if ack.write_id.is_some()));
    assert_eq!(a.replica.receipts().count(), 0, "taken with the write");
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(b.value("k"), Some("early".into()));
    // It was knowingly replaced, so that nobody gets a receipt for that.
    assert!(b.receipts.is_empty());
    let write = a.receipts[0].write.clone();
    let gone = a.command(Command::Repropose(write));
    assert!(matches!(
        a.answer(gone),
        Some(Err(RequestError::Invalid { .. }))
    ));
}

#[test]
fn a_field_and_a_delete_are_proposed_again_each_as_what_it_was() {
    let field = |value: i64| Operation::PutField("f".to_owned(), value.into());
    let (mut hub, mut a, mut b) = trio();
    a.write("k", Operation::PutField("g".to_owned(), 7.into()));
    talk(&mut hub, &mut [&mut a, &mut b]);
    meet(&mut hub, &mut a, &mut b, field(1), field(2));
    again(&mut a).expect("its winner stands");
    talk(&mut hub, &mut [&mut a, &mut b]);
    let both = Value::from_json(serde_json::json!({"f": 1, "g": 7})).ok();
    assert_eq!(b.value("k"), both);

    // A deleted field whose delete lost, and a write that lost against a delete.
    let unset = || Operation::UnsetField("f".to_owned());
    let cases = [(unset(), field(3), None), (field(4), unset(), Some(4))];
    for (n, (first, last, left)) in (0..).zip(cases) {
        b.write("k", field(0));
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        b.cut(&mut hub);
        a.write("k", first);
        b.mono += Duration::from_millis(5);
        b.write("k", last);
        a.mono = b.mono;
        a.connect(&mut hub, 10 + n);
        b.connect(&mut hub, 20 + n);
        talk(&mut hub, &mut [&mut a, &mut b]);
        again(&mut a).expect("its winner stands");
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_equal(&hub, &[&a, &b]);
        let mut expected = serde_json::json!({"g": 7});
        if let Some(left) = left {
            expected["f"] = left.into();
        }
        assert_eq!(b.value("k"), Value::from_json(expected).ok());
    }
}

#[test]
fn it_is_refused_once_something_else_has_taken_the_place_of_the_winner() {
    let (mut hub, mut a, mut b) = trio();
    meet(&mut hub, &mut a, &mut b, put("early"), put("late"));
    let lost_to = only_receipt(&a).winner().cloned();
    b.write("k", put("later still"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let refused = again(&mut a).unwrap_err();
    assert_eq!(refused.kind(), "superseded");
    assert!(refused.to_string().contains("later still"), "{refused}");
    let RequestError::Superseded {
        winner, current, ..
    } = refused
    else {
        panic!("{refused}")
    };
    assert_eq!(
        (Some(winner), current),
        (lost_to, Some(Box::new("later still".into())))
    );
    assert_eq!(a.replica.receipts().count(), 1, "it stays");
    // Its own newer value is something else, too.
    a.write("k", put("mine"));
    assert_eq!(again(&mut a).unwrap_err().kind(), "superseded");
}

#[test]
fn a_replica_without_the_winner_says_so() {
    let (mut hub, mut a, mut b) = trio();
    race(&mut hub, &mut a, &mut b, put("early"), put("late"));
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    // What the hub tells `a` meanwhile is lost; then its receipt comes, and nothing else.
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut b]);
    a.pass(Duration::from_secs(2));
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::Receipts { .. })
    });
    assert_eq!(again(&mut a).unwrap_err().kind(), "not-held");
    a.pass(Duration::from_secs(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    again(&mut a).expect("now it holds it");
}

#[test]
fn a_crash_neither_loses_nor_doubles_it() {
    let (mut hub, mut a, mut b) = trio();
    meet(&mut hub, &mut a, &mut b, put("early"), put("late"));
    // The disk has not finished when it dies: nothing has happened.
    let write = only_receipt(&a).write.clone();
    let request = a.command(Command::Repropose(write.clone()));
    assert!(a.answer(request).is_none(), "not before it is durable");
    a.restart();
    assert_eq!(a.replica.receipts().count(), 1);
    assert_eq!(a.value("k"), Some("late".into()));
    // It has finished: all of it has.
    again(&mut a).expect("its winner stands");
    a.restart();
    assert_eq!(a.replica.receipts().count(), 0);
    assert_eq!(a.value("k"), Some("early".into()));
    a.connect(&mut hub, 9);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("k"), Some("early".into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn what_names_no_winner_is_not_proposed_again() {
    let mut hub = HubSide::new();
    hub.govern(vec![policy("k", |p| p.max_value_bytes = Some(8))]);
    let mut a = AgentSide::new("a");
    a.write("k", put("far too long for that"));
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    let refused = again(&mut a).unwrap_err();
    assert_eq!(refused.kind(), "invalid");
    assert!(
        refused.to_string().contains("no winner is named"),
        "{refused}"
    );
}
