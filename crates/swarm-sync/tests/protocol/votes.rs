//! Votes from the proposal to the decision.

use std::time::Duration;

use sync_core::{
    AgentId, Answer, Ask, Body, ConsensusAlgorithm, Role, RowOp, Share, Tally, Value, Verdict,
    Version, Vote, VoteOutcome,
};

use crate::ballots::{
    self, ASKED, ID, begin, cast, counted, decision, is_poll, is_vote, names, proposal, propose,
    that_writes, vote,
};
use crate::hand::say;
use crate::stage::{AgentSide, HubSide, bodies, hub_config, key, put, talk, trio};

fn metadata(hub: &mut HubSide, name: &str) -> Value {
    let Some(Ok(Answer::State(Some(state)))) = hub.ask(Ask::Get(key(name))) else {
        panic!("no value");
    };
    state.metadata.user.expect("metadata").0
}

#[test]
fn what_most_are_for_is_committed_with_who_was() {
    let (mut hub, mut a, mut b) = trio();
    propose(&mut hub, that_writes("plan", put("ship it")));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let [poll] = &a.polls[..] else {
        panic!("{:?}", a.polls)
    };
    assert_eq!(poll.proposal.algorithm.as_deref(), Some("quorum"));
    assert_eq!((poll.participants, poll.remaining_ms), (2, 5_000));
    assert_eq!(poll.proposer.as_str(), "hub");
    hub.mono += Duration::from_millis(40);
    let asked = [vote(&mut a, Vote::For), vote(&mut b, Vote::For)];
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(counted(&mut a, asked[0]), Ok(()));
    assert_eq!(counted(&mut b, asked[1]), Ok(()));
    let decision = decision(&mut hub);
    assert_eq!(decision.verdict, Verdict::Approved);
    assert_eq!(names(&decision, Vote::For), ["a", "b"]);
    assert_eq!((decision.duration_ms, decision.threshold), (40, None));
    let committed = decision.committed.expect("it was approved");
    assert_eq!(committed.key, key("plan"));
    assert_eq!(committed.version, Some(Version::new(1)));
    assert_eq!(committed.revision, hub.hub.revision());
    let told = [(ID, Verdict::Approved)];
    assert_eq!((&a.decided[..], &b.decided[..]), (&told[..], &told[..]));
    assert_eq!((&a.voted[..], &b.voted[..]), (&[ID][..], &[ID][..]));
    assert_eq!(a.value("plan"), Some(Value::from("ship it")));
    let Value::Map(map) = metadata(&mut hub, "plan") else {
        panic!("a map");
    };
    assert_eq!(map["proposal"], Value::from(ID.to_string().as_str()));
    let voters = [Value::from("a"), Value::from("b")].to_vec();
    assert_eq!(map["voters"], Value::List(voters));
}

#[test]
fn what_most_are_against_is_rejected_and_commits_nothing() {
    let (mut hub, mut a, mut b) = trio();
    propose(&mut hub, that_writes("plan", put("ship it")));
    talk(&mut hub, &mut [&mut a, &mut b]);
    vote(&mut a, Vote::For);
    vote(&mut b, Vote::Against);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let decision = decision(&mut hub);
    assert_eq!(decision.verdict, Verdict::Rejected);
    let dissent: Vec<_> = decision.dissent().map(|c| c.agent.as_str()).collect();
    assert_eq!(dissent, ["a"]);
    assert_eq!((decision.committed, decision.not_committed), (None, None));
    assert_eq!(hub.value("plan"), None);
}

#[test]
fn nobody_is_asked_before_the_poll_is_durable() {
    let (mut hub, a, _) = trio();
    begin(&mut hub, ASKED, proposal(|_| {}));
    let session = a.session.unwrap();
    assert!(!bodies(&hub.said, session).into_iter().any(is_poll));
    hub.settle();
    assert!(bodies(&hub.said, session).into_iter().any(is_poll));
}

