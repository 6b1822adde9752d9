//! Urgent keys overtake what waits in line, and nothing depends on it.

use std::collections::BTreeSet;

use bytes::Bytes;
use sync_core::{
    Body, Message, Operation, Policy, Priority, ProposalId, Segment, SessionId, Turn, Value,
};
use sync_protocol::HubOutput;

use crate::ballots::{proposal, propose};
use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, assert_equal, hub_config, policy, put, talk, trio};

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

/// Lets the hub hear what the agent sends ahead, and returns the rest.
fn hear_ahead(hub: &mut HubSide, a: &mut AgentSide) -> Vec<Message> {
    let is_ahead = |m: &Message| matches!(m.body, Body::Ahead { .. });
    let said = std::mem::take(&mut a.said).into_iter();
    let (first, in_line): (_, Vec<_>) = said.partition(is_ahead);
    a.said = first;
    say(hub, a);
    in_line
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
    assert_eq!(
        (sent.len(), sent[0].turn),
        (1, Turn::Ahead(Priority::Critical))
    );
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
                (Turn::AheadOfCopy(Priority::Critical), Body::Ahead { .. }),
                (Turn::InLine, Body::StateUpdate { .. })
            ]
        ),
        "{said:?}"
    );
}

/// It has a deadline, however much waits in line.
#[test]
fn a_question_to_vote_is_sent_so_that_it_may_overtake_its_copy() {
    let (mut hub, mut a, mut b) = governed();
    for (bytes, copies) in [(10, 2), (30_000, 1)] {
        hub.said.clear();
        let asked = proposal(|p| {
            p.id = ProposalId::from_random(u64::try_from(bytes).unwrap());
            p.subject = Value::from("x".repeat(bytes));
        });
        propose(&mut hub, asked);
        let said = hub.said.iter().filter(|(to, _)| Some(*to) == b.session);
        let asked = said.filter(|(_, m)| matches!(m.body, Body::Proposal { .. }));
        let turns: Vec<_> = asked.map(|(_, m)| m.turn).collect();
        let both = [Turn::AheadOfCopy(Priority::High), Turn::InLine];
        assert_eq!(turns, both[2 - copies..], "{bytes} bytes");
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
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

/// The hub has everything of a key that comes later in its turn; until then it has its beginning.
#[test]
fn of_much_that_waits_for_one_urgent_key_the_first_goes_ahead() {
    let (mut hub, mut a, mut b) = governed();
    a.cut(&mut hub);
    write_much(&mut a);
    for n in 0..100 {
        a.write("alarm", Operation::Insert(format!("{n:0400}").into()));
    }
    a.connect(&mut hub, 3);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    a.settle();
    let bytes: usize = ahead(&a.said).iter().map(|m| m.segment_bytes()).sum();
    assert!((15_000..=16 * 1024).contains(&bytes), "{bytes}");
    let in_line = hear_ahead(&mut hub, &mut a);
    let Some(Value::List(first)) = hub.value("alarm") else {
        panic!("nothing went ahead")
    };
    assert!((25..100).contains(&first.len()), "{}", first.len());
    // With each further write they are not sent again.
    a.write("alarm", Operation::Insert(1.into()));
    a.settle();
    assert!(ahead(&a.said).is_empty());
    a.said.extend(in_line);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
}

/// What the hub says after its disk has finished, as it says it.
fn as_said(hub: &mut HubSide) -> Vec<(SessionId, Message)> {
    while let Some(token) = hub.disk.complete() {
        hub.hub.handle_persisted(hub.now(), token, Ok(()));
    }
    let outputs = std::iter::from_fn(|| hub.hub.poll_output());
    let sent = outputs.filter_map(|output| match output {
        HubOutput::Send { session, message } => Some((session, message)),
        _ => None,
    });
    sent.collect()
}

#[test]
fn what_goes_ahead_is_encoded_and_held_once_for_all() {
    let (mut hub, mut a, b) = governed();
    let mut others: Vec<_> = (0..20).map(|n| AgentSide::new(&format!("c{n}"))).collect();
    for (session, other) in (10..).zip(&mut others) {
        other.connect(&mut hub, session);
        talk(&mut hub, &mut [other]);
    }
    a.write("alarm", put("x".repeat(10_000)));
    say(&mut hub, &mut a);
    assert!(hub.hub.held_bytes() < 20_000, "{}", hub.hub.held_bytes());
    let said = as_said(&mut hub);
    let segments = said.iter().filter(|(_, m)| !m.segments.is_empty());
    let places: BTreeSet<_> = segments
        .filter(|(to, _)| Some(*to) != a.session)
        .map(|(_, message)| message.segments[0].as_ptr())
        .collect();
    assert_eq!(places.len(), 1);
    let to_b = said.iter().filter(|(to, _)| Some(*to) == b.session);
    assert_eq!(to_b.count(), 2);
}

/// Its hub takes it in several commits, and tells it the numbers of each.
#[test]
fn what_an_agent_sent_ahead_does_not_come_back_to_it() {
    let mut config = hub_config();
    config.limits.page_bytes = 1_000;
    let mut hub = HubSide::with(config);
    hub.govern(urgent());
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    write_much(&mut a);
    for n in 0..4 {
        a.write(&format!("alarm{n}"), put("x".repeat(1_000)));
    }
    a.connect(&mut hub, 3);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    a.settle();
    let in_line = hear_ahead(&mut hub, &mut a);
    hub.settle();
    assert_eq!(hub.value("alarm3"), a.value("alarm3"));
    let updates: Vec<_> = hub.said.iter().map(|(_, m)| m).collect();
    let segments = updates.iter().flat_map(|m| &m.segments);
    let echoed = segments.filter(|s| Segment::decode(s).unwrap().entry.is_live());
    assert_eq!((updates.len(), echoed.count()), (4, 0));
    a.said.extend(in_line);
    talk(&mut hub, &mut [&mut a]);
    assert_equal(&hub, &[&a]);
}

#[test]
fn classes_go_ahead_each_by_itself() {
    let (mut hub, mut a, mut b) = trio();
    let high = policy("high*", |p| p.priority = Priority::High);
    hub.govern([urgent(), vec![high]].concat());
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    write_much(&mut a);
    a.write("high", put("water"));
    a.write("alarm", put("fire"));
    a.connect(&mut hub, 3);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    a.settle();
    let turns: Vec<_> = ahead(&a.said).iter().map(|m| m.turn).collect();
    let classes = [Priority::Critical, Priority::High];
    assert_eq!(turns, classes.map(Turn::Ahead));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
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
