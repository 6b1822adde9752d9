//! Rows of votes: at the hub what is open, what was voted and what was decided; at an agent its own votes.

use sync_core::{AgentId, ProposalId, RowOp, codec};

use super::{delete, keys, put};
use crate::hub::{Opened, Remembered, StoredVote};
use crate::replica::OwnVote;

pub(crate) fn put_poll(opened: &Opened) -> RowOp {
    put(keys::poll(opened.proposal.id), codec::to_bytes(opened))
}

pub(crate) fn delete_poll(proposal: ProposalId) -> RowOp {
    delete(keys::poll(proposal))
}

pub(crate) fn put_vote(vote: &StoredVote) -> RowOp {
    let row = keys::vote(vote.proposal, &vote.agent);
    put(row, codec::to_bytes(vote))
}

pub(crate) fn delete_vote(proposal: ProposalId, agent: &AgentId) -> RowOp {
    delete(keys::vote(proposal, agent))
}

/// And how many bytes it takes.
pub(crate) fn put_decision(remembered: &Remembered) -> (RowOp, usize) {
    let row = keys::decision(remembered.decision.proposal);
    let value = codec::to_bytes(remembered);
    let bytes = value.len();
    (put(row, value), bytes)
}

pub(crate) fn delete_decision(proposal: ProposalId) -> RowOp {
    delete(keys::decision(proposal))
}

pub(crate) fn put_own_vote(vote: &OwnVote) -> RowOp {
    put(keys::own_vote(vote.proposal), codec::to_bytes(vote))
}

pub(crate) fn delete_own_vote(proposal: ProposalId) -> RowOp {
    delete(keys::own_vote(proposal))
}
