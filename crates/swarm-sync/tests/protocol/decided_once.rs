//! Decisions whose answers are lost, and hubs that lose what they have decided.

use std::time::Duration;

use sync_core::{
    Ask, Attempt, Body, Epoch, Expectation, Incarnation, Revision, Role, Seen, Version,
};
use sync_protocol::Command;

use crate::deciding::{LONG, cas, commit, decide, delete, expect, read, set};
use crate::stage::{HubSide, assert_equal, key, read_reply, talk, trio, winner};

/// A version counts in one lineage of runs.
#[test]
fn a_version_of_another_lineage_is_refused() {
    let (mut hub, mut a, mut b) = trio();
    let all = &mut [&mut a, &mut b];
    decide(&mut hub, all, cas("k", 0, 1)).unwrap();
    let read_at = |epoch, revision| {
        let at = Some(Seen {
            epoch,
            revision: Revision::new(revision),
        });
        let (key, version) = (key("k"), Version::new(1));
        let expect = Expectation::Version { key, version, at };
        commit(vec![expect], vec![set("k", 2)])
    };
    let (epoch, revision) = (hub.hub.epoch(), hub.hub.revision().get());
    for (epoch, revision) in [(Epoch::from_random(77), revision), (epoch, revision + 1)] {
        let error = decide(&mut hub, all, read_at(epoch, revision)).unwrap_err();
        assert_eq!(error.kind(), "epoch-mismatch");
    }
    decide(&mut hub, all, read_at(epoch, revision)).unwrap();
}

/// The hub's disk is rolled back over a decision, and it decides again: of both the later one stands, and
/// the other comes back to whoever it was of.
#[test]
fn a_decision_that_the_hub_has_lost_is_told() {
    let (mut hub, mut a, mut b) = trio();
    decide(&mut hub, &mut [&mut a, &mut b], cas("k", 0, "before")).unwrap();
    let copy = hub.disk.image();
    b.cut(&mut hub);
    decide(&mut hub, &mut [&mut a], cas("k", 1, "lost")).unwrap();
    a.cut(&mut hub);
    hub.disk.restore(copy);
    hub.restart();
    hub.mono += Duration::from_secs(1);
    b.connect(&mut hub, 12);
    talk(&mut hub, &mut [&mut b]);
    decide(&mut hub, &mut [&mut b], cas("k", 1, "again")).unwrap();
    a.connect(&mut hub, 13);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(a.value("k"), Some("again".into()));
    // First it knew no reason, then it was told.
    let kept: Vec<_> = a.replica.receipts().collect();
    let [receipt] = kept[..] else {
        panic!("{kept:?}")
    };
    assert_eq!(receipt.discarded.value(), Some("lost".into()));
    assert_eq!(winner(receipt).1, Some(&"again".into()));
    assert!(b.receipts.is_empty());
}

/// What an agent holds of a lost future counts before anything is decided on it.
#[test]
fn a_lost_decision_that_comes_back_is_not_decided_against() {
    let (mut hub, mut a, mut b) = trio();
    decide(&mut hub, &mut [&mut a, &mut b], cas("k", 0, "before")).unwrap();
    let copy = hub.disk.image();
    decide(&mut hub, &mut [&mut a, &mut b], cas("k", 1, "lost")).unwrap();
    hub.disk.restore(copy);
    hub.restart();
    b.reconnect(&mut hub, 12);
    let ask = cas("k", 1, "against it");
    let request = b.command(Command::Decide { ask, timeout: LONG });
    talk(&mut hub, &mut [&mut b]);
    let error = read(b.answer(request).unwrap()).unwrap_err();
    assert_eq!(error.kind(), "conflict");
    assert_eq!(hub.value("k"), Some("lost".into()));
}

/// What was asked by who has not said how far it is would be decided on less than is known.
#[test]
fn an_agent_says_first_how_far_it_is() {
    let mut hub = HubSide::new();
    let session = hub.connect(1, "a", Role::Member);
    let attempt = Attempt {
        run: Incarnation::from_random(1),
        number: 1,
        answered: 0,
        again: false,
    };
    let ask = Ask::Authority {
        attempt,
        ask: cas("k", 0, 1),
    };
    hub.hear(session, Body::Request { request: 1, ask });
    hub.settle();
    assert_eq!(hub.closed.len(), 1, "{:?}", hub.closed);
    assert_eq!(hub.value("k"), None);
}

