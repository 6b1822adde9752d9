//! Whose turn it is, in every order.

use bytes::Bytes;
use sync_core::{Hello, Incarnation};

use super::*;

fn connected(session: u64, swarm: &str, agent: &str, role: Role) -> CoordinatorEvent {
    let (swarm, agent) = (SwarmId::new(swarm), AgentId::new(agent));
    let (swarm, agent) = (swarm.expect("a name"), agent.expect("a name"));
    let hello = Hello::new(swarm, agent, Incarnation::from_random(1), role);
    let session = SessionId(session);
    CoordinatorEvent::Connected { session, hello }
}

fn received(session: u64, number: u8) -> CoordinatorEvent {
    let (session, frame) = (SessionId(session), Bytes::copy_from_slice(&[number]));
    CoordinatorEvent::Received { session, frame }
}

fn disconnected(session: u64) -> CoordinatorEvent {
    let (session, reason) = (SessionId(session), String::new());
    CoordinatorEvent::Disconnected { session, reason }
}

/// Lines with what these connections of members have sent, all of them known already.
fn lines(sessions: &[(u64, &str, &str, u8)]) -> Turns {
    let mut turns = Turns::default();
    for (session, swarm, agent, _) in sessions {
        let begun = turns.push(connected(*session, swarm, agent, Role::Member));
        assert!(begun.is_none());
    }
    assert_eq!(serve(&mut turns, usize::MAX, |_| 0).len(), sessions.len());
    for (session, _, _, messages) in sessions {
        for number in 0..*messages {
            assert!(turns.push(received(*session, number)).is_none());
        }
    }
    turns
}

fn brief(event: &CoordinatorEvent) -> String {
    match event {
        CoordinatorEvent::Connected { session, .. } => format!("+{}", session.0),
        CoordinatorEvent::Received { session, frame } => format!("{}.{}", session.0, frame[0]),
        CoordinatorEvent::Disconnected { session, .. } => format!("-{}", session.0),
    }
}

/// Whose messages come in what order if each takes so many microseconds.
fn serve(turns: &mut Turns, most: usize, micros: impl Fn(&str) -> u64) -> Vec<String> {
    let mut served = Vec::new();
    while served.len() < most
        && let Some(event) = turns.next()
    {
        let event = brief(&event);
        turns.spend(Duration::from_micros(micros(&event)));
        served.push(event);
    }
    served
}

#[test]
fn swarms_and_in_them_names_take_turns_by_the_time_they_use() {
    let two_swarms: &[_] = &[(1, "evil", "a", 4), (2, "good", "b", 2)];
    let two_names: &[_] = &[(1, "team", "a", 4), (2, "team", "b", 2)];
    let dear = ["1.0", "2.0", "1.1", "2.1", "1.2", "1.3"];
    let crowd: &[_] = &[
        (1, "evil", "a", 2),
        (2, "evil", "b", 2),
        (3, "evil", "c", 2),
        (4, "good", "d", 2),
    ];
    let cases = [
        ("dear, two swarms", two_swarms, 1_000, &dear[..]),
        ("dear, two names", two_names, 1_000, &dear),
        (
            "half as dear: two in a row are worth as much",
            two_swarms,
            500,
            &["1.0", "1.1", "2.0", "2.1", "1.2", "1.3"],
        ),
        ("dearer than may be", two_swarms, 9_000, &dear),
        (
            "a swarm gains nothing by its names",
            crowd,
            1_000,
            &["1.0", "4.0", "2.0", "4.1", "3.0", "1.1", "2.1", "3.1"],
        ),
    ];
    for (name, sessions, micros, expected) in cases {
        let mut turns = lines(sessions);
        assert_eq!(
            serve(&mut turns, usize::MAX, |_| micros),
            expected,
            "{name}"
        );
        assert!(turns.is_empty() && turns.swarms.is_empty(), "{name}");
    }
}

#[test]
fn cheap_messages_wait_for_one_dear_one_at_a_time_and_come_many_in_a_row() {
    let mut turns = lines(&[(1, "evil", "a", 64), (2, "good", "b", 64)]);
    let micros = |event: &str| if event.starts_with('1') { 1_000 } else { 10 };
    let served = serve(&mut turns, 66, micros);
    assert_eq!(served[0], "1.0");
    let honest = served.iter().filter(|event| event.starts_with('2'));
    assert_eq!(honest.count(), 64, "{served:?}");
}

#[test]
fn the_connections_of_one_name_are_served_in_order() {
    let mut turns = lines(&[(1, "team", "a", 2)]);
    let next = [
        disconnected(1),
        connected(2, "team", "a", Role::Member),
        received(2, 0),
        connected(3, "team", "b", Role::Member),
    ];
    for event in next {
        assert!(turns.push(event).is_none());
    }
    let served = serve(&mut turns, usize::MAX, |_| 1_000);
    assert_eq!(served, ["1.0", "+3", "1.1", "-1", "+2", "2.0"]);
}

#[test]
fn a_client_by_the_name_of_a_member_is_in_a_line_of_its_own() {
    let mut turns = lines(&[(1, "team", "a", 2)]);
    let client = [connected(2, "team", "a", Role::Client), received(2, 0)];
    for event in client {
        assert!(turns.push(event).is_none());
    }
    let served = serve(&mut turns, usize::MAX, |_| 1_000);
    assert_eq!(served, ["1.0", "+2", "1.1", "2.0"]);
}

#[test]
fn what_belongs_to_no_connection_is_given_back() {
    let mut turns = lines(&[(1, "team", "a", 0)]);
    assert_eq!(turns.push(received(2, 0)), Some(received(2, 0)));
    assert!(turns.push(disconnected(1)).is_none());
    assert_eq!(turns.push(received(1, 0)), Some(received(1, 0)));
    assert_eq!(turns.push(disconnected(1)), Some(disconnected(1)));
    assert_eq!(turns.len(), 1);
}
