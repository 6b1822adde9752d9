//! The votes that an agent has given, and the proposals it was told of.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bincode::{Decode, Encode};
use sync_core::{Ballot, Digest, ProposalId, VoteOutcome};

/// Proposals that this run remembers to have passed on: more than a hub has open at once, so that none
/// that is still voted on is passed on twice.
const TOLD_MAX: usize = 1_024;

/// A vote as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct OwnVote {
    pub(crate) proposal: ProposalId,
    /// Counts votes: the oldest is forgotten first.
    pub(crate) number: u64,
    pub(crate) ballot: Ballot,
    /// What it is about: the fingerprint of the proposal that this run was told of under the id. None if
    /// it was not told of any yet.
    pub(crate) about: Option<Digest>,
    /// What the hub has said of it; none as long as it is to be sent.
    pub(crate) outcome: Option<VoteOutcome>,
    /// Whether there is nothing to vote on any more.
    pub(crate) is_over: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct OwnVotes {
    by_id: BTreeMap<ProposalId, OwnVote>,
    told: VecDeque<(ProposalId, Digest)>,
    /// When the last one was sent.
    pub(super) sent_at: Option<Duration>,
}

impl OwnVotes {
    /// Takes a vote back.
    pub(crate) fn restore(&mut self, vote: OwnVote) {
        self.by_id.insert(vote.proposal, vote);
    }

    pub(super) fn get(&self, proposal: ProposalId) -> Option<&OwnVote> {
        self.by_id.get(&proposal)
    }

    /// Whether one more can be kept. What waits for the hub is not forgotten.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.by_id.len() < limit || self.least_needed().is_some()
    }

    /// The vote that is forgotten first: of those that are over, else of those that the hub has, the
    /// oldest.
    fn least_needed(&self) -> Option<ProposalId> {
        let settled = self.by_id.values().filter(|vote| vote.outcome.is_some());
        let oldest = settled.min_by_key(|vote| (!vote.is_over, vote.number));
        oldest.map(|vote| vote.proposal)
    }

    /// Keeps a vote; returns it, and which one is forgotten for it.
    pub(super) fn keep(
        &mut self,
        proposal: ProposalId,
        ballot: Ballot,
        limit: usize,
    ) -> (OwnVote, Option<ProposalId>) {
        let is_full = self.by_id.len() >= limit;
        let forgotten = self.least_needed().filter(|_| is_full);
        let number = self.by_id.values().map(|vote| vote.number).max();
        if let Some(forgotten) = forgotten {
            self.by_id.remove(&forgotten);
        }
        let vote = OwnVote {
            proposal,
            number: number.unwrap_or_default() + 1,
            ballot,
            about: self.told_under(proposal),
            outcome: None,
            is_over: false,
        };
        self.by_id.insert(proposal, vote.clone());
        (vote, forgotten)
    }

    /// A vote whose outcome is to be heard again.
    pub(super) fn reopen(&mut self, proposal: ProposalId) -> Option<OwnVote> {
        let vote = self.by_id.get_mut(&proposal)?;
        vote.outcome = None;
        vote.is_over = false;
        Some(vote.clone())
    }

    /// Notes what became of a vote; none if that is no news.
    pub(super) fn settle(&mut self, proposal: ProposalId, outcome: VoteOutcome) -> Option<OwnVote> {
        let vote = self.by_id.get_mut(&proposal)?;
        if vote.outcome == Some(outcome) {
            return None;
        }
        vote.outcome = Some(outcome);
        // Nothing else will be heard of those.
        vote.is_over |= !matches!(outcome, VoteOutcome::Counted);
        Some(vote.clone())
    }

    /// Notes that there is nothing to vote on any more; none if that is no news.
    pub(super) fn end(&mut self, proposal: ProposalId) -> Option<OwnVote> {
        let vote = self.by_id.get_mut(&proposal)?;
        let is_news = !std::mem::replace(&mut vote.is_over, true);
        is_news.then(|| vote.clone())
    }

    /// Those of which the hub has not said what became of them, in the order they were given.
    pub(super) fn pending(&self) -> Vec<OwnVote> {
        let pending = self.by_id.values().filter(|vote| vote.outcome.is_none());
        let mut pending: Vec<OwnVote> = pending.cloned().collect();
        pending.sort_by_key(|vote| vote.number);
        pending
    }

    /// When those that are out were sent; none if there are none.
    pub(crate) fn asked_at(&self) -> Option<Duration> {
        let waits = self.by_id.values().any(|vote| vote.outcome.is_none());
        self.sent_at.filter(|_| waits)
    }

    /// Whether a proposal was not passed on before in this run; from now on it was.
    pub(super) fn is_new(&mut self, proposal: ProposalId, about: Digest) -> bool {
        let before = self.told_under(proposal);
        if before == Some(about) {
            return false;
        }
        self.told.retain(|(told, _)| *told != proposal);
        if self.told.len() >= TOLD_MAX {
            self.told.pop_front();
        }
        self.told.push_back((proposal, about));
        true
    }

    fn told_under(&self, proposal: ProposalId) -> Option<Digest> {
        let told = self.told.iter().rev().find(|(told, _)| *told == proposal);
        told.map(|(_, about)| *about)
    }

    /// Whether the vote under an id is on this proposal. One that was given by the id alone is on what the
    /// hub tells of first.
    pub(super) fn is_about(&mut self, proposal: ProposalId, about: Digest) -> bool {
        let vote = self.by_id.get_mut(&proposal);
        vote.is_some_and(|vote| *vote.about.get_or_insert(about) == about)
    }

    /// Takes a vote out that is on nothing that there is; false if there is none.
    pub(super) fn drop(&mut self, proposal: ProposalId) -> bool {
        self.by_id.remove(&proposal).is_some()
    }
}

