//! Urgent keys overtake what waits in line, and nothing depends on it.

use bytes::Bytes;
use sync_core::{Body, Message, Policy, Priority, Turn};

use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, assert_equal, policy, put, talk, trio};

fn urgent() -> Vec<Policy> {
    vec![policy("alarm*", |p| p.priority = Priority::Critical)]
}

/// More than an agent's line may be long before it is worth overtaking.
fn write_much(agent: &mut AgentSide) {
    for n in 0..4 {
        agent.write(&format!("bulk{n}"), put("x".repeat(200_000)));
    }
}

/// Two agents that know the table.
fn governed() -> (HubSide, AgentSide, AgentSide) {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(urgent());
    talk(&mut hub, &mut [&mut a, &mut b]);
    (hub, a, b)
}

fn ahead(messages: &[Message]) -> Vec<&Message> {
    let is_ahead = |m: &&Message| matches!(m.body, Body::Ahead { .. });
    messages.iter().filter(is_ahead).collect()
}

/// One page and the question for the next, which is enough for what is urgent.
#[track_caller]
fn begins_to_catch_up(hub: &mut HubSide, b: &mut AgentSide) {
    for _ in 0..2 {
        say(hub, b);
        deliver(hub, b, |_| true);
    }
    assert_eq!(b.value("alarm"), Some("fire".into()));
    assert_eq!(b.value("bulk3"), None, "its turn has not come");
}

#[test]
fn an_urgent_write_overtakes_a_push_that_is_out_and_all_behind_it() {
    let (mut hub, mut a, mut b) = governed();
    write_much(&mut a);
    a.write("alarm", put("fire"));
    a.settle();
    let (first, rest) = (a.said.remove(0), std::mem::take(&mut a.said));
    assert!(matches!(first.body, Body::Push { .. }));
    let sent = ahead(&rest);
    assert_eq!((sent.len(), sent[0].turn), (1, Turn::Ahead));
    // The push itself has not even arrived.
    let session = a.session.unwrap();
    for message in rest {
        hub.hear(session, message);
    }
    deliver(&mut hub, &mut b, |_| true);
    assert_eq!(b.value("alarm"), Some("fire".into()));
    assert_eq!(a.replica.pending_writes(), 5, "nothing is confirmed by it");
    hub.hear(session, first);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
}

#[test]
fn what_was_written_while_cut_off_goes_ahead_of_the_rest_on_return() {
    let (mut hub, mut a, mut b) = governed();
    a.cut(&mut hub);
    write_much(&mut a);
    a.write("alarm", put("fire"));
    a.connect(&mut hub, 3);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    a.settle();
    let sent: Vec<&Body> = a.said.iter().map(|m| &m.body).collect();
    let at = |wanted: fn(&Body) -> bool| sent.iter().position(|body| wanted(body));
    let ahead = at(|body| matches!(body, Body::Ahead { .. }));
    assert!(ahead.is_some() && ahead < at(|body| matches!(body, Body::Push { .. })));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn an_agent_that_catches_up_hears_what_is_urgent_before_its_turn() {
    let (mut hub, mut a, mut b) = governed();
    b.cut(&mut hub);
    write_much(&mut a);
    a.write("alarm", put("fire"));
    talk(&mut hub, &mut [&mut a]);
    b.connect(&mut hub, 3);
    begins_to_catch_up(&mut hub, &mut b);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn what_is_critical_finds_room_before_what_is_high() {
    let (mut hub, mut a, mut b) = trio();
    let high = policy("high*", |p| p.priority = Priority::High);
    hub.govern([urgent(), vec![high]].concat());
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    write_much(&mut a);
    for n in 0..300 {
        a.write(&format!("high{n}"), put("x".repeat(300)));
    }
    a.write("alarm", put("fire"));
    talk(&mut hub, &mut [&mut a]);
    b.connect(&mut hub, 3);
    begins_to_catch_up(&mut hub, &mut b);
    // The same on the way to the hub, whatever the names.
    a.cut(&mut hub);
    write_much(&mut a);
    for n in 0..300 {
        a.write(&format!("aa-high{n}"), put("x".repeat(300)));
    }
    a.write("alarm", put("out"));
    a.connect(&mut hub, 5);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    say(&mut hub, &mut a);
    assert_eq!(hub.value("alarm"), Some("out".into()));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.reconnect(&mut hub, 7);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn an_update_of_an_urgent_key_is_sent_so_that_it_may_overtake_its_copy() {
    let (mut hub, mut a, b) = governed();
    a.write("alarm", put("fire"));
    say(&mut hub, &mut a);
    hub.settle();
    let said = hub.said.iter().filter(|(to, _)| Some(*to) == b.session);
    let said: Vec<_> = said.map(|(_, m)| (m.turn, &m.body)).collect();
    assert!(
        matches!(
            said[..],
            [
                (Turn::AheadOfCopy, Body::Ahead { .. }),
                (Turn::InLine, Body::StateUpdate { .. })
            ]
        ),
        "{said:?}"
    );
}

#[test]
fn what_goes_ahead_may_get_lost() {
    let (mut hub, mut a, mut b) = governed();
    write_much(&mut a);
    a.write("alarm", put("fire"));
    a.settle();
    a.said.retain(|m| !matches!(m.body, Body::Ahead { .. }));
    say(&mut hub, &mut a);
    hub.settle();
    hub.said
        .retain(|(_, m)| !matches!(m.body, Body::Ahead { .. }));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
}

/// The agent that holds it says so, and a hub that has lost it takes all there is.
#[test]
fn a_hub_that_lost_what_it_sent_ahead_is_found_out() {
    let (mut hub, mut a, mut b) = governed();
    let backup = hub.disk.image();
    a.write("alarm", put("fire"));
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut b, |body| matches!(body, Body::Ahead { .. }));
    assert_eq!(b.value("alarm"), Some("fire".into()));
    a.cut(&mut hub);
    b.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    b.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(hub.value("alarm"), Some("fire".into()));
    a.connect(&mut hub, 6);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn only_what_is_urgent_and_small_goes_ahead() {
    let (_, mut a, _) = governed();
    write_much(&mut a);
    a.write("usual", put("x"));
    a.write("alarm", put("x".repeat(20_000)));
    a.settle();
    assert!(ahead(&a.said).is_empty());
}

#[test]
fn a_short_line_is_not_worth_overtaking() {
    let (_, mut a, _) = governed();
    a.write("usual", put("x"));
    a.write("alarm", put("fire"));
    a.settle();
    assert!(ahead(&a.said).is_empty());
}

#[test]
fn rubbish_sent_ahead_closes_the_connection_and_changes_nothing() {
    let (mut hub, a, _) = governed();
    let before = hub.hub.digest();
    let body = Body::Ahead {
        epoch: hub.hub.epoch(),
        revision: hub.hub.revision(),
    };
    let session = a.session.unwrap();
    hub.hear(
        session,
        Message::with(body, vec![Bytes::from_static(b"rubbish")]),
    );
    hub.settle();
    assert_eq!(hub.hub.digest(), before);
    assert!(hub.closed.iter().any(|(closed, _)| *closed == session));
}
