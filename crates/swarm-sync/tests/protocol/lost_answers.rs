//! Requests that the hub has decided, and lost again with the end of its disk: they are known by what they
//! have written, wherever it comes back from.

use std::time::Duration;

use sync_core::{
    Answer, AuthorityAnswer, AuthorityAsk, Expectation, Lease, RequestError, Revision, Seen,
    Version,
};
use sync_protocol::{Command, Outcome};

use crate::deciding::{LONG, cas, commit, decide, delete, expect, read, set};
use crate::stage::{AgentSide, HubSide, assert_equal, key, only_receipt, talk, trio};

/// `a` asks, the hub decides and tells `b`. Then it dies with what it has to tell `a`, and comes back with
/// the disk that it had before. Nobody is connected.
fn lose_the_answer(
    hub: &mut HubSide,
    a: &mut AgentSide,
    b: &mut AgentSide,
    ask: AuthorityAsk,
) -> u64 {
    let before = hub.disk.image();
    let request = a.command(Command::Decide { ask, timeout: LONG });
    for message in std::mem::take(&mut a.said) {
        hub.hear(a.session.expect("it is connected"), message);
    }
    hub.settle();
    for (session, message) in std::mem::take(&mut hub.said) {
        if b.session == Some(session) {
            b.hear(message);
        }
    }
    b.settle();
    a.cut(hub);
    b.cut(hub);
    hub.disk.restore(before);
    hub.restart();
    hub.mono += Duration::from_millis(5);
    request
}

/// Compare one key's version, as read from the hub right now, and set it.
fn bound(hub: &HubSide, name: &str, version: u64, value: &str) -> AuthorityAsk {
    let at = Some(Seen {
        epoch: hub.hub.epoch(),
        revision: hub.hub.revision(),
    });
    let (key, version) = (key(name), Version::new(version));
    let expect = Expectation::Version { key, version, at };
    commit(vec![expect], vec![set(name, value)])
}

fn is_uncertain(error: &RequestError) -> bool {
    let says = error.to_string().contains("may have happened");
    says && error.kind() == "uncertain"
}

/// Decided anew it would be refused, as its own value is in the way.
#[test]
fn an_answer_that_is_lost_with_the_disk_is_told_by_what_stands() {
    for is_bound in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        decide(&mut hub, &mut [&mut a, &mut b], cas("k", 0, "before")).unwrap();
        let ask = if is_bound {
            bound(&hub, "k", 1, "mine")
        } else {
            cas("k", 1, "mine")
        };
        let request = lose_the_answer(&mut hub, &mut a, &mut b, ask);
        assert_eq!(hub.value("k"), Some("before".into()));
        b.connect(&mut hub, 12);
        talk(&mut hub, &mut [&mut b]);
        a.connect(&mut hub, 13);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let outcome = read(a.answer(request).unwrap()).unwrap();
        assert_eq!(hub.value("k"), Some("mine".into()));
        let at_hub = hub.hub.keyspace().get(&key("k")).unwrap();
        let version = at_hub.version();
        assert_eq!(outcome.versions.0, [(key("k"), Some(version))]);
        assert_eq!(outcome.epoch, hub.hub.epoch());
        assert!((Revision::new(1)..=hub.hub.revision()).contains(&outcome.revision));
        // What it was told is what the next request can build on.
        let ask = bound(&hub, "k", version.get(), "next");
        decide(&mut hub, &mut [&mut a, &mut b], ask).unwrap();
        assert_equal(&hub, &[&a, &b]);
        let back = a
            .receipts
            .iter()
            .find(|r| r.discarded.value() == Some("mine".into()));
        assert_eq!(back, None, "it was told, and knowingly replaced");
    }
}

#[test]
fn a_commit_of_several_keys_is_told_by_what_stands_of_all_of_them() {
    let ask = || {
        let expect = vec![expect("k", 0), expect("l", 0), expect("gone", 1)];
        commit(expect, vec![set("k", 1), set("l", 2), delete("gone")])
    };
    let (mut hub, mut a, mut b) = trio();
    decide(&mut hub, &mut [&mut a, &mut b], cas("gone", 0, 0)).unwrap();
    let request = lose_the_answer(&mut hub, &mut a, &mut b, ask());
    b.connect(&mut hub, 12);
    a.connect(&mut hub, 13);
    talk(&mut hub, &mut [&mut b]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let outcome = read(a.answer(request).unwrap()).unwrap();
    let version = |name| Some(hub.hub.keyspace().get(&key(name)).unwrap().version());
    let told = [
        (key("k"), version("k")),
        (key("l"), version("l")),
        (key("gone"), None),
    ];
    assert_eq!(outcome.versions.0, told);
    assert_eq!(hub.value("gone"), None);
    assert_equal(&hub, &[&a, &b]);
}

/// Of a value that was replaced since nobody knows whose it was.
#[test]
fn what_was_replaced_since_may_have_happened() {
    for others in [&["k", "l"][..], &["l"]] {
        let (mut hub, mut a, mut b) = trio();
        let ask = commit(
            vec![expect("k", 0), expect("l", 0)],
            vec![set("k", "mine"), set("l", "mine")],
        );
        let request = lose_the_answer(&mut hub, &mut a, &mut b, ask);
        b.connect(&mut hub, 12);
        talk(&mut hub, &mut [&mut b]);
        for name in others {
            let state = hub.hub.keyspace().get(&key(name)).unwrap();
            let ask = cas(name, state.version().get(), "replaced");
            decide(&mut hub, &mut [&mut b], ask).unwrap();
        }
        a.connect(&mut hub, 13);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let error = read(a.answer(request).unwrap()).unwrap_err();
        assert!(is_uncertain(&error), "{error}");
        assert_eq!(hub.value("l"), Some("replaced".into()));
        assert_equal(&hub, &[&a, &b]);
    }
}

/// Whoever holds what was decided has not come back yet.
#[test]
fn a_refusal_after_the_hub_lost_its_disk_is_no_promise_that_nothing_happened() {
    let (mut hub, mut a, mut b) = trio();
    decide(&mut hub, &mut [&mut a, &mut b], cas("k", 0, "before")).unwrap();
    let old = hub.disk.image();
    decide(&mut hub, &mut [&mut a, &mut b], cas("k", 1, "later")).unwrap();
    let ask = bound(&hub, "k", 2, "mine");
    let request = lose_the_answer(&mut hub, &mut a, &mut b, ask);
    hub.disk.restore(old);
    hub.restart();
    a.connect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a]);
    let error = read(a.answer(request).unwrap()).unwrap_err();
    assert!(is_uncertain(&error), "{error}");
    b.connect(&mut hub, 13);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some("mine".into()), "it had happened");
}

