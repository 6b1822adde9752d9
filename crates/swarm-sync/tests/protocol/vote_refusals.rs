//! What is not voted on, and whose vote does not count: each with a sentence, before anybody is asked.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{
    AgentId, Algorithms, Answer, Ask, Ballot, Body, MergeRule, Operation, Proposal, ProposalId,
    Role, SessionId, Share, Value, Verdict, Vote, VoteOutcome,
};
use sync_protocol::HubConfig;
use sync_resolve::Weighted;

use crate::ballots::{
    ASKED, ID, ballot, cast, decision, is_poll, proposal, propose, refusal, reply_to, said_on,
    that_writes,
};
use crate::stage::{HubSide, hub_config, policy, put, read_reply, trio};

/// A hub with one member, under a configuration.
fn with(change: impl FnOnce(&mut HubConfig)) -> (HubSide, SessionId) {
    let mut config = hub_config();
    change(&mut config);
    let mut hub = HubSide::with(config);
    let a = hub.connect(1, "a", Role::Member);
    hub.settle();
    hub.said.clear();
    (hub, a)
}

type Change = Box<dyn FnOnce(&mut Proposal)>;

fn other_id(bits: u64) -> impl FnOnce(&mut Proposal) {
    move |p| p.id = ProposalId::from_random(bits)
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]))
}

#[test]
fn what_cannot_be_voted_on_is_refused_in_a_sentence_before_anybody_is_asked() {
    let (mut hub, _) = with(|_| {});
    hub.hub.handle_ask(
        hub.now(),
        1,
        Ask::Write {
            key: crate::stage::key("text"),
            operation: put("words"),
            metadata: None,
        },
    );
    hub.settle();
    hub.said.clear();
    let effect = |operation| -> Change {
        Box::new(move |p| p.effect = that_writes("text", operation).effect)
    };
    let cases: Vec<(Change, &str)> = vec![
        (
            Box::new(|p| p.algorithm = Some("paxos".to_owned())),
            "no algorithm \"paxos\": this hub knows quorum, unanimous",
        ),
        (
            Box::new(|p| p.algorithm = Some("x".repeat(10_000))),
            "this hub knows quorum",
        ),
        (
            Box::new(|p| p.subject = Value::from("x".repeat(70_000).as_str())),
            "the limit is 65536",
        ),
        (Box::new(|p| p.subject = nested(100)), "nested deeper than"),
        (Box::new(|p| p.timeout_ms = Some(0)), "0 ms"),
        (
            Box::new(|p| p.timeout_ms = Some(u64::MAX)),
            "takes 86400 s at most",
        ),
        (
            Box::new(|p| {
                p.algorithm = Some("unanimous".to_owned());
                p.threshold = Some(Share::new(0.5).unwrap());
            }),
            "0.5 is not unanimous",
        ),
        (effect(Operation::Add(1)), "add"),
        (effect(Operation::Put(nested(100))), "nested deeper than"),
        (
            effect(Operation::PutField(String::new(), Value::Null)),
            "1 to",
        ),
    ];
    for (change, expected) in cases {
        let told = refusal(&mut hub, proposal(change));
        assert!(told.contains(expected), "{told}");
        assert!(told.len() < 400, "{told}");
    }
    assert!(!hub.said.iter().any(|(_, m)| is_poll(&m.body)));
    assert!(hub.disk.waiting().next().is_none());
}

