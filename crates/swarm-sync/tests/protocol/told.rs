//! What an agent was told of votes, and what it has missed of it.

use std::sync::Arc;
use std::time::Duration;

use sync_core::consensus::ENDINGS_MAX;
use sync_core::{Body, Digest, ProposalId, Verdict, Vote};

use crate::ballots::{self, ID, counted, decision, proposal, propose, vote};
use crate::disk::Image;
use crate::stage::{AgentSide, talk, trio};

/// The agent hears of so many short votes under other ids, and how each ends if it is told.
fn hear_of_short_ones(agent: &mut AgentSide, count: u64, ended: Option<Verdict>) {
    let like = agent.polls[0].clone();
    for bits in 1_000..1_000 + count {
        let mut poll = like.clone();
        poll.proposal.id = ProposalId::from_random(bits);
        poll.remaining_ms = 1;
        let proposal = poll.proposal.id;
        agent.hear(Body::Proposal {
            poll: Arc::new(poll),
        });
        if let Some(verdict) = ended {
            agent.hear(Body::Decided { proposal, verdict });
        }
    }
}

#[test]
fn an_open_proposal_may_be_voted_on_however_many_have_passed_since() {
    for ended in [Some(Verdict::Timeout), None] {
        let (mut hub, mut a, mut b) = trio();
        propose(&mut hub, proposal(|p| p.timeout_ms = Some(3_600_000)));
        talk(&mut hub, &mut [&mut a, &mut b]);
        for _ in 0..2 {
            hear_of_short_ones(&mut a, 4_095, ended);
            a.mono += Duration::from_mins(2);
        }
        let asked = vote(&mut a, Vote::For);
        vote(&mut b, Vote::For);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(counted(&mut a, asked), Ok(()));
        assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
    }
}

/// What an agent has asked of ends, in messages.
fn asked_for(agent: &AgentSide) -> Vec<usize> {
    let said = agent.said.iter().map(|message| &message.body);
    let asked = said.filter_map(|body| match body {
        Body::Undecided { proposals } => Some(proposals.len()),
        _ => None,
    });
    asked.collect()
}

#[test]
fn who_was_away_when_a_vote_ended_is_told_when_it_is_back() {
    for has_voted in [true, false] {
        let (mut hub, mut a, mut b) = ballots::asked();
        vote(&mut b, Vote::Against);
        if has_voted {
            vote(&mut a, Vote::Against);
        }
        b.settle();
        talk(&mut hub, &mut [&mut b]);
        a.settle();
        let said = std::mem::take(&mut a.said);
        let session = a.session.unwrap();
        a.cut(&mut hub);
        for message in said {
            hub.hear(session, message);
        }
        hub.pass(Duration::from_secs(5));
        hub.settle();
        hub.said.clear();
        assert!(a.decided.is_empty());
        a.reconnect(&mut hub, 11);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let [(ID, verdict)] = a.decided[..] else {
            panic!("{:?}", a.decided)
        };
        assert_eq!(decision(&mut hub).verdict, verdict);
        // What is known is not asked for.
        a.reconnect(&mut hub, 12);
        assert!(asked_for(&a).is_empty());
    }
}

/// Its vote is on its disk, so its next run asks what came of it.
#[test]
fn who_voted_and_died_is_told_how_it_ended() {
    let (mut hub, mut a, mut b) = ballots::asked();
    vote(&mut a, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut b]);
    for session in 11..13 {
        a.restart();
        a.reconnect(&mut hub, session);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(a.decided, [(ID, Verdict::Approved)], "once, to the first");
        // An orderly end writes down what it has heard.
        a.replica.flush_lazy_rows();
        a.settle();
    }
}

#[test]
fn what_the_hub_knows_nothing_of_ends_too_and_may_be_asked_anew() {
    let (mut hub, mut a, mut b) = ballots::asked();
    hub.disk.restore(Image::default());
    hub.restart();
    a.reconnect(&mut hub, 11);
    b.reconnect(&mut hub, 12);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!((&a.forgotten[..], a.decided.len()), (&[ID][..], 0));
    propose(&mut hub, proposal(|_| {}));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.polls.len(), 2);
    vote(&mut a, Vote::For);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
}

#[test]
fn what_is_open_is_not_said_to_have_ended() {
    let (mut hub, mut a, mut b) = ballots::asked();
    a.reconnect(&mut hub, 11);
    assert_eq!(asked_for(&a), [1]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(a.decided.is_empty() && a.forgotten.is_empty());
}

#[test]
fn an_end_that_was_lost_is_asked_for_once_it_is_late() {
    let (mut hub, mut a, _) = ballots::asked();
    hub.pass(Duration::from_secs(5));
    hub.settle();
    hub.said.clear();
    a.pass(Duration::from_secs(10));
    assert!(asked_for(&a).is_empty(), "it may be open yet");
    a.pass(Duration::from_mins(1));
    assert_eq!(asked_for(&a), [1]);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.decided, [(ID, Verdict::Timeout)]);
    a.pass(Duration::from_mins(1));
    assert!(asked_for(&a).is_empty());
}

#[test]
fn any_number_of_ends_takes_a_message_for_each_page_and_what_is_over_a_page_is_refused() {
    let (mut hub, mut a, _) = ballots::asked();
    hear_of_short_ones(&mut a, 3_000, None);
    a.reconnect(&mut hub, 11);
    assert_eq!(
        asked_for(&a),
        [ENDINGS_MAX, ENDINGS_MAX, 3_001 - 2 * ENDINGS_MAX]
    );
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.forgotten.len(), 3_000);
    assert!(hub.closed.is_empty());
    let proposals = (0..=ENDINGS_MAX as u64)
        .map(|bits| (ProposalId::from_random(bits), Digest::default()))
        .collect();
    hub.hear(a.session.unwrap(), Body::Undecided { proposals });
    assert!(hub.closed[0].1.contains("the limit is 1024"));
}