/// A run of the hub knows what it has decided.
#[test]
fn a_request_that_never_arrived_is_refused_for_sure() {
    let (mut hub, mut a, mut b) = trio();
    let ask = cas("k", 0, "mine");
    let request = a.command(Command::Decide { ask, timeout: LONG });
    a.said.clear();
    decide(&mut hub, &mut [&mut b], cas("k", 0, "other")).unwrap();
    a.reconnect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let error = read(a.answer(request).unwrap()).unwrap_err();
    assert_eq!(error.kind(), "conflict");
}

#[test]
fn a_claim_that_comes_back_is_told_to_whoever_asked_for_it() {
    let (mut hub, mut a, mut b) = trio();
    let lease_ms = 60_000;
    let ask = AuthorityAsk::Claim {
        key: key("task"),
        lease_ms,
    };
    let request = lose_the_answer(&mut hub, &mut a, &mut b, ask);
    b.connect(&mut hub, 12);
    talk(&mut hub, &mut [&mut b]);
    a.connect(&mut hub, 13);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let answer = a.answer(request).unwrap().unwrap();
    let Outcome::Answered(Answer::Authority(AuthorityAnswer::Claimed(lease))) = answer else {
        panic!("{answer:?}")
    };
    let Lease {
        key: held, token, ..
    } = lease.clone();
    assert_eq!((held, lease.lease_ms), (key("task"), lease_ms));
    let under = commit(
        vec![Expectation::Claim {
            key: key("task"),
            token,
        }],
        vec![delete("task")],
    );
    decide(&mut hub, &mut [&mut a, &mut b], under).unwrap();
}

/// What is decided on top of the one that won has seen nothing of the one that lost.
#[test]
fn a_decision_that_has_lost_is_told_though_others_were_made_since_and_the_receipt_is_lost() {
    for is_deleted in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        let mut c = AgentSide::new("c");
        c.connect(&mut hub, 3);
        talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
        let empty = hub.disk.image();
        b.cut(&mut hub);
        let ask = cas("k", 0, "mine");
        decide(&mut hub, &mut [&mut a, &mut c], ask).unwrap();
        let rolled_back = |hub: &mut HubSide, agents: [&mut AgentSide; 3]| {
            for agent in agents.into_iter().filter(|a| a.session.is_some()) {
                agent.cut(hub);
            }
            hub.disk.restore(empty.clone());
            hub.restart();
            hub.mono += Duration::from_millis(5);
        };
        rolled_back(&mut hub, [&mut a, &mut b, &mut c]);
        b.connect(&mut hub, 12);
        talk(&mut hub, &mut [&mut b]);
        let ask = cas("k", 0, "theirs");
        decide(&mut hub, &mut [&mut b], ask).unwrap();
        c.connect(&mut hub, 13);
        talk(&mut hub, &mut [&mut b, &mut c]);
        assert_eq!(hub.value("k"), Some("theirs".into()));
        assert_eq!(hub.hub.receipts().count(), 1, "for a, who is away");
        let version = |hub: &HubSide| hub.hub.keyspace().get(&key("k")).unwrap().version().get();
        if is_deleted {
            let ask = commit(vec![expect("k", version(&hub))], vec![delete("k")]);
            decide(&mut hub, &mut [&mut b, &mut c], ask).unwrap();
        }
        let is_there = if is_deleted { 0 } else { version(&hub) };
        let ask = cas("k", is_there, "on top");
        decide(&mut hub, &mut [&mut b, &mut c], ask).unwrap();
        rolled_back(&mut hub, [&mut a, &mut b, &mut c]);
        b.connect(&mut hub, 22);
        talk(&mut hub, &mut [&mut b]);
        a.connect(&mut hub, 21);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(hub.value("k"), Some("on top".into()));
        let told = only_receipt(&a);
        assert_eq!(told.discarded.value(), Some("mine".into()));
        if !is_deleted {
            assert_eq!(b.receipts, [], "it was knowingly replaced");
        }
    }
}