#[test]
fn a_threshold_that_is_no_share_is_no_message_either() {
    let propose = |bits: u64| {
        let mut asked = proposal(|p| p.threshold = Some(Share::new(0.75).unwrap()));
        asked.subject = Value::Null;
        let body = Body::Request {
            request: 1,
            ask: Ask::Propose(Box::new(asked)),
        };
        let frame = sync_core::codec::encode(&body.into()).to_bytes().to_vec();
        let good = 0.75_f64.to_bits();
        let at = [good.to_be_bytes(), good.to_le_bytes()]
            .iter()
            .find_map(|pattern| {
                frame
                    .windows(8)
                    .position(|window| window == pattern)
                    .map(|at| (at, *pattern == good.to_be_bytes()))
            });
        let mut frame = frame;
        let (at, is_big) = at.expect("eight bytes of a number");
        let bytes = if is_big {
            bits.to_be_bytes()
        } else {
            bits.to_le_bytes()
        };
        frame[at..at + 8].copy_from_slice(&bytes);
        sync_core::codec::decode(&frame.into())
    };
    assert!(propose(0.5_f64.to_bits()).is_ok());
    for bad in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
        let refused = propose(bad.to_bits()).unwrap_err().to_string();
        assert!(refused.contains("above 0 and at most 1"), "{refused}");
    }
}

#[test]
fn a_write_that_its_policy_forbids_is_not_voted_on() {
    let (mut hub, _) = with(|_| {});
    hub.govern(vec![policy("n*", |p| {
        p.rule = Some(MergeRule::Counter);
    })]);
    let told = refusal(&mut hub, that_writes("n", put(1)));
    assert!(told.contains("counter"), "{told}");
    hub.govern(vec![policy("n*", |p| p.max_value_bytes = Some(8))]);
    let told = refusal(&mut hub, that_writes("n", put("a long sentence")));
    assert!(told.contains("the limit is 8"), "{told}");
}

#[test]
fn there_is_no_vote_without_voters_nor_without_anybody_who_decides() {
    let mut nobody = HubSide::new();
    let told = refusal(&mut nobody, proposal(|_| {}));
    assert!(told.contains("no agent is on the roster"), "{told}");
    let (mut hub, _) = with(|config| config.algorithms = Algorithms::default());
    let told = refusal(&mut hub, proposal(|_| {}));
    assert!(told.contains("no algorithm to decide with"), "{told}");
    let (mut hub, _) = with(|config| config.limits.voters_max = 1);
    hub.connect(2, "b", Role::Member);
    let told = refusal(&mut hub, proposal(|_| {}));
    assert!(
        told.contains("2 agents are on the roster; at most 1"),
        "{told}"
    );
    let (mut hub, _) = with(|config| {
        let nothing = Weighted::new([(AgentId::new("a").unwrap(), 0.0)]).unwrap();
        config.algorithms = sync_resolve::algorithms().with("weighted", Arc::new(nothing));
    });
    let weighted = |p: &mut Proposal| p.algorithm = Some("weighted".to_owned());
    let told = refusal(&mut hub, proposal(weighted));
    assert!(told.contains("weighs 0 (a)"), "{told}");
}

#[test]
fn one_id_stands_for_one_proposal_and_one_decision() {
    let (mut hub, a) = with(|_| {});
    propose(&mut hub, proposal(|_| {}));
    let another = proposal(|p| p.subject = Value::from("something else"));
    let told = refusal(&mut hub, another.clone());
    assert!(told.contains("stands for another proposal"), "{told}");
    // The same again waits for the same decision, and the agent is not asked again.
    hub.said.clear();
    let ask = Ask::Propose(Box::new(proposal(|_| {})));
    hub.hub.handle_ask(hub.now(), 71, ask);
    hub.settle();
    assert!(!hub.said.iter().any(|(_, m)| is_poll(&m.body)));
    cast(&mut hub, a, Vote::For);
    let first = decision(&mut hub);
    let later = hub.take_answer(71);
    assert_eq!(later, Some(Ok(Answer::Decided(Arc::new(first.clone())))));
    let at = hub.hub.revision();
    propose(&mut hub, proposal(|_| {}));
    assert_eq!(decision(&mut hub), first);
    assert_eq!(hub.hub.revision(), at);
    let told = refusal(&mut hub, another);
    assert!(told.contains("stands for another proposal"), "{told}");
    // Also after a restart.
    hub.restart();
    propose(&mut hub, proposal(|_| {}));
    assert_eq!(decision(&mut hub), first);
}

