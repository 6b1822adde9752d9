//! Votes at the hub: who may vote, what was voted, what it came to.
//!
//! A vote is asked for once it is durable, counted once it is durable, and decided together with what it
//! commits, in one batch. It belongs to the roster, not to whoever proposed it: it goes on when that one
//! is gone, and when the hub is gone it goes on with the next run.

mod books;
mod check;
mod decide;
mod decided;
mod ended;
mod tallies;

use std::sync::Arc;

use sync_core::consensus::REASON_BYTES_MAX;
use sync_core::{
    AgentId, Answer, Ballot, Body, Digest, Message, Now, Priority, Proposal, ProposalId,
    RequestError, Role, SessionId, Tally, Turn, Verdict, VoteOutcome,
    planted::{self, Planted},
};

use super::{Hub, ReplyTo};
use crate::rows;

use self::books::Open;
pub(super) use self::books::Votes;
pub(crate) use self::books::{Opened, StoredVote};
pub(super) use self::decide::Deciding;
pub(crate) use self::decided::Remembered;

/// How urgent the question to vote is, whatever it is about.
const ASKED_AS: Priority = Priority::High;

impl Hub {
    /// Has the roster vote. The same proposal again is answered with what it comes to, or came to.
    pub(super) fn propose(&mut self, now: Now, to: ReplyTo, proposal: Proposal) {
        self.tend_votes(now);
        if let Err(error) = self.open_vote(now, to, proposal) {
            self.reply(to, Err(error));
        }
    }

    fn open_vote(&mut self, now: Now, to: ReplyTo, proposal: Proposal) -> Result<(), RequestError> {
        let (id, bytes, fingerprint) = self.measure(&proposal)?;
        if let Some(held) = self.votes.fingerprint(id) {
            check::is_same(id, held, fingerprint)?;
            if let Some(held) = self.votes.decided.get(id) {
                let answer = Answer::Decided(Arc::clone(&held.decision));
                self.reply(to, Ok(answer));
                return Ok(());
            }
            self.check_askers(to)?;
            self.votes.wait(id, to);
            return Ok(());
        }
        let (proposal, weights) = self.check_proposal(now, to, proposal, bytes)?;
        self.check_space()?;
        let opened = Opened {
            proposal,
            fingerprint,
            proposer: self.name_of(to),
            participants: self.roster.keys().cloned().collect(),
            weights,
            began_ms: now.wall_ms,
        };
        self.persist(vec![rows::put_poll(&opened)]);
        self.votes.open(opened, bytes, now, to);
        self.announce(now, id, bytes);
        Ok(())
    }

    /// Asks every participant that is connected; ahead of what waits for it, as a vote has a deadline.
    fn announce(&mut self, now: Now, id: ProposalId, bytes: usize) {
        let Some(open) = self.votes.get(id) else {
            return;
        };
        let poll = Arc::new(open.poll(now));
        for session in self.connected(&open.opened.participants) {
            self.votes.note_told(id, session);
            let question = || Body::Proposal {
                poll: Arc::clone(&poll),
            };
            if bytes <= self.config.limits.ahead_bytes_max {
                let copy = Message::from(question()).at(Turn::AheadOfCopy(ASKED_AS));
                self.send(session, copy);
            }
            self.send(session, question());
        }
    }

    /// The connections of agents, as far as there are any.
    fn connected(&self, agents: &[AgentId]) -> Vec<SessionId> {
        let members = agents.iter().filter_map(|agent| self.roster.get(agent));
        members.filter_map(|member| member.session).collect()
    }

    /// Asks a participant for the votes that it has not given and was not asked for through this
    /// connection, as many as make a page; for the others when it is heard of again.
    pub(super) fn send_polls(&mut self, now: Now, session: SessionId) {
        let Some(peer) = self.sessions.get(&session) else {
            return;
        };
        if peer.role != Role::Member {
            return;
        }
        let agent = peer.agent.clone();
        let page = self.config.limits.page_bytes;
        for (poll, bytes) in self.votes.untold(now, &agent, session, page) {
            let poll = Arc::new(poll);
            self.send_weighing(session, bytes, Body::Proposal { poll });
        }
    }

    /// A member votes.
    pub(super) fn handle_vote(
        &mut self,
        now: Now,
        session: SessionId,
        (proposal, about): (ProposalId, Digest),
        ballot: Ballot,
    ) -> Result<(), String> {
        let reason = ballot.reason.as_deref().unwrap_or_default();
        if reason.len() > REASON_BYTES_MAX {
            let bytes = reason.len();
            return Err(format!(
                "the reason of a vote has {bytes} bytes; the limit is {REASON_BYTES_MAX}"
            ));
        }
        let Some(agent) = self.sessions.get(&session).map(|peer| peer.agent.clone()) else {
            return Ok(());
        };
        self.tend_votes(now);
        let outcome = self.take_vote(now, &agent, (proposal, about), ballot);
        let reply = Body::VoteReply {
            proposal,
            about,
            outcome,
        };
        self.send(session, reply);
        self.judge_vote(now, proposal);
        Ok(())
    }

    /// What becomes of a vote. One that is new is stored before anything else is said. One that is about
    /// another proposal than the one that has the id here is none on this one.
    fn take_vote(
        &mut self,
        now: Now,
        agent: &AgentId,
        (id, about): (ProposalId, Digest),
        ballot: Ballot,
    ) -> VoteOutcome {
        match self.votes.fingerprint(id) {
            None => return VoteOutcome::Unknown,
            Some(held) if held != about => return VoteOutcome::Another,
            Some(_) => {}
        }
        let Some(open) = self.votes.get(id) else {
            return self.votes.decided.outcome_of(id, agent, &ballot);
        };
        if let Some(known) = open.outcome_of(agent, &ballot) {
            return known;
        }
        let vote = StoredVote {
            proposal: id,
            agent: agent.clone(),
            ballot: ballot.clone(),
            left_ms: open.left_ms(now),
        };
        if !planted::is(Planted::VoteForgotten) {
            self.persist(vec![rows::put_vote(&vote)]);
        }
        self.votes.count(id, agent, ballot);
        VoteOutcome::Counted
    }

    /// Decides if the votes so far suffice. No majority of the participants, no decision: whatever an
    /// algorithm says.
    fn judge_vote(&mut self, now: Now, id: ProposalId) {
        let verdict = self.votes.get(id).and_then(|open| self.verdict(open));
        if let Some(is_approved) = verdict {
            let verdict = if is_approved {
                Verdict::Approved
            } else {
                Verdict::Rejected
            };
            self.decide(now, id, verdict);
        }
    }

    fn verdict(&self, open: &Open) -> Option<bool> {
        let proposal = &open.opened.proposal;
        let participants = &open.opened.participants;
        let few = planted::is(Planted::DecidesWithoutMajority);
        if open.votes.len() * 2 <= participants.len() && !few {
            return None;
        }
        let algorithm = proposal.algorithm.as_deref();
        let (_, algorithm) = self.config.algorithms.get(algorithm)?;
        algorithm.judge(&Tally {
            participants,
            votes: &open.votes,
            threshold: proposal.threshold,
            weights: &open.opened.weights,
        })
    }

    /// Decides what is due. Votes that were under way when the hub stopped go on from where they were:
    /// what their votes suffice for is decided before it is looked at how late it is.
    pub(super) fn tend_votes(&mut self, now: Now) {
        if self.failed.is_some() {
            return;
        }
        for id in self.votes.resume(now) {
            self.judge_vote(now, id);
        }
        for id in self.votes.due(now.mono) {
            self.decide(now, id, Verdict::Timeout);
        }
    }
}
