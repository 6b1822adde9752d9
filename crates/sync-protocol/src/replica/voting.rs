//! Votes of this agent: stored before they are sent, sent until the hub has said what became of them, and
//! remembered after that, so that an agent never says two things.

mod own;
mod pending;
mod told;

use std::time::Duration;

use sync_core::consensus::{ENDINGS_MAX, REASON_BYTES_MAX};
use sync_core::{
    Ballot, Body, Digest, Now, Poll, ProposalId, RequestError, Verdict, VoteOutcome,
    planted::{self, Planted},
};

use super::{Outcome, Replica, ReplicaOutput, RequestId};
use crate::rows;

pub(crate) use self::own::OwnVote;
pub(super) use self::own::OwnVotes;

impl Replica {
    /// Votes on a proposal that this run was told of, or says again what an earlier one has said. An id
    /// alone is nothing to vote on: anything may be proposed under it later. While there is no connection
    /// the caller is told so at once; the vote is kept, and sent when there is one.
    pub(super) fn vote(
        &mut self,
        now: Now,
        request: RequestId,
        proposal: ProposalId,
        ballot: Ballot,
        timeout: Duration,
    ) {
        let about = match self.check_vote(proposal, &ballot) {
            Ok(about) => about,
            Err(error) => return self.answer(request, Err(error)),
        };
        match self.votes.get(proposal) {
            None => self.keep_vote(now, (proposal, about), ballot),
            Some(held) if held.outcome == Some(VoteOutcome::Counted) => {
                return self.answer(request, Ok(Outcome::Done));
            }
            Some(_) => self.send_again(now, proposal),
        }
        if !self.link.is_up() {
            let doing = hearing_of(proposal);
            return self.answer(request, Err(RequestError::Unavailable { doing }));
        }
        self.waiting.vote(now, request, proposal, timeout);
    }

    /// What a vote is about, if it may be given.
    fn check_vote(&self, proposal: ProposalId, ballot: &Ballot) -> Result<Digest, RequestError> {
        let invalid = |reason| Err(RequestError::Invalid { reason });
        let bytes = ballot.reason.as_ref().map_or(0, String::len);
        if bytes > REASON_BYTES_MAX {
            return invalid(format!(
                "the reason has {bytes} bytes; the limit is {REASON_BYTES_MAX}: write a longer one to a key, and name the key"
            ));
        }
        if let Some(held) = self.votes.get(proposal) {
            let vote = held.ballot.vote;
            let is_same = held.ballot == *ballot;
            let stands = RequestError::AlreadyVoted { proposal, vote };
            return is_same.then_some(held.about).ok_or(stands);
        }
        let limit = self.config.limits.own_votes_max;
        let Some(about) = self.votes.told.about(proposal) else {
            return Err(RequestError::UnknownProposal { proposal });
        };
        if self.votes.has_room(limit) {
            return Ok(about);
        }
        invalid(format!(
            "{limit} votes of this agent wait for the hub, the limit: let it reach its hub"
        ))
    }

    /// Stores a vote, then sends it.
    fn keep_vote(&mut self, now: Now, of: (ProposalId, Digest), ballot: Ballot) {
        let limit = self.config.limits.own_votes_max;
        let (vote, forgotten) = self.votes.keep(of, ballot, limit);
        let mut ops: Vec<_> = forgotten.map(rows::delete_own_vote).into_iter().collect();
        ops.push(rows::put_own_vote(&vote));
        if !planted::is(Planted::VoteNotKept) {
            self.persist(ops);
        }
        self.send_vote(now, vote);
    }

    fn send_vote(&mut self, now: Now, vote: OwnVote) {
        self.votes.pending.note_sent(vote.number, now.mono);
        self.send(Body::Vote {
            proposal: vote.proposal,
            about: vote.about,
            ballot: vote.ballot,
        });
    }

    /// Asks the hub once more what became of a vote.
    fn send_again(&mut self, now: Now, proposal: ProposalId) {
        if let Some(vote) = self.votes.reopen(proposal) {
            self.send_vote(now, vote);
        }
    }

    /// Sends every vote of which the hub has not said what became of it.
    pub(super) fn send_votes(&mut self, now: Now) {
        for vote in self.votes.waiting() {
            self.send_vote(now, vote);
        }
    }

    /// Sends those again whose replies have not come in time.
    pub(super) fn repeat_votes(&mut self, now: Now) {
        let sent = now.mono.checked_sub(self.config.retry);
        for vote in sent.map_or_else(Vec::new, |at| self.votes.sent_by(at)) {
            self.send_vote(now, vote);
        }
    }

    /// Asks what became of what this run was told of and has not heard the end of: it may have been away.
    pub(super) fn ask_for_ends(&mut self) {
        let undecided: Vec<_> = self.votes.told.undecided().collect();
        self.send_undecided(&undecided);
    }