#[test]
fn a_vote_is_durable_before_it_is_sent_confirmed_and_counted() {
    let (mut hub, mut a, mut b) = trio();
    propose(&mut hub, that_writes("plan", put(1)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    vote(&mut a, Vote::For);
    assert!(!a.said.iter().any(|m| is_vote(&m.body)), "sent too early");
    say(&mut hub, &mut a);
    let session = a.session.unwrap();
    let is_reply = |body: &&Body| matches!(body, Body::VoteReply { .. });
    assert!(!bodies(&hub.said, session).iter().any(is_reply));
    hub.settle();
    assert!(bodies(&hub.said, session).iter().any(is_reply));
    // The last vote: its own row first, then one batch of all that it decides.
    vote(&mut b, Vote::For);
    say(&mut hub, &mut b);
    assert!(hub.take_answer(ASKED).is_none());
    let batches: Vec<_> = hub.disk.waiting().cloned().collect();
    assert_eq!(batches.len(), 2, "{batches:?}");
    let kinds = |at: usize, deletes: bool| -> Vec<u8> {
        let ops = batches[at].ops.iter().filter_map(|op| match op {
            RowOp::Put { key, .. } if !deletes => Some(key[0]),
            RowOp::Delete { key } if deletes => Some(key[0]),
            _ => None,
        });
        ops.collect()
    };
    assert!(kinds(0, false).contains(&b'v'));
    for kind in [b'z', b'w', b'h'] {
        assert!(kinds(1, false).contains(&kind), "{}", char::from(kind));
    }
    assert_eq!(kinds(1, true), [b'q', b'v', b'v'], "nothing stays open");
    hub.settle();
    assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
}

#[test]
fn without_a_majority_of_the_roster_the_time_runs_out() {
    let (mut hub, mut a, mut b) = trio();
    hub.hub.register(&AgentId::new("c").unwrap());
    hub.hub.register(&AgentId::new("d").unwrap());
    propose(&mut hub, that_writes("plan", put(1)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    vote(&mut a, Vote::For);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::from_secs(5)));
    hub.pass(Duration::from_secs(5));
    hub.settle();
    let decision = decision(&mut hub);
    assert_eq!(decision.verdict, Verdict::Timeout);
    assert_eq!((decision.votes.len(), decision.participants.len()), (2, 4));
    assert_eq!(decision.duration_ms, 5_000);
    assert_eq!(hub.value("plan"), None);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.decided, [(ID, Verdict::Timeout)]);
}

#[test]
fn an_agent_that_comes_later_is_asked_if_it_was_on_the_roster() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    propose(&mut hub, proposal(|_| {}));
    talk(&mut hub, &mut [&mut a]);
    vote(&mut a, Vote::For);
    talk(&mut hub, &mut [&mut a]);
    hub.mono += Duration::from_secs(1);
    let mut c = AgentSide::new("c");
    c.connect(&mut hub, 3);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    assert_eq!(b.polls.len(), 1);
    assert_eq!(b.polls[0].remaining_ms, 4_000);
    assert!(c.polls.is_empty(), "it was not there");
    let asked = vote(&mut c, Vote::Against);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    let refused = counted(&mut c, asked).unwrap_err();
    assert!(refused.contains("joined the roster later"), "{refused}");
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    let decision = decision(&mut hub);
    assert_eq!(decision.participants.len(), 2);
    assert_eq!(names(&decision, Vote::For), ["a", "b"]);
    // It has voted: a new connection does not ask it again.
    b.reconnect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    assert_eq!(b.polls.len(), 1);
}

#[test]
fn who_leaves_the_roster_during_a_vote_still_counts_among_the_participants() {
    let (mut hub, mut a, mut b) = ballots::asked();
    let answer = hub.ask(Ask::Unregister(AgentId::new("b").unwrap()));
    assert_eq!(answer, Some(Ok(Answer::Unregistered(true))));
    vote(&mut a, Vote::For);
    talk(&mut hub, &mut [&mut a]);
    assert!(
        hub.take_answer(ASKED).is_none(),
        "one of two is no majority"
    );
    // It may come back and vote.
    b.reconnect(&mut hub, 5);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
}

#[test]
fn an_agent_counts_once_and_with_its_first_vote() {
    let (mut hub, a, b) = trio();
    propose(&mut hub, proposal(|_| {}));
    let (a, b) = (a.session.unwrap(), b.session.unwrap());
    assert_eq!(cast(&mut hub, a, Vote::Against), Some(VoteOutcome::Counted));
    assert_eq!(cast(&mut hub, a, Vote::Against), Some(VoteOutcome::Counted));
    let earlier = VoteOutcome::AlreadyVoted(Vote::Against);
    assert_eq!(cast(&mut hub, a, Vote::For), Some(earlier));
    assert!(hub.take_answer(ASKED).is_none(), "one of two has voted");
    assert_eq!(cast(&mut hub, b, Vote::Abstain), Some(VoteOutcome::Counted));
    let decision = decision(&mut hub);
    assert_eq!(decision.verdict, Verdict::Rejected);
    assert_eq!(names(&decision, Vote::Against), ["a"]);
    // The same holds once it is over.
    assert_eq!(cast(&mut hub, a, Vote::Against), Some(VoteOutcome::Counted));
    assert_eq!(cast(&mut hub, a, Vote::For), Some(earlier));
    let c = hub.connect(9, "c", Role::Member);
    let outcome = cast(&mut hub, c, Vote::For);
    assert_eq!(outcome, Some(VoteOutcome::NotParticipant));
}

