//! Polls at an agent, its voter and those who look on, without a replica.

use std::sync::atomic::{AtomicBool, Ordering};

use sync_core::{AgentId, Digest, Proposal, Value, Vote};

use super::*;

fn poll(id: u64) -> Poll {
    Poll {
        proposal: Proposal {
            id: ProposalId::from_random(id),
            subject: Value::Null,
            effect: None,
            algorithm: Some("quorum".to_owned()),
            threshold: None,
            timeout_ms: Some(60_000),
        },
        about: Digest::default(),
        proposer: AgentId::new("somebody").unwrap(),
        participants: 3,
        remaining_ms: 60_000,
    }
}

/// Never votes, and notes that it is gone.
struct Hangs(Arc<AtomicBool>);

struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Voter for Hangs {
    async fn vote(&self, _: &Poll) -> Option<Ballot> {
        let _gone = Gone(Arc::clone(&self.0));
        std::future::pending().await
    }
}

#[tokio::test]
async fn who_is_slow_is_told_how_much_it_missed() {
    let mut voting = Voting::new(None);
    let mut proposals = voting.subscribe();
    for id in 0..EVENTS_MAX as u64 + 44 {
        voting.decided(ProposalId::from_random(id), Verdict::Approved);
    }
    let Some(ProposalEvent::Missed { count }) = proposals.next().await else {
        panic!("it is not told");
    };
    assert_eq!(count, 44);
    let Some(ProposalEvent::Decided { proposal, .. }) = proposals.next().await else {
        panic!("the rest is there");
    };
    assert_eq!(proposal, ProposalId::from_random(44));
    drop(voting);
    let mut rest = 0;
    while proposals.next().await.is_some() {
        rest += 1;
    }
    assert_eq!(rest, EVENTS_MAX - 1);
}

#[tokio::test]
async fn a_voter_is_stopped_when_the_vote_is_over() {
    let gone = Arc::new(AtomicBool::new(false));
    let mut voting = Voting::new(Some(Arc::new(Hangs(Arc::clone(&gone)))));
    voting.proposed(poll(1));
    // It has begun.
    tokio::task::yield_now().await;
    assert!(!gone.load(Ordering::SeqCst));
    voting.decided(ProposalId::from_random(1), Verdict::Rejected);
    voting.running.join_next().await.unwrap().unwrap_err();
    assert!(gone.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_poll_beyond_the_bound_is_told_and_not_kept() {
    let mut voting = Voting::new(None);
    let mut proposals = voting.subscribe();
    for id in 0..=POLLS_MAX as u64 {
        voting.proposed(poll(id));
        if id < EVENTS_MAX as u64 {
            assert!(matches!(
                proposals.next().await,
                Some(ProposalEvent::Proposed(_))
            ));
        }
    }
    assert_eq!(voting.open.len(), POLLS_MAX);
}

#[tokio::test]
async fn what_was_voted_on_or_is_over_is_not_shown_to_who_comes_later() {
    let mut voting = Voting::new(None);
    for id in 1..=4 {
        voting.proposed(poll(id));
    }
    let id = ProposalId::from_random;
    voting.decided(id(1), Verdict::Timeout);
    voting.voted(id(2));
    voting.proposed(poll(5));
    voting.forgotten(id(5));
    let open = voting.subscribe().open;
    let shown: Vec<_> = open.iter().map(|poll| poll.proposal.id).collect();
    assert_eq!(shown, [id(3), id(4)]);
    assert!(open.iter().all(|poll| poll.remaining_ms <= 60_000));
}

#[tokio::test]
async fn what_the_voter_says_is_for_the_proposal_it_was_asked_about() {
    let voter = crate::voter_fn(|poll| {
        let vote = if poll.proposal.id == ProposalId::from_random(2) {
            Vote::For
        } else {
            return None;
        };
        Some(Ballot { vote, reason: None })
    });
    let mut voting = Voting::new(Some(Arc::new(voter)));
    for id in 1..=3 {
        voting.proposed(poll(id));
    }
    let (proposal, ballot) = voting.next().await;
    assert_eq!(
        (proposal, ballot.vote),
        (ProposalId::from_random(2), Vote::For)
    );
}
