//! What an agent does with its own votes.

use std::time::Duration;

use sync_core::{
    Ballot, Body, Digest, DigestKey, Durability, Incarnation, ProposalId, Row, Verdict, Vote,
    VoteOutcome, codec,
};
use sync_protocol::{Command, ReplicaConfig, ReplicaRecovery};

use crate::ballots::{
    self, ASKED, ID, ballot, counted, decision, give, is_vote, names, proposal, propose, said_on,
    vote, vote_on,
};
use crate::disk::Image;
use crate::hand::{deliver, say};
use crate::stage::{HubSide, talk, trio};

#[test]
fn a_vote_given_while_cut_off_is_kept_and_sent() {
    let (mut hub, mut a, mut b) = ballots::asked();
    a.cut(&mut hub);
    let asked = vote(&mut a, Vote::For);
    assert!(a.answer(asked).is_none(), "it is not durable yet");
    a.settle();
    // Nothing can be heard of it, so that nobody waits for that.
    let told = a.answer(asked).unwrap().unwrap_err();
    assert_eq!(told.kind(), "unavailable");
    let told = told.to_string();
    assert!(told.contains("is kept and will be sent"), "{told}");
    a.connect(&mut hub, 11);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(names(&decision(&mut hub), Vote::For), ["a", "b"]);
    // Asking once more what became of it costs nothing.
    let again = vote(&mut a, Vote::For);
    assert_eq!(counted(&mut a, again), Ok(()));
    assert!(a.said.is_empty());
}

#[test]
fn who_waits_too_long_is_told_that_the_vote_is_kept() {
    let (mut hub, mut a, mut b) = ballots::asked();
    let asked = vote(&mut a, Vote::For);
    a.settle();
    // The connection is lost, and the vote with it.
    a.cut(&mut hub);
    assert_eq!(a.replica.poll_timeout(), Some(Duration::from_secs(2)));
    a.pass(Duration::from_secs(2));
    let told = counted(&mut a, asked).unwrap_err();
    assert!(
        told.contains("2000 ms") && told.contains("kept and will be sent"),
        "{told}"
    );
    a.connect(&mut hub, 11);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
}

#[test]
fn a_vote_stands_also_after_a_restart() {
    let (mut hub, mut a, _) = ballots::asked();
    a.cut(&mut hub);
    vote(&mut a, Vote::Against);
    a.settle();
    for _ in 0..2 {
        let asked = vote(&mut a, Vote::For);
        let refused = counted(&mut a, asked).unwrap_err();
        assert!(
            refused.contains("has voted against on the proposal"),
            "{refused}"
        );
        a.restart();
    }
    assert!(a.disk.waiting().next().is_none());
}

#[test]
fn an_id_alone_is_nothing_to_vote_on() {
    let (mut hub, mut a, mut b) = trio();
    for agent in [&mut a, &mut b] {
        let asked = vote(agent, Vote::For);
        let refused = counted(agent, asked).unwrap_err();
        assert!(
            refused.contains("told of no proposal 0000000000000007 since it started"),
            "{refused}"
        );
        assert!(agent.disk.waiting().next().is_none(), "nothing is kept");
    }
    propose(&mut hub, proposal(|_| {}));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(hub.take_answer(ASKED).is_none(), "nobody has voted on it");
    // Another run knows no more than what it is told, either.
    a.restart();
    let asked = vote(&mut a, Vote::For);
    let refused = a.answer(asked).expect("at once").unwrap_err();
    assert_eq!(refused.kind(), "unknown-proposal");
    a.reconnect(&mut hub, 11);
    talk(&mut hub, &mut [&mut a, &mut b]);
    vote(&mut a, Vote::For);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
}

#[test]
fn who_waits_for_a_vote_on_what_the_id_no_longer_stands_for_is_told_so() {
    let (mut hub, mut a, mut b) = ballots::asked();
    let asked = vote(&mut a, Vote::For);
    a.settle();
    // The connection is lost, and the vote with it.
    a.cut(&mut hub);
    the_hub_forgets(&mut hub);
    b.reconnect(&mut hub, 12);
    talk(&mut hub, &mut [&mut b]);
    hub.hub.register(&sync_core::AgentId::new("a").unwrap());
    propose(&mut hub, proposal(|p| p.subject = "all of it".into()));
    a.connect(&mut hub, 11);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let told = counted(&mut a, asked).unwrap_err();
    assert!(told.contains("stands for another proposal"), "{told}");
    a.restart();
    let again = vote(&mut a, Vote::For);
    let refused = a.answer(again).expect("at once").unwrap_err();
    assert_eq!(refused.kind(), "unknown-proposal", "the vote is gone");
}

