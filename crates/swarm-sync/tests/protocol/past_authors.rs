//! Whose a commit is, also where it leaves no write behind, and what hangs on a write.

use sync_core::{AgentId, Ask, Body, Did, Operation, PastCommit, PastKind, Role, Value, Vote};

use crate::ballots::{ASKED, propose, that_writes, vote};
use crate::deciding::{commit, decide, delete, set};
use crate::looking_back::{explain, history};
use crate::stage::{HubSide, key, put, talk, trio};

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
