//! Full synchronization: one scatter, everybody counted once, an end in any case.

use std::time::Duration;

use sync_core::{AgentId, Ask, Body, Key, Operation, RequestError, Role, RoundId, Value};

use crate::stage::{
    AgentSide, HubSide, assert_equal, bodies, hub_config, key, put, read_reply, talk, trio,
};

#[test]
fn many_keys_are_one_scatter() {
    let (mut hub, mut a, mut b) = trio();
    a.write("x", put(1));
    b.write("y", Operation::Add(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.sync(&["x", "y", "x", "absent"], Some(1_000));
    assert_eq!(bodies(&hub.said, a.session.unwrap()).len(), 1);
    assert_eq!(bodies(&hub.said, b.session.unwrap()).len(), 1);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let report = hub.report().expect("everyone has answered").unwrap();
    assert_eq!((report.responded.len(), report.in_step.len()), (2, 2));
    let versions: Vec<_> = report
        .keys
        .iter()
        .map(|k| (k.key.as_str(), k.version.is_some()))
        .collect();
    assert_eq!(versions, [("x", true), ("y", true), ("absent", false)]);
    assert!(report.keys.iter().all(|k| !k.changed), "nothing was new");
}

#[test]
fn a_round_brings_in_what_was_not_pushed_yet() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    // The push is lost on the way.
    a.said.clear();
    hub.sync(&["k"], Some(1_000));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let report = hub.report().expect("everyone has answered").unwrap();
    assert!(report.keys[0].changed);
    assert_eq!(b.value("k"), Some(Value::Int(1)));
    // The push is repeated, and finds its write known.
    a.pass(Duration::from_secs(11));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_member_that_is_silent_is_missing_after_the_deadline() {
    let (mut hub, mut a, b) = trio();
    hub.sync(&["k"], Some(1_000));
    // b never answers.
    talk(&mut hub, &mut [&mut a]);
    assert!(hub.report().is_none(), "ended without waiting");
    hub.pass(Duration::from_millis(999));
    assert!(hub.report().is_none());
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::from_secs(1)));
    hub.pass(Duration::from_millis(1));
    let report = hub.report().expect("the deadline has passed").unwrap();
    assert_eq!(report.missing, [AgentId::new("b").unwrap()]);
    assert_eq!(report.responded, [AgentId::new("a").unwrap()]);
    drop(b);
}

#[test]
fn a_member_that_leaves_is_not_waited_for() {
    let (mut hub, mut a, mut b) = trio();
    hub.sync(&["k"], Some(60_000));
    b.cut(&mut hub);
    talk(&mut hub, &mut [&mut a]);
    let report = hub.report().expect("nobody is left to wait for").unwrap();
    assert_eq!(report.missing, [AgentId::new("b").unwrap()]);
}

#[test]
fn a_round_that_reaches_nobody_is_an_error() {
    let (mut hub, mut a, mut b) = trio();
    hub.sync(&["k"], Some(1_000));
    hub.said.clear();
    hub.pass(Duration::from_secs(1));
    let error = hub
        .report()
        .expect("the deadline has passed")
        .expect_err("nobody answered");
    assert_eq!(
        error,
        RequestError::NobodyAnswered {
            asked: 2,
            deadline_ms: 1_000
        }
    );
    a.cut(&mut hub);
    b.cut(&mut hub);
    hub.sync(&["k"], Some(1_000));
    let error = hub.report().expect("at once").expect_err("nobody is there");
    assert_eq!(error, RequestError::NobodyConnected { roster: 2 });
}