#[test]
fn what_is_said_of_an_earlier_vote_under_the_id_is_not_said_of_this_one() {
    let (mut hub, mut a, _) = ballots::asked();
    let asked = vote(&mut a, Vote::For);
    a.settle();
    let reply = |about| Body::VoteReply {
        proposal: ID,
        about,
        outcome: VoteOutcome::Another,
    };
    a.hear(reply(Digest::default()));
    assert!(a.answer(asked).is_none(), "it waits");
    let about = hub.told[&ID];
    a.hear(reply(about));
    counted(&mut a, asked).unwrap_err();
    hub.settle();
}

#[test]
fn the_same_vote_with_another_reason_is_refused_and_the_first_one_stands() {
    let (mut hub, mut a, mut b) = ballots::asked();
    let because = |reason: &str| Ballot {
        vote: Vote::For,
        reason: Some(reason.to_owned()),
    };
    for (reason, expected) in [
        ("cheap", None),
        ("cheap", None),
        ("good", Some("already-voted")),
    ] {
        let asked = give(&mut a, ID, because(reason));
        talk(&mut hub, &mut [&mut a, &mut b]);
        let answer = a.answer(asked).expect("an answer");
        assert_eq!(answer.err().map(|error| error.kind()), expected, "{reason}");
    }
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let decision = decision(&mut hub);
    assert_eq!(decision.votes[0].ballot, because("cheap"));
}

#[test]
fn a_confirmation_that_comes_late_ends_what_there_is_to_vote_on() {
    let (mut hub, mut a, _) = ballots::asked();
    a.cut(&mut hub);
    let asked = vote(&mut a, Vote::For);
    a.settle();
    a.pass(Duration::from_secs(3));
    counted(&mut a, asked).unwrap_err();
    assert!(a.voted.is_empty(), "nobody has confirmed it");
    a.connect(&mut hub, 11);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.voted, [ID]);
}

