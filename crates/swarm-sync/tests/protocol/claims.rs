//! Keys that one holder has for itself until its lease ends.

use std::time::Duration;

use sync_core::{
    Answer, Ask, Assignment, AuthorityAnswer, AuthorityAsk, ChangeKind, Epoch, Expectation, Lease,
    Operation, Pattern, RequestError, Revision, Since, Token, Value,
};
use sync_protocol::{Command, Outcome};

use crate::stage::{AgentSide, HubSide, assert_equal, key, put, talk, trio};

const LONG: Duration = Duration::from_mins(5);
const LEASE: u64 = 10_000;

fn ask(
    hub: &mut HubSide,
    agents: &mut [&mut AgentSide],
    ask: AuthorityAsk,
) -> Result<AuthorityAnswer, RequestError> {
    let request = agents[0].command(Command::Decide { ask, timeout: LONG });
    talk(hub, agents);
    match agents[0].answer(request).expect("it is answered")? {
        Outcome::Answered(Answer::Authority(answer)) => Ok(answer),
        other => panic!("{other:?}"),
    }
}

fn lease(answer: Result<AuthorityAnswer, RequestError>) -> Result<Lease, RequestError> {
    match answer? {
        AuthorityAnswer::Claimed(lease) => Ok(lease),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn claim(
    hub: &mut HubSide,
    agents: &mut [&mut AgentSide],
    lease_ms: u64,
) -> Result<Lease, RequestError> {
    let key = key("task");
    lease(ask(hub, agents, AuthorityAsk::Claim { key, lease_ms }))
}

pub(crate) fn renew(
    hub: &mut HubSide,
    agents: &mut [&mut AgentSide],
    token: Token,
    lease_ms: u64,
) -> Result<Lease, RequestError> {
    let renew = AuthorityAsk::Renew {
        key: key("task"),
        token,
        lease_ms,
    };
    lease(ask(hub, agents, renew))
}

pub(crate) fn release(
    hub: &mut HubSide,
    agents: &mut [&mut AgentSide],
    token: Token,
) -> Result<AuthorityAnswer, RequestError> {
    let key = key("task");
    ask(hub, agents, AuthorityAsk::Release { key, token })
}

/// Sets another key if the claim holds.
fn finish(
    hub: &mut HubSide,
    agents: &mut [&mut AgentSide],
    token: Token,
    value: i64,
) -> Result<AuthorityAnswer, RequestError> {
    let expect = Expectation::Claim {
        key: key("task"),
        token,
    };
    let done = Assignment {
        key: key("done"),
        value: Some(value.into()),
    };
    let commit = AuthorityAsk::Commit {
        expect: vec![expect].into(),
        assign: vec![done].into(),
        metadata: None,
    };
    ask(hub, agents, commit)
}

fn pass(hub: &mut HubSide, agents: &mut [&mut AgentSide], millis: u64) {
    hub.pass(Duration::from_millis(millis));
    for agent in agents.iter_mut() {
        agent.pass(Duration::from_millis(millis));
    }
    talk(hub, agents);
}

#[test]
fn one_has_the_key_until_its_lease_ends() {
    let (mut hub, mut a, mut b) = trio();
    let first = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
    let Some(Value::Map(shown)) = b.value("task") else {
        panic!("everybody sees it");
    };
    assert_eq!(shown["holder"], "a".into());
    assert_eq!(shown["token"], first.token.to_string().into());
    pass(&mut hub, &mut [&mut a, &mut b], 4_000);
    let refused = claim(&mut hub, &mut [&mut b, &mut a], LEASE).unwrap_err();
    let RequestError::Claimed {
        holder,
        remaining_ms,
        ..
    } = &refused
    else {
        panic!("{refused}")
    };
    assert_eq!((holder.as_str(), *remaining_ms), ("a", 6_000));
    pass(&mut hub, &mut [&mut a, &mut b], 6_000);
    assert_eq!(b.value("task"), None);
    let second = claim(&mut hub, &mut [&mut b, &mut a], LEASE).unwrap();
    assert!(second.token > first.token, "it fences off who was too slow");
    assert_equal(&hub, &[&a, &b]);
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
}

#[test]
fn a_token_that_has_moved_on_sets_nothing() {
    let (mut hub, mut a, mut b) = trio();
    let first = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap().token;
    finish(&mut hub, &mut [&mut a, &mut b], first, 1).unwrap();
    pass(&mut hub, &mut [&mut a, &mut b], LEASE);
    let ended = finish(&mut hub, &mut [&mut a, &mut b], first, 2).unwrap_err();
    assert_eq!(ended.kind(), "stale-token");
    let second = claim(&mut hub, &mut [&mut b, &mut a], LEASE).unwrap().token;
    let stale = finish(&mut hub, &mut [&mut a, &mut b], first, 2).unwrap_err();
    assert!(
        stale.to_string().contains("b has claimed the key since"),
        "{stale}"
    );
    assert_eq!(hub.value("done"), Some(1.into()));
    finish(&mut hub, &mut [&mut b, &mut a], second, 3).unwrap();
    assert_eq!(hub.value("done"), Some(3.into()));
}

#[test]
fn a_token_of_a_run_that_the_hub_never_had_is_told_so() {
    let (mut hub, mut a, mut b) = trio();
    let invented = Token::new(Epoch::from_random(77), Revision::new(1));
    let never = finish(&mut hub, &mut [&mut a, &mut b], invented, 1).unwrap_err();
    assert_eq!(never.kind(), "stale-token");
    assert!(never.to_string().contains("never had"), "{never}");
}

/// Its time is over, but the hub has not come to say so.
#[test]
fn a_claim_ends_with_its_time_and_not_with_the_commit_that_says_so() {
    let (mut hub, mut a, mut b) = trio();
    let token = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap().token;
    hub.mono += Duration::from_millis(LEASE);
    let ended = finish(&mut hub, &mut [&mut a, &mut b], token, 2).unwrap_err();
    assert_eq!(ended.kind(), "stale-token");
}

#[test]
fn renewing_begins_the_lease_anew() {
    let (mut hub, mut a, mut b) = trio();
    let token = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap().token;
    let before = hub.hub.revision();
    for _ in 0..3 {
        pass(&mut hub, &mut [&mut a, &mut b], 6_000);
        let renewed = renew(&mut hub, &mut [&mut a, &mut b], token, LEASE).unwrap();
        assert_eq!(renewed.token, token);
    }
    assert_eq!(hub.hub.revision(), before, "it costs no commit");
    // A longer one is written down: a start of the hub must not shorten it.
    renew(&mut hub, &mut [&mut a, &mut b], token, 3 * LEASE).unwrap();
    assert_eq!(hub.hub.revision().get(), before.get() + 1);
    pass(&mut hub, &mut [&mut a, &mut b], 2 * LEASE);
    finish(&mut hub, &mut [&mut a, &mut b], token, 1).unwrap();
    pass(&mut hub, &mut [&mut a, &mut b], LEASE);
    let late = renew(&mut hub, &mut [&mut a, &mut b], token, LEASE).unwrap_err();
    assert_eq!(late.kind(), "stale-token");
}

#[test]
fn a_released_key_is_free_and_its_token_is_void() {
    let (mut hub, mut a, mut b) = trio();
    let token = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap().token;
    let release = || AuthorityAsk::Release {
        key: key("task"),
        token,
    };
    ask(&mut hub, &mut [&mut a, &mut b], release()).unwrap();
    assert_eq!(b.value("task"), None);
    let again = ask(&mut hub, &mut [&mut a, &mut b], release()).unwrap_err();
    assert_eq!(again.kind(), "stale-token");
    claim(&mut hub, &mut [&mut b, &mut a], LEASE).unwrap();
    assert_eq!(
        finish(&mut hub, &mut [&mut a, &mut b], token, 1)
            .unwrap_err()
            .kind(),
        "stale-token"
    );
}

/// What was done and that it is done are one commit.
#[test]
fn a_holder_ends_its_claim_with_what_it_was_for() {
    let (mut hub, mut a, mut b) = trio();
    let token = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap().token;
    let commit = |token| AuthorityAsk::Commit {
        expect: vec![Expectation::Claim {
            key: key("task"),
            token,
        }]
        .into(),
        assign: vec![
            Assignment {
                key: key("done"),
                value: Some(1.into()),
            },
            Assignment {
                key: key("task"),
                value: None,
            },
        ]
        .into(),
        metadata: None,
    };
    ask(&mut hub, &mut [&mut a, &mut b], commit(token)).unwrap();
    assert_eq!((b.value("done"), b.value("task")), (Some(1.into()), None));
    let again = ask(&mut hub, &mut [&mut b, &mut a], commit(token)).unwrap_err();
    assert_eq!(again.kind(), "stale-token");
}

/// Nobody knows whether the hub that comes back has forgotten a claim; one that it knows goes on.
#[test]
fn a_hub_that_starts_anew_keeps_claims_and_grants_none_for_a_while() {
    let (mut hub, mut a, mut b) = trio();
    let token = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap().token;
    hub.restart();
    a.reconnect(&mut hub, 11);
    b.reconnect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a, &mut b]);
    finish(&mut hub, &mut [&mut a, &mut b], token, 1).unwrap();
    let other = |hub: &mut HubSide, agents: &mut [&mut AgentSide]| {
        let (key, lease_ms) = (key("other"), LEASE);
        ask(hub, agents, AuthorityAsk::Claim { key, lease_ms })
    };
    let paused = other(&mut hub, &mut [&mut b, &mut a]).unwrap_err();
    let RequestError::ClaimsPaused { remaining_ms } = paused else {
        panic!("{paused}")
    };
    assert!((1..=LEASE).contains(&remaining_ms), "{remaining_ms}");
    pass(&mut hub, &mut [&mut a, &mut b], LEASE);
    other(&mut hub, &mut [&mut b, &mut a]).unwrap();
    // Its lease began anew with the hub, and has ended like any other.
    let ended = finish(&mut hub, &mut [&mut a, &mut b], token, 2).unwrap_err();
    assert_eq!(ended.kind(), "stale-token");
}