#[test]
fn decisions_are_forgotten_the_oldest_first() {
    let (mut hub, a) = with(|config| config.limits.decisions_max = 2);
    for bits in 1..=3 {
        let id = ProposalId::from_random(bits);
        propose(&mut hub, proposal(other_id(bits)));
        let said = said_on(&hub, id, ballot(Vote::For));
        hub.hear(a, said);
        hub.settle();
        assert_eq!(decision(&mut hub).proposal, id);
    }
    hub.restart();
    for bits in [2, 3] {
        propose(&mut hub, proposal(other_id(bits)));
        assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
    }
    propose(&mut hub, proposal(other_id(1)));
    assert!(hub.take_answer(ASKED).is_none(), "voted on anew");
}

#[test]
fn an_approved_write_that_does_not_fit_any_more_is_not_committed_and_the_decision_says_so() {
    let (mut hub, a) = with(|_| {});
    propose(&mut hub, that_writes("n", put(1)));
    hub.govern(vec![policy("n", |p| p.rule = Some(MergeRule::Counter))]);
    cast(&mut hub, a, Vote::For);
    let decided = decision(&mut hub);
    assert_eq!(decided.verdict, Verdict::Approved);
    assert_eq!(decided.committed, None);
    let why = decided.not_committed.expect("a reason");
    assert!(why.contains("counter"), "{why}");
    assert_eq!(hub.value("n"), None);
    // Nothing to delete is nothing to do.
    propose(
        &mut hub,
        Proposal {
            id: ProposalId::from_random(9),
            ..that_writes("nothing", Operation::Delete)
        },
    );
    let said = said_on(&hub, ProposalId::from_random(9), ballot(Vote::For));
    hub.hear(a, said);
    hub.settle();
    let why = decision(&mut hub).not_committed.expect("a reason");
    assert!(why.contains("nothing left to do"), "{why}");
}

fn ask_as(hub: &mut HubSide, session: SessionId, request: u64, proposal: Proposal) -> String {
    let ask = Ask::Propose(Box::new(proposal));
    hub.said.clear();
    hub.hear(session, Body::Request { request, ask });
    hub.settle();
    let said = std::mem::take(&mut hub.said);
    let mut replies = said.iter().filter_map(|(_, message)| read_reply(message));
    match replies.next() {
        Some(Err(error)) => error.to_string(),
        Some(Ok(_)) => "decided".to_owned(),
        None => String::new(),
    }
}

#[test]
fn a_peer_has_few_proposals_open_and_leaves_room_for_the_others() {
    let (mut hub, _) = with(|config| config.limits.polls_max = 20);
    let greedy = hub.connect(2, "greedy", Role::Client);
    for n in 0..16 {
        assert_eq!(ask_as(&mut hub, greedy, n, proposal(other_id(n))), "");
    }
    let told = ask_as(&mut hub, greedy, 16, proposal(other_id(16)));
    assert!(told.contains("waits for 16 votes"), "{told}");
    // Waiting for the same one many times is not free either.
    let told = ask_as(&mut hub, greedy, 17, proposal(other_id(3)));
    assert!(told.contains("waits for 16 votes"), "{told}");
    // Nor does a new connection under the name help.
    hub.pass(Duration::from_secs(2));
    let again = hub.connect(3, "greedy", Role::Client);
    let told = ask_as(&mut hub, again, 1, proposal(other_id(17)));
    assert!(told.contains("16 proposals of greedy"), "{told}");
    assert!(told.ends_with("in 3 s at the latest"), "{told}");
    let other = hub.connect(4, "other", Role::Client);
    for n in 20..24 {
        assert_eq!(ask_as(&mut hub, other, n, proposal(other_id(n))), "");
    }
    let told = ask_as(&mut hub, other, 24, proposal(other_id(24)));
    assert!(told.contains("20 proposals of"), "{told}");
    assert!(told.ends_with("in 3 s at the latest"), "{told}");
    // The hub's own program is not kept from asking.
    propose(&mut hub, proposal(|_| {}));
    assert!(hub.take_answer(ASKED).is_none());
    hub.pass(Duration::from_secs(3));
    hub.settle();
    assert_eq!(ask_as(&mut hub, other, 25, proposal(other_id(25))), "");
}