/// Bad input, row 7.
#[test]
fn an_answer_counts_once_and_only_in_its_own_round() {
    let (mut hub, mut a, _b) = trio();
    hub.sync(&["k"], Some(1_000));
    let session = a.session.unwrap();
    let asked = bodies(&hub.said, session);
    let [Body::StateRequest { round, .. }] = asked[..] else {
        panic!("{asked:?}")
    };
    let round = *round;
    let answer = |round, index| Body::StateResponse {
        round,
        part: 0,
        index,
        frames: 2,
    };
    // Of another round, of another run of the hub, twice the same frame: none completes it.
    let foreign = RoundId {
        number: round.number + 1,
        ..round
    };
    let older = RoundId {
        epoch: sync_core::Epoch::from_random(99),
        ..round
    };
    for body in [
        answer(foreign, 0),
        answer(older, 1),
        answer(round, 0),
        answer(round, 0),
    ] {
        hub.hear(session, body);
    }
    hub.pass(Duration::from_secs(1));
    let error = hub.report().expect("the deadline has passed");
    assert!(
        matches!(error, Err(RequestError::NobodyAnswered { .. })),
        "{error:?}"
    );
    // Both frames, from one of two members.
    hub.sync(&["k"], Some(1_000));
    let round = RoundId {
        number: round.number + 1,
        ..round
    };
    hub.hear(session, answer(round, 1));
    hub.hear(session, answer(round, 0));
    hub.pass(Duration::from_secs(1));
    let report = hub.report().expect("the deadline has passed").unwrap();
    assert_eq!(report.responded, [AgentId::new("a").unwrap()]);
    a.settle();
}

#[test]
fn a_late_answer_is_joined_all_the_same() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    a.said.clear();
    hub.sync(&["k"], Some(1_000));
    let late: Vec<_> = std::mem::take(&mut hub.said);
    hub.pass(Duration::from_secs(1));
    assert!(hub.report().expect("the deadline has passed").is_err());
    hub.said = late;
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(Value::Int(1)));
    assert_eq!(b.value("k"), Some(Value::Int(1)));
}

/// Bad input, row 20.
#[test]
fn too_many_keys_are_refused() {
    let (mut hub, ..) = trio();
    let keys: Vec<Key> = (0..=100_000).map(|n| key(&n.to_string())).collect();
    let ask = Ask::Sync {
        keys: keys.into(),
        timeout_ms: None,
    };
    let error = hub.ask(ask).expect("at once").expect_err("over the limit");
    assert_eq!(error.kind(), "too-many-keys");
}

/// What a round holds is bounded: how many are under way, what they name, and how long they wait.
#[test]
fn rounds_are_bounded() {
    let mut config = hub_config();
    config.limits.rounds_max = 2;
    config.limits.round_bytes_max = 4_096;
    let mut hub = HubSide::with(config);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    let sync = |keys: &[Key], timeout_ms| Ask::Sync {
        keys: keys.to_vec().into(),
        timeout_ms,
    };
    let clients = [8, 9].map(|n| hub.connect(n, "client", Role::Client));
    let mut requests = 0;
    let mut ask = |hub: &mut HubSide, client, ask| {
        requests += 1;
        let request = requests;
        hub.hear(client, Body::Request { request, ask });
        hub.settle();
        let said = std::mem::take(&mut hub.said);
        let mut own = said.iter().filter(|(to, _)| *to == client);
        let reply = own.find_map(|(_, message)| read_reply(message));
        reply.map(|reply| reply.expect_err("refused").kind())
    };
    let long = "k".repeat(1_000);
    let many: Vec<Key> = (0..4).map(|n| key(&format!("{long}{n}"))).collect();
    let full = Some("too-many-rounds");
    assert_eq!(ask(&mut hub, clients[0], sync(&many, None)), full);
    let too_long = sync(&[key("k")], Some(u64::MAX));
    assert_eq!(ask(&mut hub, clients[0], too_long), Some("invalid"));
    assert_eq!(ask(&mut hub, clients[0], sync(&[key("k")], None)), None);
    assert_eq!(ask(&mut hub, clients[1], sync(&[key("k")], None)), None);
    assert_eq!(ask(&mut hub, clients[0], sync(&[key("k")], None)), full);
    // No peer keeps the hub's own program from asking.
    assert!(hub.ask(sync(&[key("k")], None)).is_none());
    // Rounds that have ended hold nothing.
    hub.pass(Duration::from_secs(10));
    let answer = hub.take_answer(u64::MAX).expect("the deadline has passed");
    assert_eq!(answer.expect_err("silence").kind(), "nobody-answered");
    hub.said.clear();
    assert_eq!(ask(&mut hub, clients[0], sync(&[key("k")], None)), None);
}