/// Through a connection that was given up, after its answer came over another one and what was asked then
/// was undone: it is not done once more.
#[test]
fn a_request_that_comes_late_once_more_is_not_decided_again() {
    let mut hub = HubSide::new();
    let session = hub.connect(1, "cli", Role::Client);
    let ask = |number, answered, ask| {
        let run = Incarnation::from_random(1);
        let attempt = Attempt {
            run,
            number,
            answered,
            again: false,
        };
        Body::Request {
            request: number,
            ask: Ask::Authority { attempt, ask },
        }
    };
    let blind = || commit(Vec::new(), vec![set("k", 1)]);
    hub.hear(session, ask(1, 0, blind()));
    hub.settle();
    hub.hear(session, ask(2, 1, commit(Vec::new(), vec![set("k", 2)])));
    hub.settle();
    for restarts in [false, true] {
        if restarts {
            hub.restart();
        }
        let late = hub.connect(7 + u64::from(restarts), "cli", Role::Client);
        hub.said.clear();
        hub.hear(late, ask(1, 0, blind()));
        hub.settle();
        assert_eq!(hub.value("k"), Some(2.into()));
        let told = hub.said.iter().find_map(|(_, m)| read_reply(m));
        let error = told.expect("an answer").unwrap_err();
        assert!(error.to_string().contains("late"), "{error}");
    }
}

/// The answer is lost with the connection: asked again it is the same.
#[test]
fn a_lost_answer_is_given_again() {
    for restarts in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        let ask = cas("k", 0, "once");
        let request = a.command(Command::Decide { ask, timeout: LONG });
        for message in std::mem::take(&mut a.said) {
            hub.hear(a.session.unwrap(), message);
        }
        hub.settle();
        hub.said.clear();
        let other = commit(vec![expect("k", 1)], vec![delete("k")]);
        let asked = b.command(Command::Decide {
            ask: other,
            timeout: LONG,
        });
        talk(&mut hub, &mut [&mut b]);
        read(b.answer(asked).unwrap()).unwrap();
        if restarts {
            hub.restart();
            b.reconnect(&mut hub, 12);
        }
        a.reconnect(&mut hub, 11);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let first = read(a.answer(request).unwrap()).unwrap();
        assert_eq!(first.versions.0, [(key("k"), Some(Version::new(1)))]);
        // Decided anew it would be there again.
        assert_eq!(hub.value("k"), None);
        assert_equal(&hub, &[&a, &b]);
    }
}

/// Also a refusal: what it was refused for may have passed.
#[test]
fn a_refusal_is_given_again() {
    let (mut hub, mut a, mut b) = trio();
    decide(&mut hub, &mut [&mut a, &mut b], cas("k", 0, 1)).unwrap();
    let request = a.command(Command::Decide {
        ask: cas("k", 2, "late"),
        timeout: LONG,
    });
    for message in std::mem::take(&mut a.said) {
        hub.hear(a.session.unwrap(), message);
    }
    hub.settle();
    hub.said.clear();
    decide(&mut hub, &mut [&mut b], cas("k", 1, 2)).unwrap();
    a.reconnect(&mut hub, 11);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.answer(request).unwrap().unwrap_err().kind(), "conflict");
    assert_eq!(hub.value("k"), Some(2.into()));
}

#[test]
fn answers_that_have_arrived_are_forgotten() {
    let (mut hub, mut a, mut b) = trio();
    for version in 0..20 {
        decide(&mut hub, &mut [&mut a, &mut b], cas("k", version, 1)).unwrap();
    }
    let kept = hub.disk.rows().filter(|row| row.key.first() == Some(&b'x'));
    assert_eq!(kept.count(), 1);
}

/// Bad input, row 7.
/// A copy was held up on its way.
#[test]
fn an_attempt_that_comes_late_is_not_decided_again() {
    let (mut hub, mut a, mut b) = trio();
    let blind = commit(Vec::new(), vec![set("k", "once")]);
    let request = a.command(Command::Decide {
        ask: blind,
        timeout: LONG,
    });
    let copies = a.said.clone();
    talk(&mut hub, &mut [&mut a, &mut b]);
    read(a.answer(request).unwrap()).unwrap();
    let gone = commit(vec![expect("k", 1)], vec![delete("k")]);
    decide(&mut hub, &mut [&mut a, &mut b], gone).unwrap();
    for copy in copies {
        hub.hear(a.session.unwrap(), copy);
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), None);
}
