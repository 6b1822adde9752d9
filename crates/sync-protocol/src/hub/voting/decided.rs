//! Decisions that are remembered, the last ones, for proposers who ask again and votes that come late.

use std::collections::BTreeMap;
use std::sync::Arc;

use bincode::{Decode, Encode};
use sync_core::{AgentId, Ballot, Decision, Digest, ProposalId, RowOp, VoteOutcome};

use crate::config::Limits;
use crate::rows;

/// A decision as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Remembered {
    /// Counts decisions: the oldest is forgotten first.
    pub(crate) number: u64,
    /// Of the proposal as it was made.
    pub(crate) fingerprint: Digest,
    pub(crate) decision: Arc<Decision>,
}

/// The decisions, each with its size.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    by_id: BTreeMap<ProposalId, (Remembered, usize)>,
    /// By age.
    order: BTreeMap<u64, ProposalId>,
    bytes: usize,
}

impl Decided {
    pub(super) fn get(&self, id: ProposalId) -> Option<&Remembered> {
        self.by_id.get(&id).map(|(remembered, _)| remembered)
    }

    /// The oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Remembered> {
        self.order.values().filter_map(|id| self.get(*id))
    }

    /// The number of the next one.
    pub(super) fn next_number(&self) -> u64 {
        self.order.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    /// One more, which takes so many bytes where it is stored.
    pub(super) fn insert(&mut self, remembered: Remembered, bytes: usize) {
        let id = remembered.decision.proposal;
        self.bytes += bytes;
        self.order.insert(remembered.number, id);
        self.by_id.insert(id, (remembered, bytes));
    }

    /// Forgets the oldest beyond the limits; the rows that go with that.
    pub(super) fn forget_oldest(&mut self, limits: &Limits) -> Vec<RowOp> {
        let mut ops = Vec::new();
        while self.order.len() > 1
            && (self.order.len() > limits.decisions_max || self.bytes > limits.decision_bytes_max)
        {
            let Some((_, id)) = self.order.pop_first() else {
                break;
            };
            let gone = self.by_id.remove(&id);
            self.bytes -= gone.map_or(0, |(_, bytes)| bytes);
            ops.push(rows::delete_decision(id));
        }
        ops
    }

    /// What becomes of a vote that comes when nothing is open under its id.
    pub(super) fn outcome_of(
        &self,
        id: ProposalId,
        agent: &AgentId,
        ballot: &Ballot,
    ) -> VoteOutcome {
        let Some(Remembered { decision, .. }) = self.get(id) else {
            return VoteOutcome::Unknown;
        };
        if decision.participants.binary_search(agent).is_err() {
            return VoteOutcome::NotParticipant;
        }
        let held = decision.votes.iter().find(|cast| cast.agent == *agent);
        let over = VoteOutcome::Over(decision.verdict);
        held.map_or(over, |cast| again(&cast.ballot, ballot))
    }
}

/// What becomes of the second vote of an agent: the first one stands, and so does its reason, which
/// would be lost without a word if another one passed for the same vote.
pub(super) fn again(held: &Ballot, ballot: &Ballot) -> VoteOutcome {
    if held == ballot {
        VoteOutcome::Counted
    } else {
        VoteOutcome::AlreadyVoted(held.vote)
    }
}
