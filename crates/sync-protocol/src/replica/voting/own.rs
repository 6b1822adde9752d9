//! The votes that an agent has given.

use std::collections::BTreeMap;
use std::time::Duration;

use bincode::{Decode, Encode};
use sync_core::{Ballot, Digest, ProposalId, VoteOutcome};

use super::pending::Pending;
use super::told::Told;

/// A vote as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct OwnVote {
    pub(crate) proposal: ProposalId,
    /// Counts votes: the oldest is forgotten first.
    pub(crate) number: u64,
    pub(crate) ballot: Ballot,
    /// What it is about: the fingerprint that the hub gave to the proposal it told of under the id.
    pub(crate) about: Digest,
    /// What the hub has said of it; none as long as it is to be sent.
    pub(crate) outcome: Option<VoteOutcome>,
    /// Whether there is nothing to vote on any more.
    pub(crate) is_over: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct OwnVotes {
    by_id: BTreeMap<ProposalId, OwnVote>,
    /// What it was told of, whether or not it has voted.
    pub(super) told: Told,
    /// Those of which the hub has not said what became of them.
    pub(super) pending: Pending,
}

impl OwnVotes {
    /// Takes a vote back.
    pub(crate) fn restore(&mut self, vote: OwnVote) {
        if vote.outcome.is_none() {
            self.pending.add(vote.number, vote.proposal);
        }
        self.by_id.insert(vote.proposal, vote);
    }

    /// What earlier runs have voted on and not heard the end of: this one asks for it. The hub lets no vote
    /// take longer than `longest`.
    pub(crate) fn open(&mut self, longest: Duration) {
        let undecided = self.by_id.values().filter(|vote| !vote.is_over);
        for vote in undecided {
            let of = (vote.proposal, vote.about);
            self.told.note(Duration::ZERO, of, longest);
        }
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
        (proposal, about): (ProposalId, Digest),
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
            about,
            outcome: None,
            is_over: false,
        };
        self.pending.add(vote.number, proposal);
        self.by_id.insert(proposal, vote.clone());
        (vote, forgotten)
    }

    /// A vote whose outcome is to be heard again.
    pub(super) fn reopen(&mut self, proposal: ProposalId) -> Option<OwnVote> {
        let vote = self.by_id.get_mut(&proposal)?;
        vote.outcome = None;
        vote.is_over = false;
        self.pending.add(vote.number, proposal);
        Some(vote.clone())
    }

    /// Notes what became of a vote; none if that is no news, or was said of one about something else.
    pub(super) fn settle(
        &mut self,
        (proposal, about): (ProposalId, Digest),
        outcome: VoteOutcome,
    ) -> Option<OwnVote> {
        let vote = self.by_id.get_mut(&proposal)?;
        if vote.about != about || vote.outcome == Some(outcome) {
            return None;
        }
        vote.outcome = Some(outcome);
        self.pending.remove(vote.number);
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
    pub(super) fn waiting(&self) -> Vec<OwnVote> {
        self.votes_on(self.pending.in_order())
    }

    /// Of those the ones that were last sent at `at` or before.
    pub(super) fn sent_by(&self, at: Duration) -> Vec<OwnVote> {
        self.votes_on(self.pending.sent_by(at))
    }

    fn votes_on(&self, proposals: impl Iterator<Item = ProposalId>) -> Vec<OwnVote> {
        let votes = proposals.filter_map(|proposal| self.by_id.get(&proposal));
        votes.cloned().collect()
    }

    /// When the one was sent that is out the longest; none if there is none.
    pub(crate) fn asked_at(&self) -> Option<Duration> {
        self.pending.oldest()
    }

    /// Takes a vote out that is on nothing that there is; false if there is none.
    pub(super) fn drop(&mut self, proposal: ProposalId) -> bool {
        let gone = self.by_id.remove(&proposal);
        if let Some(vote) = &gone {
            self.pending.remove(vote.number);
        }
        gone.is_some()
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
            votes.keep((id(bits), about()), ballot(), usize::MAX);
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
        votes.settle((id(1), about()), VoteOutcome::Counted);
        assert!(votes.has_room(3));
        let (_, forgotten) = votes.keep((id(9), about()), ballot(), 3);
        assert_eq!(forgotten, Some(id(1)));
        assert!(!votes.has_room(3));
    }

    #[test]
    fn what_is_over_is_forgotten_first_and_of_that_the_oldest() {
        let mut votes = votes(4);
        for bits in 0..4 {
            votes.settle((id(bits), about()), VoteOutcome::Counted);
        }
        votes.end(id(0));
        votes.settle((id(2), about()), VoteOutcome::Over(Verdict::Timeout));
        let order = [2, 0, 3, 1];
        for (next, gone) in (10..).zip(order) {
            let (_, forgotten) = votes.keep((id(next), about()), ballot(), 4);
            assert_eq!(forgotten, Some(id(gone)));
        }
    }
}