/// One connection cannot have so many under way that nobody else may ask.
#[test]
fn rounds_are_bounded_per_connection() {
    let (mut hub, ..) = trio();
    let clients = [8, 9].map(|n| hub.connect(n, "client", Role::Client));
    let mut refused = Vec::new();
    for (request, client) in (0..20).map(|n| (n, 0)).chain([(20, 1)]) {
        let keys = vec![key("k")].into();
        let ask = Ask::Sync {
            keys,
            timeout_ms: None,
        };
        hub.hear(clients[client], Body::Request { request, ask });
        hub.settle();
        let said = std::mem::take(&mut hub.said);
        refused.extend(
            said.iter()
                .filter_map(|(_, m)| read_reply(m))
                .map(|_| request),
        );
    }
    assert_eq!(refused, [16, 17, 18, 19]);
}

/// It answered while it was offering what it holds: its answer was not taken, so it is asked again.
#[test]
fn a_member_that_loses_its_position_is_asked_again() {
    let (mut hub, mut a, mut b) = trio();
    hub.sync(&["k"], Some(60_000));
    let session = a.session.unwrap();
    let asked = bodies(&hub.said, session);
    let [Body::StateRequest { round, .. }] = asked[..] else {
        panic!("{asked:?}")
    };
    let round = *round;
    hub.said.retain(|(to, _)| *to != session);
    let offer = |index, last| Body::Offer {
        offer: 99,
        index,
        last,
    };
    hub.hear(session, offer(0, false));
    let answer = Body::StateResponse {
        round,
        part: 0,
        index: 0,
        frames: 1,
    };
    hub.hear(session, answer);
    hub.hear(session, offer(1, true));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let report = hub.report().expect("everyone has answered").unwrap();
    assert_eq!(report.responded.len(), 2);
}

/// Nobody waits for its report any more, so nobody is waited for either.
#[test]
fn a_round_ends_with_the_connection_that_asked_for_it() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    // The push is lost on the way.
    a.said.clear();
    let client = hub.connect(9, "client", Role::Client);
    let ask = Ask::Sync {
        keys: vec![key("k")].into(),
        timeout_ms: Some(60_000),
    };
    hub.hear(client, Body::Request { request: 1, ask });
    hub.hub.handle_disconnected(hub.now(), client);
    hub.settle();
    assert_eq!(hub.hub.poll_timeout(), None, "the round is still there");
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(
        hub.value("k"),
        Some(Value::Int(1)),
        "what was brought stays"
    );
    assert_eq!(b.value("k"), Some(Value::Int(1)));
}

/// More than a page of answers is not held until the last of them is there.
#[test]
fn what_a_round_gathers_is_committed_by_the_page() {
    let (mut hub, mut a, b) = trio();
    for n in 0..3 {
        a.write(&format!("k{n}"), put("x".repeat(200_000)));
    }
    a.said.clear();
    hub.sync(&["k0", "k1", "k2"], Some(1_000));
    talk(&mut hub, &mut [&mut a]);
    assert!(hub.report().is_none(), "b has not answered");
    assert!(hub.value("k0").is_some() && hub.value("k1").is_some());
    hub.pass(Duration::from_secs(1));
    let report = hub.report().expect("the deadline has passed").unwrap();
    assert!(report.keys.iter().all(|k| k.changed), "{:?}", report.keys);
    drop(b);
}
