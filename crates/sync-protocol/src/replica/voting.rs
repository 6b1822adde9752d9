//! Votes of this agent: stored before they are sent, sent until the hub has said what became of them, and
//! remembered after that, so that an agent never says two things.

mod own;

use std::time::Duration;

use sync_core::consensus::REASON_BYTES_MAX;
use sync_core::{
    Ballot, Body, DigestKey, Now, Poll, ProposalId, RequestError, Verdict, VoteOutcome, codec,
};

use super::{Outcome, Replica, ReplicaOutput, RequestId};
use crate::rows;

pub(crate) use self::own::OwnVote;
pub(super) use self::own::OwnVotes;

impl Replica {
    /// Votes on a proposal, also on one that this run was not told of.
    pub(super) fn vote(
        &mut self,
        now: Now,
        request: RequestId,
        proposal: ProposalId,
        ballot: Ballot,
        timeout: Duration,
    ) {
        if let Err(reason) = self.check_vote(proposal, &ballot) {
            return self.answer(request, Err(RequestError::Invalid { reason }));
        }
        match self.votes.get(proposal) {
            None => self.keep_vote(now, proposal, ballot),
            Some(held) if held.outcome == Some(VoteOutcome::Counted) => {
                return self.answer(request, Ok(Outcome::Done));
            }
            Some(_) => self.send_again(now, proposal),
        }
        self.waiting.vote(now, request, proposal, timeout);
    }

    fn check_vote(&self, proposal: ProposalId, ballot: &Ballot) -> Result<(), String> {
        let bytes = ballot.reason.as_ref().map_or(0, String::len);
        if bytes > REASON_BYTES_MAX {
            return Err(format!(
                "the reason has {bytes} bytes; the limit is {REASON_BYTES_MAX}: write a longer one to a key, and name the key"
            ));
        }
        let Some(held) = self.votes.get(proposal) else {
            let limit = self.config.limits.own_votes_max;
            if self.votes.has_room(limit) {
                return Ok(());
            }
            return Err(format!(
                "{limit} votes of this agent wait for the hub, the limit: let it reach its hub"
            ));
        };
        let vote = held.ballot.vote;
        if vote == ballot.vote {
            return Ok(());
        }
        Err(format!(
            "this agent has voted {vote} on the proposal {proposal} before, and a vote stands"
        ))
    }

    /// Stores a vote, then sends it.
    fn keep_vote(&mut self, now: Now, proposal: ProposalId, ballot: Ballot) {
        let limit = self.config.limits.own_votes_max;
        let (vote, forgotten) = self.votes.keep(proposal, ballot, limit);
        let mut ops: Vec<_> = forgotten.map(rows::delete_own_vote).into_iter().collect();
        ops.push(rows::put_own_vote(&vote));
        self.persist(ops);
        self.send_vote(now, &vote);
    }

    fn send_vote(&mut self, now: Now, vote: &OwnVote) {
        self.votes.sent_at = Some(now.mono);
        self.send(Body::Vote {
            proposal: vote.proposal,
            ballot: vote.ballot.clone(),
        });
    }

    /// Asks the hub once more what became of a vote.
    fn send_again(&mut self, now: Now, proposal: ProposalId) {
        if let Some(vote) = self.votes.reopen(proposal) {
            self.send_vote(now, &vote);
        }
    }

    /// Sends every vote of which the hub has not said what became of it.
    pub(super) fn send_votes(&mut self, now: Now) {
        for vote in self.votes.pending() {
            self.send_vote(now, &vote);
        }
    }

    /// The hub asks for a vote. What this agent has said to this very proposal before, in this run or an
    /// earlier one, it says again. What it has said to another one under the same id, which a hub has
    /// forgotten, is no answer to this one.
    pub(super) fn handle_proposal(&mut self, now: Now, poll: Poll) {
        let id = poll.proposal.id;
        let about = DigestKey::of(&self.config.swarm).proposal(&codec::to_bytes(&poll.proposal));
        let is_new = self.votes.is_new(id, about);
        if self.votes.is_about(id, about) {
            // One that was given by the id alone is on this from now on.
            let bound = self.votes.get(id).map(rows::put_own_vote);
            self.lazy_rows.extend(bound);
            return self.send_again(now, id);
        }
        self.forget_vote(id);
        if is_new {
            let poll = Box::new(poll);
            self.gate.push(ReplicaOutput::Proposal(poll));
        }
    }

    fn forget_vote(&mut self, proposal: ProposalId) {
        if self.votes.drop(proposal) {
            self.persist(vec![rows::delete_own_vote(proposal)]);
        }
    }

    pub(super) fn handle_vote_reply(&mut self, proposal: ProposalId, outcome: VoteOutcome) {
        let Some(vote) = self.votes.settle(proposal, outcome) else {
            return;
        };
        // Should it be lost, the hub says it again.
        self.lazy_rows.push(rows::put_own_vote(&vote));
        for request in self.waiting.take_votes(proposal) {
            let result = match sentence(proposal, outcome) {
                None => Ok(Outcome::Done),
                Some(reason) => Err(RequestError::Invalid { reason }),
            };
            self.answer(request, result);
        }
    }

    /// A vote is over. Own ones on it are the first to be forgotten.
    pub(super) fn handle_decided(&mut self, proposal: ProposalId, verdict: Verdict) {
        if let Some(vote) = self.votes.end(proposal) {
            self.lazy_rows.push(rows::put_own_vote(&vote));
        }
        self.gate.push(ReplicaOutput::Decided { proposal, verdict });
    }
}

/// Why a vote does not count.
fn sentence(proposal: ProposalId, outcome: VoteOutcome) -> Option<String> {
    Some(match outcome {
        VoteOutcome::Counted => return None,
        VoteOutcome::AlreadyVoted(vote) => format!(
            "this agent has voted {vote} on the proposal {proposal} before, and a vote stands"
        ),
        VoteOutcome::NotParticipant => format!(
            "this agent was not on the roster when the proposal {proposal} was made, so it has no vote on it"
        ),
        VoteOutcome::Over(verdict) => {
            format!(
                "the vote on the proposal {proposal} is over, it is {verdict}: this one came too late"
            )
        }
        VoteOutcome::Unknown => format!(
            "the hub knows no proposal {proposal}: it was decided long ago, or the id is not right"
        ),
    })
}
