//! Whose a commit is, also where it leaves no write behind, and what hangs on a write.

use std::time::Duration;

use sync_core::{
    AgentId, Ask, Body, Did, MergeRule, Operation, PastAnswer, PastAsk, PastCommit, PastKind,
    Proposal, ProposalId, Role, Value, Vote,
};
use sync_protocol::Command;

use crate::ballots::{ASKED, propose, that_writes, vote};
use crate::deciding::{LONG, commit, decide, delete, set};
use crate::looking_back::{ask, explain, history};
use crate::stage::{HubSide, hub_config, key, policy, put, talk, trio, trio_with};

fn newest(hub: &mut HubSide, name: &str) -> PastCommit {
    history(hub, name).commits[0].clone()
}

fn by(commit: &PastCommit) -> Option<&str> {
    commit.by.as_ref().map(AgentId::as_str)
}

#[test]
fn a_delete_is_told_with_whoever_made_it() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let last = newest(&mut hub, "k");
    assert_eq!((last.kind, by(&last)), (PastKind::Deleted, Some("b")));
    assert_eq!(last.writes[0].write.writer, *b.replica.writer());
    assert_eq!(last.writes[0].did, Did::Delete);
    let told = last.sentences().join("\n");
    assert!(told.contains("deleted it"), "{told}");
}

#[test]
fn what_the_hub_was_asked_to_remove_is_told_with_whoever_asked() {
    let (mut hub, mut a, mut b) = trio();
    a.write("cleared", put(1));
    let all = &mut [&mut b, &mut a];
    talk(&mut hub, all);
    decide(&mut hub, all, commit(Vec::new(), vec![set("k", 1)])).unwrap();
    decide(&mut hub, all, commit(Vec::new(), vec![delete("k")])).unwrap();
    let last = newest(&mut hub, "k");
    assert_eq!((last.kind, by(&last)), (PastKind::Deleted, Some("b")));
    let told = last.sentences().join("\n");
    assert!(told.contains("deleted it"), "{told}");
    assert_eq!(last.writes[0].write.writer.agent().as_str(), "b");

    let client = hub.connect(30, "cli", Role::Client);
    let ask = Ask::Clear(Some(key("cleared")));
    hub.hear(client, Body::Request { request: 1, ask });
    hub.settle();
    let told = newest(&mut hub, "cleared").sentences();
    assert!(told[0].contains("cleared by cli"), "{told:?}");
}

/// The newest commit is of one of them, or of none where something was taken away.
#[test]
fn everybody_is_named_whose_write_a_value_is_made_of() {
    let field = |name: &str, value: i64| Operation::PutField(name.to_owned(), value.into());
    let unset = |name: &str| Operation::UnsetField(name.to_owned());
    let cases = [
        ("kept", put("x"), put("y"), None),
        ("sum", Operation::Add(42), Operation::Add(45), None),
        (
            "set",
            Operation::Insert("x".into()),
            Operation::Insert("y".into()),
            None,
        ),
        (
            "map",
            field("f", 1),
            field("g", 2),
            Some((field("h", 3), unset("h"))),
        ),
    ];
    let told = [
        ["a, which set it to \"x\"", "b, which set it to \"y\""],
        [
            "a, which brought its own part of the sum to 42",
            "b, which brought",
        ],
        ["a, which inserted \"x\"", "b, which inserted \"y\""],
        [
            "a, which set its field \"f\" to 1",
            "b, which set its field \"g\" to 2",
        ],
    ];
    for ((name, first, last, then), told) in cases.into_iter().zip(told) {
        let (mut hub, mut a, mut b) = trio();
        hub.govern(vec![policy("kept", |p| p.rule = Some(MergeRule::Causal))]);
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        a.write(name, first);
        b.write(name, last);
        a.connect(&mut hub, 9);
        talk(&mut hub, &mut [&mut a, &mut b]);
        for operation in then.into_iter().flat_map(<[_; 2]>::from) {
            b.write(name, operation);
            talk(&mut hub, &mut [&mut a, &mut b]);
        }
        let sentences = explain(&mut hub, name).sentences.join("\n");
        for told in told {
            assert!(sentences.contains(told), "{told}: {sentences}");
        }
    }
}

#[test]
fn of_many_authors_some_are_named_and_the_others_counted() {
    let mut hub = HubSide::new();
    for n in 0..20 {
        let client = hub.connect(30 + n, &format!("client-{n:02}"), Role::Client);
        for operation in [Operation::Add(1), Operation::Add(2)] {
            let ask = Ask::Write {
                key: key("sum"),
                operation,
                metadata: None,
            };
            hub.hear(client, Body::Request { request: 1, ask });
            hub.settle();
        }
    }
    let sentences = explain(&mut hub, "sum").sentences.join("\n");
    let told = "client-15, which brought its own part of the sum to 3; and 4 more.";
    assert!(sentences.contains(told), "{sentences}");
}

/// Whatever was done: at the key itself only the newest value of a register shows it.
#[test]
fn what_was_voted_on_is_told_with_its_proposal_and_voters() {
    let effects = [
        put(1),
        Operation::Add(2),
        Operation::Insert("x".into()),
        Operation::PutField("f".to_owned(), 1.into()),
        Operation::Delete,
    ];
    for operation in effects {
        let deletes = operation == Operation::Delete;
        let (mut hub, mut a, mut b) = trio();
        if deletes {
            a.write("k", put(1));
            talk(&mut hub, &mut [&mut a, &mut b]);
        }
        propose(&mut hub, that_writes("k", operation.clone()));
        talk(&mut hub, &mut [&mut a, &mut b]);
        for agent in [&mut a, &mut b] {
            vote(agent, Vote::For);
        }
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert!(hub.take_answer(ASKED).is_some(), "it is decided");
        let last = newest(&mut hub, "k");
        let Some(Value::Map(told)) = &last.writes[0].metadata else {
            panic!("{operation:?}: {last:?}")
        };
        for name in ["proposal", "proposer", "voters"] {
            assert!(told.contains_key(name), "{operation:?}: {told:?}");
        }
        if !deletes {
            let sentences = explain(&mut hub, "k").sentences.join("\n");
            assert!(sentences.contains("voters"), "{sentences}");
        }
    }
}

/// Whoever proposed it need not have known that it was approved, also when nobody remembers the vote.
#[test]
fn what_a_vote_has_changed_its_proposer_did_not_know() {
    let mut config = hub_config();
    config.limits.decisions_max = 1;
    let (mut hub, mut a, mut b) = trio_with(config);
    let first = that_writes("approved", put(1));
    a.command(Command::Ask {
        ask: Ask::Propose(Box::new(first)),
        timeout: LONG,
    });
    talk(&mut hub, &mut [&mut a, &mut b]);
    vote(&mut a, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(hub.value("approved"), Some(Value::Int(1)));
    a.write("k", put("decided on what was there"));
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    for forgets in [false, true] {
        if forgets {
            propose(
                &mut hub,
                Proposal {
                    id: ProposalId::from_random(8),
                    ..that_writes("other", put(2))
                },
            );
            hub.pass(Duration::from_secs(6));
            hub.settle();
            assert_eq!(hub.hub.decisions().count(), 1, "the first is forgotten");
        }
        let write = newest(&mut hub, "k").writes[0].write.clone();
        let (key, after) = (key("k"), None);
        let told = ask(&mut hub, PastAsk::Knew { key, write, after });
        let Ok(PastAnswer::Knew(told)) = told else {
            panic!("{told:?}")
        };
        let stale: Vec<&str> = told.stale.iter().map(|s| s.key.as_str()).collect();
        assert_eq!(stale, ["approved"]);
    }
}