/// Nothing was ever claimed here: nothing is waited for.
#[test]
fn a_hub_without_claims_grants_at_once_after_a_start() {
    let (mut hub, mut a, mut b) = trio();
    hub.restart();
    a.reconnect(&mut hub, 11);
    b.reconnect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a, &mut b]);
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
}

/// The disk knows nothing of the claim, but its holder does.
#[test]
fn a_claim_that_the_hub_has_lost_comes_back_with_its_holder() {
    let (mut hub, mut a, mut b) = trio();
    a.write("other", put(1));
    claim(&mut hub, &mut [&mut b, &mut a], 1_000).unwrap();
    pass(&mut hub, &mut [&mut a, &mut b], 1_000);
    let copy = hub.disk.image();
    let token = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap().token;
    hub.disk.restore(copy);
    hub.restart();
    a.reconnect(&mut hub, 11);
    b.reconnect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let refused = claim(&mut hub, &mut [&mut b, &mut a], LEASE).unwrap_err();
    assert_eq!(refused.kind(), "claimed");
    finish(&mut hub, &mut [&mut a, &mut b], token, 1).unwrap();
    pass(&mut hub, &mut [&mut a, &mut b], LEASE);
    claim(&mut hub, &mut [&mut b, &mut a], LEASE).unwrap();
}