#[cfg(test)]
mod tests {
    use sync_core::{DigestKey, SwarmId, Verdict, Vote};

    use super::*;

    fn id(bits: u64) -> ProposalId {
        ProposalId::from_random(bits)
    }

    /// Votes on so many proposals, numbered downwards so that their order is not that of their ids.
    fn votes(count: u64) -> OwnVotes {
        let mut votes = OwnVotes::default();
        for bits in (0..count).rev() {
            votes.keep(id(bits), ballot(), usize::MAX);
        }
        votes
    }

    fn about() -> Digest {
        let swarm = SwarmId::new("team").unwrap();
        DigestKey::of(&swarm).proposal(b"a proposal")
    }

    fn ballot() -> Ballot {
        let (vote, reason) = (Vote::For, None);
        Ballot { vote, reason }
    }

    #[test]
    fn what_waits_for_the_hub_is_not_forgotten() {
        let mut votes = votes(3);
        assert!(votes.has_room(4));
        assert!(!votes.has_room(3));
        votes.settle(id(1), VoteOutcome::Counted);
        assert!(votes.has_room(3));
        let (_, forgotten) = votes.keep(id(9), ballot(), 3);
        assert_eq!(forgotten, Some(id(1)));
        assert!(!votes.has_room(3));
    }

    #[test]
    fn what_is_over_is_forgotten_first_and_of_that_the_oldest() {
        let mut votes = votes(4);
        for bits in 0..4 {
            votes.settle(id(bits), VoteOutcome::Counted);
        }
        votes.end(id(0));
        votes.settle(id(2), VoteOutcome::Over(Verdict::Timeout));
        let order = [2, 0, 3, 1];
        for (next, gone) in (10..).zip(order) {
            let (_, forgotten) = votes.keep(id(next), ballot(), 4);
            assert_eq!(forgotten, Some(id(gone)));
        }
    }

    #[test]
    fn a_proposal_is_passed_on_once_as_long_as_it_is_remembered() {
        let mut votes = OwnVotes::default();
        let most = TOLD_MAX as u64;
        assert!((0..most).all(|bits| votes.is_new(id(bits), about())));
        assert!((0..most).all(|bits| !votes.is_new(id(bits), about())));
        assert!(votes.is_new(id(most), about()));
        assert!(votes.is_new(id(0), about()), "the oldest is forgotten");
    }
}
