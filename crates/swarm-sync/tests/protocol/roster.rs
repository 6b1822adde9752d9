//! Who belongs to a swarm, and how it ends.

use std::time::Duration;

use sync_core::{AgentId, Answer, Ask, Body, Role, Verdict, Vote};

use crate::ballots::{decision, proposal, propose, vote};
use crate::stage::{put, read_reply, talk, trio};

fn agent(name: &str) -> AgentId {
    AgentId::new(name).expect("a name")
}

#[test]
fn who_is_taken_off_has_no_vote_from_then_on_until_it_connects_again() {
    let (mut hub, mut a, mut b) = trio();
    b.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    let ask = || Ask::Unregister(agent("b"));
    for was_on in [true, false] {
        assert_eq!(hub.ask(ask()), Some(Ok(Answer::Unregistered(was_on))));
    }
    assert_eq!(hub.unregistered, [agent("b")], "once");
    hub.restart();
    assert_eq!(hub.value("k"), Some(1.into()), "what it wrote stays");
    a.reconnect(&mut hub, 11);
    propose(&mut hub, proposal(|_| {}));
    talk(&mut hub, &mut [&mut a]);
    vote(&mut a, Vote::For);
    talk(&mut hub, &mut [&mut a]);
    let decided = decision(&mut hub);
    assert_eq!(decided.participants, [agent("a")]);
    b.connect(&mut hub, 12);
    assert!(hub.hub.roster().eq([&agent("a"), &agent("b")]));
}

#[test]
fn whoever_takes_itself_off_is_told_so_before_its_connection_ends() {
    let (mut hub, a, _) = trio();
    let session = a.session.unwrap();
    let ask = Ask::Unregister(agent("a"));
    hub.hear(session, Body::Request { request: 5, ask });
    assert!(hub.said.is_empty() && hub.closed.is_empty(), "not durable");
    hub.settle();
    let [(to, message)] = &hub.said[..] else {
        panic!("{:?}", hub.said)
    };
    assert_eq!(*to, session);
    assert_eq!(read_reply(message), Some(Ok(Answer::Unregistered(true))));
    assert_eq!(hub.closed[0].0, session);
}

#[test]
fn a_client_may_take_agents_off() {
    let (mut hub, _, _) = trio();
    let client = hub.connect(5, "client", Role::Client);
    let ask = Ask::Unregister(agent("nobody"));
    hub.hear(client, Body::Request { request: 5, ask });
    hub.settle();
    let answers = hub.said.iter().filter_map(|(_, said)| read_reply(said));
    assert!(answers.eq([Ok(Answer::Unregistered(false))]));
}

#[test]
fn a_vote_that_too_few_were_there_for_says_who_was_away() {
    let (mut hub, mut a, mut b) = trio();
    for n in 0..4 {
        hub.hub.register(&agent(&format!("gone-{n}")));
    }
    propose(&mut hub, proposal(|_| {}));
    talk(&mut hub, &mut [&mut a, &mut b]);
    vote(&mut a, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.pass(Duration::from_secs(5));
    hub.settle();
    let decided = decision(&mut hub);
    assert_eq!(decided.verdict, Verdict::Timeout);
    let why = decided.why.expect("a reason");
    let expected =
        "4 of the roster's 6 had not voted and were not connected (gone-0, gone-1, gone-2, …)";
    assert!(why.starts_with(expected), "{why}");
}