/// It has no row that says how long its lease was.
#[test]
fn a_claim_that_came_back_is_waited_for_after_a_start_like_any_other() {
    let (mut hub, mut a, mut b) = trio();
    a.write("plain", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let copy = hub.disk.image();
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
    hub.disk.restore(copy);
    for session in [11, 21] {
        hub.restart();
        a.reconnect(&mut hub, session);
        b.reconnect(&mut hub, session + 1);
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    let other = AuthorityAsk::Claim {
        key: key("other"),
        lease_ms: LEASE,
    };
    let paused = ask(&mut hub, &mut [&mut b, &mut a], other).unwrap_err();
    assert_eq!(paused.kind(), "claims-paused");
}

#[test]
fn a_claimed_key_is_set_by_nobody() {
    let (mut hub, mut a, mut b) = trio();
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
    let set = AuthorityAsk::Commit {
        expect: Vec::new().into(),
        assign: vec![Assignment {
            key: key("task"),
            value: Some(1.into()),
        }]
        .into(),
        metadata: None,
    };
    let error = ask(&mut hub, &mut [&mut b, &mut a], set).unwrap_err();
    assert_eq!(error.kind(), "claimed");
    for operation in [put(1), Operation::Delete] {
        let request = b.begin("task", operation);
        b.settle();
        assert_eq!(b.answer(request).unwrap().unwrap_err().kind(), "operation");
    }
}

#[test]
fn an_operator_who_clears_the_key_ends_the_claim() {
    let (mut hub, mut a, mut b) = trio();
    let token = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap().token;
    hub.ask(Ask::Clear(Some(key("task")))).unwrap().unwrap();
    talk(&mut hub, &mut [&mut a, &mut b]);
    let error = finish(&mut hub, &mut [&mut a, &mut b], token, 1).unwrap_err();
    assert_eq!(error.kind(), "stale-token");
    claim(&mut hub, &mut [&mut b, &mut a], LEASE).unwrap();
    // The first one's time is over, the second one's is not.
    pass(&mut hub, &mut [&mut a, &mut b], LEASE - 1);
    assert!(b.value("task").is_some());
}

#[test]
fn watchers_are_told_that_its_time_is_over() {
    let (mut hub, mut a, mut b) = trio();
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
    let watch = Ask::Watch {
        pattern: Pattern::new("task").unwrap(),
        from: Some(Since::Revision(hub.hub.revision())),
        wait_ms: 2 * LEASE,
    };
    assert!(hub.ask(watch).is_none());
    pass(&mut hub, &mut [&mut a, &mut b], LEASE);
    let Some(Ok(Answer::Watched(watched))) = hub.take_answer(u64::MAX) else {
        panic!("that answers");
    };
    let kinds: Vec<ChangeKind> = watched.changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Expired]);
}

#[test]
fn leases_that_make_no_sense_are_refused() {
    let (mut hub, mut a, mut b) = trio();
    a.write("plain", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let year = 365 * 24 * 3_600_000;
    for lease_ms in [0, year, u64::MAX] {
        let error = claim(&mut hub, &mut [&mut a, &mut b], lease_ms).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("not between 1 ms and 3600000 ms"),
            "{error}"
        );
    }
    let token = claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap().token;
    for lease_ms in [0, year] {
        let error = renew(&mut hub, &mut [&mut a, &mut b], token, lease_ms).unwrap_err();
        assert_eq!(error.kind(), "invalid");
    }
    let (key, lease_ms) = (key("plain"), LEASE);
    let taken = ask(
        &mut hub,
        &mut [&mut a, &mut b],
        AuthorityAsk::Claim { key, lease_ms },
    );
    let error = taken.unwrap_err().to_string();
    assert!(error.contains("holds a value"), "{error}");
}