#[test]
fn every_other_outcome_is_told_in_a_sentence() {
    let (mut hub, mut a, mut b) = trio();
    propose(&mut hub, proposal(|_| {}));
    hub.pass(Duration::from_secs(5));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let late = vote(&mut a, Vote::For);
    let wrong = vote_on(&mut a, ProposalId::from_random(99), Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let told = counted(&mut a, late).unwrap_err();
    assert!(told.contains("is over, it is timeout"), "{told}");
    let told = counted(&mut a, wrong).unwrap_err();
    assert!(
        told.contains("told of no proposal 0000000000000063"),
        "{told}"
    );
    let long = a.command(Command::Vote {
        proposal: ProposalId::from_random(98),
        ballot: Ballot {
            vote: Vote::For,
            reason: Some("x".repeat(1_025)),
        },
        timeout: Duration::from_secs(1),
    });
    let told = counted(&mut a, long).unwrap_err();
    assert!(told.contains("1025 bytes; the limit is 1024"), "{told}");
    assert!(a.disk.waiting().next().is_none());
}

#[test]
fn an_agent_of_the_same_name_that_has_voted_otherwise_is_believed() {
    let (mut hub, mut a, b) = trio();
    propose(&mut hub, proposal(|_| {}));
    deliver(&mut hub, &mut a, |_| true);
    // Another disk under this name, long gone.
    let ghost = a.session.unwrap();
    let said = said_on(&hub, ID, ballot(Vote::Against));
    hub.hear(ghost, said);
    hub.settle();
    hub.said.clear();
    let asked = vote(&mut a, Vote::For);
    talk(&mut hub, &mut [&mut a]);
    let told = counted(&mut a, asked).unwrap_err();
    assert!(told.contains("has voted against"), "{told}");
    drop(b);
}

#[test]
fn the_application_is_asked_once_in_a_run() {
    let (mut hub, mut a, mut b) = trio();
    propose(&mut hub, proposal(|_| {}));
    for session in 11..14 {
        a.reconnect(&mut hub, session);
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    assert_eq!(a.polls.len(), 1);
    a.restart();
    a.reconnect(&mut hub, 14);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.polls.len(), 2, "another run does not know");
}

#[test]
fn votes_are_sent_in_the_order_they_were_given() {
    let (mut hub, mut a, _) = trio();
    for bits in [3, 4, 5] {
        let id = ProposalId::from_random(bits);
        propose(&mut hub, proposal(|p| p.id = id));
    }
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    for bits in [5, 3, 4] {
        vote_on(&mut a, ProposalId::from_random(bits), Vote::For);
    }
    a.restart();
    a.connect(&mut hub, 11);
    a.settle();
    let sent = a.said.iter().filter_map(|message| match &message.body {
        Body::Vote { proposal, .. } => Some(proposal.bits()),
        _ => None,
    });
    let sent: Vec<u64> = sent.collect();
    assert!(sent.is_empty(), "they were not durable: {sent:?}");
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    for bits in [5, 3, 4] {
        vote_on(&mut a, ProposalId::from_random(bits), Vote::For);
    }
    a.settle();
    a.restart();
    a.connect(&mut hub, 12);
    assert!(!is_vote(&a.said[0].body), "the cursor comes first");
    let sent = a.said.iter().filter_map(|message| match &message.body {
        Body::Vote { proposal, .. } => Some(proposal.bits()),
        _ => None,
    });
    assert_eq!(sent.collect::<Vec<_>>(), [5, 3, 4]);
    say(&mut hub, &mut a);
}

/// A hub that has lost its disk is asked something else under the same id.
fn the_hub_forgets(hub: &mut HubSide) {
    hub.disk.restore(Image::default());
    hub.restart();
}

#[test]
fn a_vote_on_one_proposal_is_none_on_another_under_its_id() {
    for has_voted in [true, false] {
        let (mut hub, mut a, mut b) = trio();
        propose(&mut hub, proposal(|p| p.subject = "a cookie".into()));
        talk(&mut hub, &mut [&mut a, &mut b]);
        if has_voted {
            vote(&mut a, Vote::For);
            vote(&mut b, Vote::For);
            talk(&mut hub, &mut [&mut a, &mut b]);
            assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
        }
        a.restart();
        a.polls.clear();
        b.polls.clear();
        the_hub_forgets(&mut hub);
        a.reconnect(&mut hub, 11);
        b.reconnect(&mut hub, 12);
        talk(&mut hub, &mut [&mut a, &mut b]);
        propose(&mut hub, proposal(|p| p.subject = "all of it".into()));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert!(hub.take_answer(ASKED).is_none(), "nobody has voted on it");
        assert_eq!((a.polls.len(), b.polls.len()), (1, 1), "both are asked");
        let asked = vote(&mut a, Vote::Against);
        vote(&mut b, Vote::Against);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(counted(&mut a, asked), Ok(()));
        assert_eq!(decision(&mut hub).verdict, Verdict::Rejected);
    }
}

/// As a row was written when a vote could be about nothing: after its ballot whether it is about something.
#[test]
fn a_vote_of_an_older_shape_is_refused_or_is_about_nothing() {
    for (about, is_read) in [(None, true), (Some(fingerprint()), false)] {
        let older = (
            ID,
            1_u64,
            ballot(Vote::For),
            about,
            None::<VoteOutcome>,
            false,
        );
        let row = Row {
            key: [&b"b"[..], &ID.bits().to_be_bytes()].concat().into(),
            value: codec::to_bytes(&older),
        };
        let (mut hub, a, mut b) = trio();
        let config = ReplicaConfig::new(
            hub.config.swarm.clone(),
            a.replica.writer().agent().clone(),
            Durability::Disk,
        );
        let run = Incarnation::from_random(9);
        let mut recovery = ReplicaRecovery::new(config, sync_resolve::standard(), run);
        assert_eq!(recovery.row(&row).is_ok(), is_read, "{about:?}");
        if !is_read {
            continue;
        }
        let mut a = a;
        a.replica = recovery.open();
        a.reconnect(&mut hub, 11);
        propose(&mut hub, proposal(|_| {}));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(a.polls.len(), 1, "it is asked");
        vote(&mut b, Vote::For);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert!(hub.take_answer(ASKED).is_none(), "the row is no vote on it");
    }
}

fn fingerprint() -> Digest {
    DigestKey::of(&crate::stage::hub_config().swarm).proposal(b"something")
}