#[test]
fn a_vote_after_the_deadline_is_told_that_it_is_over() {
    let (mut hub, a, b) = trio();
    propose(&mut hub, proposal(|_| {}));
    let (a, b) = (a.session.unwrap(), b.session.unwrap());
    cast(&mut hub, a, Vote::For);
    // Nobody has called yet.
    hub.mono += Duration::from_secs(6);
    let late = cast(&mut hub, b, Vote::For);
    assert_eq!(late, Some(VoteOutcome::Over(Verdict::Timeout)));
    assert_eq!(decision(&mut hub).verdict, Verdict::Timeout);
}

#[test]
fn the_hub_decides_nothing_without_a_majority_whatever_its_algorithm_says() {
    #[derive(Debug)]
    struct Rash;
    impl ConsensusAlgorithm for Rash {
        fn judge(&self, _: &Tally<'_>) -> Option<bool> {
            Some(true)
        }
        fn default_threshold(&self) -> Option<Share> {
            None
        }
        fn check(&self, _: &[AgentId], _: Option<Share>) -> Result<(), String> {
            Ok(())
        }
    }
    let mut config = hub_config();
    config.algorithms = sync_core::Algorithms::new("rash", std::sync::Arc::new(Rash));
    let mut hub = HubSide::with(config);
    let [a, b] = [(1, "a"), (2, "b")].map(|(n, name)| hub.connect(n, name, Role::Member));
    propose(&mut hub, proposal(|_| {}));
    cast(&mut hub, a, Vote::For);
    assert!(hub.take_answer(ASKED).is_none());
    cast(&mut hub, b, Vote::Against);
    assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
}

#[test]
fn a_deciding_vote_of_many_names_as_many_as_metadata_holds() {
    let mut hub = HubSide::new();
    let voters: Vec<_> = (0..999)
        .map(|n| hub.connect(n, &format!("agent-{n:03}"), Role::Member))
        .collect();
    propose(&mut hub, that_writes("plan", put(1)));
    for voter in voters {
        cast(&mut hub, voter, Vote::For);
    }
    let decision = decision(&mut hub);
    assert_eq!(
        names(&decision, Vote::For).len(),
        500,
        "no more were needed"
    );
    let Value::Map(map) = metadata(&mut hub, "plan") else {
        panic!("a map");
    };
    let Value::List(named) = &map["voters"] else {
        panic!("a list");
    };
    let more = i64::try_from(500 - named.len()).unwrap();
    assert_eq!(map["more_voters"], Value::Int(more));
    assert!(named.len() > 100);
}

#[test]
fn the_status_says_what_each_algorithm_has_come_to() {
    let (mut hub, a, b) = trio();
    let (a, b) = (a.session.unwrap(), b.session.unwrap());
    propose(&mut hub, proposal(|_| {}));
    cast(&mut hub, a, Vote::For);
    hub.mono += Duration::from_millis(30);
    cast(&mut hub, b, Vote::For);
    propose(
        &mut hub,
        proposal(|p| {
            p.id = sync_core::ProposalId::from_random(8);
            p.algorithm = Some("unanimous".to_owned());
        }),
    );
    let Some(Ok(Answer::Status(status))) = hub.ask(Ask::Status) else {
        panic!("no status");
    };
    let [quorum, unanimous, _] = &status.consensus[..] else {
        panic!("{:?}", status.consensus)
    };
    assert_eq!((quorum.algorithm.as_str(), quorum.open), ("quorum", 0));
    assert_eq!(
        (quorum.approved, quorum.votes, quorum.participants),
        (1, 2, 2)
    );
    assert_eq!(quorum.mean_duration_ms, Some(30));
    assert_eq!(unanimous.open, 1);
    assert_eq!(unanimous.mean_duration_ms, None);
}