    /// Of that what must be over by now, of which the hub's word was lost.
    pub(super) fn ask_for_late_ends(&mut self, now: Now) {
        let overdue: Vec<_> = self.votes.told.overdue(now.mono).collect();
        self.send_undecided(&overdue);
    }

    fn send_undecided(&mut self, undecided: &[(ProposalId, Digest)]) {
        for chunk in undecided.chunks(ENDINGS_MAX) {
            let proposals = chunk.iter().copied().collect();
            self.send(Body::Undecided { proposals });
        }
    }

    /// The hub asks for a vote. What this agent has said to this very proposal before, in this run or an
    /// earlier one, it says again. What it has said to another one under the same id, which a hub has
    /// forgotten, is no answer to this one.
    pub(super) fn handle_proposal(&mut self, now: Now, poll: Poll) {
        let (id, about) = (poll.proposal.id, poll.about);
        let left = Duration::from_millis(poll.remaining_ms);
        let is_new = self.votes.told.note(now.mono, (id, about), left);
        if self.votes.get(id).is_some_and(|vote| vote.about == about) {
            return self.send_again(now, id);
        }
        self.forget_vote(id);
        if is_new {
            let poll = Box::new(poll);
            self.gate.push(ReplicaOutput::Proposal(poll));
        }
    }

    /// There is nothing any more that a vote is about; who waits for it to count is told so.
    fn forget_vote(&mut self, proposal: ProposalId) {
        if !self.votes.drop(proposal) {
            return;
        }
        self.persist(vec![rows::delete_own_vote(proposal)]);
        self.answer_votes(proposal, VoteOutcome::Another);
    }

    pub(super) fn handle_vote_reply(
        &mut self,
        (proposal, about): (ProposalId, Digest),
        outcome: VoteOutcome,
    ) {
        let Some(vote) = self.votes.settle((proposal, about), outcome) else {
            return;
        };
        // Should it be lost, the hub says it again.
        self.lazy_rows.push(rows::put_own_vote(&vote));
        if let VoteOutcome::Counted | VoteOutcome::AlreadyVoted(_) = outcome {
            self.gate.push(ReplicaOutput::Voted(proposal));
        }
        self.answer_votes(proposal, outcome);
    }

    fn answer_votes(&mut self, proposal: ProposalId, outcome: VoteOutcome) {
        for request in self.waiting.take_votes(proposal) {
            let result = refusal(proposal, outcome).map_or(Ok(Outcome::Done), Err);
            self.answer(request, result);
        }
    }

    /// A vote is over. Own ones on it are the first to be forgotten.
    pub(super) fn handle_decided(&mut self, now: Now, proposal: ProposalId, verdict: Verdict) {
        self.votes.told.end(now.mono, proposal);
        if let Some(vote) = self.votes.end(proposal) {
            self.lazy_rows.push(rows::put_own_vote(&vote));
        }
        self.gate.push(ReplicaOutput::Decided { proposal, verdict });
    }

    /// Votes have ended while this agent did not hear it. What nobody asked about is no news.
    pub(super) fn handle_ended(
        &mut self,
        now: Now,
        ended: &[(ProposalId, Digest, Option<Verdict>)],
    ) {
        for (proposal, about, verdict) in ended.iter().copied() {
            // By now the id may stand for another one, which is open.
            let is_that_one = self.votes.told.about(proposal) == Some(about);
            if !is_that_one || !self.votes.told.is_undecided(proposal) {
                continue;
            }
            if let Some(verdict) = verdict {
                self.handle_decided(now, proposal, verdict);
                continue;
            }
            self.votes.told.forget(proposal);
            if let Some(vote) = self.votes.end(proposal) {
                self.lazy_rows.push(rows::put_own_vote(&vote));
            }
            self.gate.push(ReplicaOutput::Forgotten(proposal));
        }
    }
}

/// What a caller cannot have while there is no connection. The vote itself has all it needs.
fn hearing_of(proposal: ProposalId) -> String {
    format!(
        "hearing whether the vote on the proposal {proposal} counts, which is kept and will be sent once there is a connection,"
    )
}

/// Why a vote does not count.
fn refusal(proposal: ProposalId, outcome: VoteOutcome) -> Option<RequestError> {
    let reason = match outcome {
        VoteOutcome::Counted => return None,
        VoteOutcome::AlreadyVoted(vote) => {
            return Some(RequestError::AlreadyVoted { proposal, vote });
        }
        VoteOutcome::NotParticipant => format!(
            "this agent was not on the roster when the proposal {proposal} was made, so it has no vote on it"
        ),
        VoteOutcome::Over(verdict) => {
            format!(
                "the vote on the proposal {proposal} is over, it is {verdict}: this one came too late"
            )
        }
        VoteOutcome::Unknown => format!(
            "the hub knows no proposal {proposal} any more: it was decided long ago, or lost with the hub's disk"
        ),
        VoteOutcome::Another => format!(
            "the id {proposal} stands for another proposal by now, and this vote is not on that one: read what it says, then vote anew"
        ),
    };
    Some(RequestError::Invalid { reason })
}
