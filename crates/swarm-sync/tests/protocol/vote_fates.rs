//! What was voted for and has lost afterwards comes back to whoever proposed it.

use std::time::Duration;

use sync_core::{
    AgentId, Answer, Ask, Body, PastAnswer, PastAsk, Receipt, Role, Seq, SessionId, Value, Vote,
    WriteId,
};
use sync_protocol::{Command, Outcome};

use crate::ballots::{that_writes, vote};
use crate::looking_back::ask as past;
use crate::stage::{
    AgentSide, HubSide, assert_equal, key, only_receipt, put, read_reply, talk, trio, winner,
};

/// Something is proposed by whom `propose` says and approved, while an agent that is cut off writes later.
fn approved_and_lost(propose: impl FnOnce(&mut HubSide, Ask)) -> (HubSide, AgentSide, AgentSide) {
    let (mut hub, mut a, mut b) = trio();
    let mut c = AgentSide::new("c");
    c.mono += Duration::from_secs(1);
    c.write("plan", put("newer"));
    propose(
        &mut hub,
        Ask::Propose(Box::new(that_writes("plan", put("voted for")))),
    );
    hub.settle();
    talk(&mut hub, &mut [&mut a, &mut b]);
    for agent in [&mut a, &mut b] {
        vote(agent, Vote::For);
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("plan"), Some("voted for".into()));
    c.connect(&mut hub, 40);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    assert_eq!(hub.value("plan"), Some("newer".into()));
    assert_equal(&hub, &[&a, &b, &c]);
    assert!(b.receipts.is_empty() && c.receipts.is_empty());
    (hub, a, b)
}

fn waiting(hub: &mut HubSide, name: &str) -> Vec<Receipt> {
    let agent = AgentId::new(name).expect("a name");
    match hub.ask(Ask::Receipts { agent, after: None }) {
        Some(Ok(Answer::Receipts { receipts, .. })) => receipts.0,
        other => panic!("{other:?}"),
    }
}

fn told(receipt: &Receipt) -> (Option<Value>, Option<&Value>) {
    (receipt.discarded.value(), winner(receipt).1)
}

#[test]
fn an_agent_that_proposed_it_has_it_back_and_can_propose_it_again() {
    let by_agent = |hub: &mut HubSide, ask| {
        hub.hear(SessionId(1), Body::Request { request: 9, ask });
    };
    let (mut hub, mut a, mut b) = approved_and_lost(by_agent);
    let receipt = only_receipt(&a);
    assert_eq!(
        told(receipt),
        (Some("voted for".into()), Some(&"newer".into()))
    );
    let again = a.command(Command::Repropose(receipt.write.clone()));
    a.settle();
    let written = a.answer(again);
    assert!(
        matches!(written, Some(Ok(Outcome::Written(_)))),
        "{written:?}"
    );
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("plan"), Some("voted for".into()));
    assert_eq!(waiting(&mut hub, "a"), []);
}

#[test]
fn a_client_that_proposed_it_takes_it_under_its_name() {
    let by_client = |hub: &mut HubSide, ask| {
        let client = hub.connect(30, "cli", Role::Client);
        hub.hear(client, Body::Request { request: 9, ask });
    };
    let (mut hub, ..) = approved_and_lost(by_client);
    let [receipt] = &waiting(&mut hub, "cli")[..] else {
        panic!("one waits");
    };
    assert_eq!(told(receipt).1, Some(&"newer".into()));
    hub.said.clear();
    let ask = Ask::TakeReceipts(vec![receipt.write.clone()].into());
    hub.hear(SessionId(30), Body::Request { request: 10, ask });
    hub.settle();
    let taken = hub.said.iter().find_map(|(_, said)| read_reply(said));
    assert_eq!(taken, Some(Ok(Answer::Taken(1))));
    assert_eq!(waiting(&mut hub, "cli"), []);
}

#[test]
fn the_hubs_own_program_takes_what_it_proposed() {
    let here = |hub: &mut HubSide, ask| {
        let now = hub.now();
        hub.hub.handle_ask(now, 9, ask);
        hub.drain();
    };
    let (mut hub, ..) = approved_and_lost(here);
    let [receipt] = &waiting(&mut hub, "hub")[..] else {
        panic!("one waits");
    };
    assert_eq!(receipt.key, key("plan"));
    let ask = Ask::TakeReceipts(vec![receipt.write.clone()].into());
    assert_eq!(hub.ask(ask), Some(Ok(Answer::Taken(1))));
    assert_eq!(waiting(&mut hub, "hub"), []);
}

#[test]
fn whoever_proposed_it_is_not_taken_to_have_known_that_it_was_approved() {
    let (mut hub, mut a, mut b) = trio();
    let mut c = AgentSide::new("c");
    c.connect(&mut hub, 40);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    let ask = Ask::Propose(Box::new(that_writes("plan", put("voted for"))));
    hub.hear(SessionId(1), Body::Request { request: 9, ask });
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    a.cut(&mut hub);
    vote(&mut b, Vote::For);
    vote(&mut c, Vote::For);
    talk(&mut hub, &mut [&mut b, &mut c]);
    assert_eq!(hub.value("plan"), Some("voted for".into()));
    a.write("step", put(1));
    let request = PastAsk::Knew {
        key: key("step"),
        write: WriteId::new(a.replica.writer().clone(), Seq::new(1)),
        after: None,
    };
    a.connect(&mut hub, 41);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    let Ok(PastAnswer::Knew(knew)) = past(&mut hub, request) else {
        panic!("it is known");
    };
    let stale: Vec<_> = knew.stale.iter().map(|stale| stale.key.as_str()).collect();
    assert_eq!(stale, ["plan"], "{knew:?}");
}