/// Bad input, row 20.
#[test]
fn proposals_of_peers_are_bounded_in_bytes_too() {
    let (mut hub, _) = with(|config| config.limits.poll_bytes_max = 100_000);
    let peer = hub.connect(2, "peer", Role::Client);
    let large = |bits| {
        proposal(|p| {
            p.id = ProposalId::from_random(bits);
            p.subject = Value::from("x".repeat(60_000).as_str());
        })
    };
    assert_eq!(ask_as(&mut hub, peer, 1, large(1)), "");
    let told = ask_as(&mut hub, peer, 2, large(2));
    assert!(told.contains("as many as there may be"), "{told}");
}

#[test]
fn only_members_vote_and_with_reasons_of_a_paragraph() {
    let (mut hub, _) = with(|_| {});
    propose(&mut hub, proposal(|_| {}));
    let with_reason = |hub: &HubSide, reason: Option<String>| {
        let vote = Vote::For;
        said_on(hub, ID, Ballot { vote, reason })
    };
    let client = hub.connect(5, "client", Role::Client);
    let said = with_reason(&hub, None);
    hub.hear(client, said);
    assert!(
        hub.closed
            .iter()
            .any(|(who, why)| *who == client && why.contains("only ask"))
    );
    let b = hub.connect(6, "b", Role::Member);
    let said = with_reason(&hub, Some("x".repeat(1_025)));
    hub.hear(b, said);
    hub.settle();
    assert!(
        hub.closed
            .iter()
            .any(|(who, why)| *who == b && why.contains("1025 bytes"))
    );
    assert!(hub.take_answer(ASKED).is_none());
}

#[test]
fn a_vote_on_what_nobody_proposed_is_told_so() {
    let (mut hub, a, _) = trio();
    let session = a.session.unwrap();
    assert_eq!(
        cast(&mut hub, session, Vote::For),
        Some(VoteOutcome::Unknown)
    );
    assert!(hub.disk.waiting().next().is_none());
}

#[test]
fn a_vote_about_something_else_under_the_id_is_none_on_this() {
    let (mut hub, a) = with(|_| {});
    let (mut elsewhere, _) = with(|_| {});
    propose(&mut elsewhere, proposal(|p| p.subject = Value::Null));
    propose(&mut hub, proposal(|_| {}));
    let about = elsewhere.told[&ID];
    let other = || Body::Vote {
        proposal: ID,
        about,
        ballot: ballot(Vote::For),
    };
    let reply = reply_to(&mut hub, a, other());
    assert_eq!(reply, Some(VoteOutcome::Another));
    assert!(hub.take_answer(ASKED).is_none(), "it does not count");
    assert_eq!(cast(&mut hub, a, Vote::Against), Some(VoteOutcome::Counted));
    assert_eq!(decision(&mut hub).verdict, Verdict::Rejected);
    // Nor once it is decided.
    let reply = reply_to(&mut hub, a, other());
    assert_eq!(reply, Some(VoteOutcome::Another));
}

#[test]
fn a_vote_stands_with_its_reason() {
    let (mut hub, a, _) = trio();
    let a = a.session.unwrap();
    propose(&mut hub, proposal(|_| {}));
    let because = |reason: &str| Ballot {
        vote: Vote::For,
        reason: Some(reason.to_owned()),
    };
    for (reason, expected) in [
        ("cheap", VoteOutcome::Counted),
        ("cheap", VoteOutcome::Counted),
        ("good", VoteOutcome::AlreadyVoted(Vote::For)),
    ] {
        let said = said_on(&hub, ID, because(reason));
        assert_eq!(reply_to(&mut hub, a, said), Some(expected), "{reason}");
    }
}
