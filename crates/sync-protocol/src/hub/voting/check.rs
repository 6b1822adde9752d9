//! What may be voted on: everything that can be refused is refused before anybody is asked.

use std::time::Duration;

use sync_core::{
    AgentId, Digest, DigestKey, Effect, Entry, Now, Proposal, ProposalId, RequestError, Weights,
    codec,
};

use crate::compose;
use crate::hub::{Hub, ReplyTo};

/// Proposals that one name may have under way, and answers that one connection may wait for: more than
/// any agent proposes at once, and far from all there may be, so that nobody keeps the others from it.
const PROPOSALS_PER_PEER: usize = 16;

/// Characters of a name that is repeated to whoever gave it.
const SHOWN_MAX: usize = 60;

fn invalid(reason: String) -> RequestError {
    RequestError::Invalid { reason }
}

/// One id stands for one proposal.
pub(super) fn is_same(id: ProposalId, held: Digest, asked: Digest) -> Result<(), RequestError> {
    if held == asked {
        return Ok(());
    }
    Err(invalid(format!(
        "the proposal id {id} stands for another proposal: draw a new one at random"
    )))
}

impl Hub {
    /// How large a proposal is, and its fingerprint.
    pub(super) fn measure(
        &self,
        proposal: &Proposal,
    ) -> Result<(ProposalId, usize, Digest), RequestError> {
        proposal.subject.check_depth()?;
        if let Some(effect) = &proposal.effect {
            compose::check_operation(&effect.operation, u64::MAX)?;
        }
        let bytes = codec::to_bytes(proposal);
        let (len, limit) = (bytes.len(), self.config.limits.proposal_bytes_max);
        if len > limit {
            return Err(invalid(format!(
                "the proposal takes {len} bytes; the limit is {limit}: write what is large to a key, and propose the key"
            )));
        }
        let fingerprint = DigestKey::of(&self.config.swarm).proposal(&bytes);
        Ok((proposal.id, len, fingerprint))
    }

    /// A proposal that may be voted on, with the algorithm, the threshold and the time that hold for it;
    /// and what those who vote on it weigh.
    pub(super) fn check_proposal(
        &self,
        now: Now,
        to: ReplyTo,
        mut proposal: Proposal,
        bytes: usize,
    ) -> Result<(Proposal, Weights), RequestError> {
        let participants: Vec<AgentId> = self.roster.keys().cloned().collect();
        self.check_roster(participants.len())?;
        let asked = proposal.algorithm.as_deref();
        let algorithms = &self.config.algorithms;
        let found = algorithms.get(asked);
        let (name, algorithm) = found.ok_or_else(|| self.unknown_algorithm(asked))?;
        let checked = algorithm.check(&participants, proposal.threshold);
        checked.map_err(invalid)?;
        let weights = algorithm.weights(&participants);
        proposal.threshold = proposal.threshold.or_else(|| algorithm.default_threshold());
        proposal.timeout_ms = Some(self.check_time(proposal.timeout_ms)?);
        proposal.algorithm = Some(name.to_owned());
        if let Some(effect) = &proposal.effect {
            self.check_effect(effect)?;
        }
        self.check_askers(to)?;
        self.check_room(now, to, bytes)?;
        Ok((proposal, weights))
    }

    fn check_roster(&self, participants: usize) -> Result<(), RequestError> {
        let limit = self.config.limits.voters_max;
        if participants == 0 {
            return Err(invalid(
                "no agent is on the roster, so nobody could vote: connect one to this swarm first (`swarm-sync agent`; in the library `Agent`, or `StateSynchronizer::register` for one that comes later)"
                    .to_owned(),
            ));
        }
        if participants > limit {
            return Err(invalid(format!(
                "{participants} agents are on the roster; at most {limit} can vote: take those off that are gone for good"
            )));
        }
        Ok(())
    }

    fn unknown_algorithm(&self, asked: Option<&str>) -> RequestError {
        let known: Vec<&str> = self.config.algorithms.names().collect();
        if known.is_empty() {
            return invalid("this hub has no algorithm to decide with: give it one".to_owned());
        }
        let asked: String = asked.unwrap_or_default().chars().take(SHOWN_MAX).collect();
        let known = known.join(", ");
        invalid(format!(
            "there is no algorithm {asked:?}: this hub knows {known}"
        ))
    }

    /// How long a vote takes, in milliseconds.
    fn check_time(&self, asked: Option<u64>) -> Result<u64, RequestError> {
        let most = self.config.limits.vote_deadline_max;
        let own = self.config.vote_deadline;
        let time = asked.map_or_else(|| own.min(most), Duration::from_millis);
        if time.is_zero() {
            return Err(invalid(
                "a vote that may take 0 ms cannot be won: give the agents some time".to_owned(),
            ));
        }
        if time > most {
            let most = most.as_secs();
            return Err(invalid(format!(
                "a vote takes {most} s at most: name a shorter time, and propose again if it runs out"
            )));
        }
        Ok(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// What approval is to commit must fit its key now. It may not fit any more when it is approved.
    fn check_effect(&self, effect: &Effect) -> Result<(), RequestError> {
        let Effect { key, operation } = effect;
        let limit = compose::value_bytes_max(key, &self.config.limits, self.policies());
        compose::check_operation(operation, limit)?;
        let empty = Entry::new();
        let entry = self.space.get(key).map_or(&empty, |state| state.entry());
        let rule = self.resolvers.of_entry(key, entry, |_| true);
        if let Some(rule) = rule.or_else(|| self.resolvers.of_operation(key, operation)) {
            let planned = rule.plan(operation, entry, &self.writer);
            planned.map_err(|error| self.resolvers.refusal(key, operation, error))?;
        }
        Ok(())
    }

    /// The program that runs the hub bounds itself, and no peer may keep it from asking.
    pub(super) fn check_askers(&self, to: ReplyTo) -> Result<(), RequestError> {
        let ReplyTo::Remote(session, _) = to else {
            return Ok(());
        };
        if self.votes.awaited_by(session) < PROPOSALS_PER_PEER {
            return Ok(());
        }
        Err(invalid(format!(
            "this connection waits for {PROPOSALS_PER_PEER} votes, the limit: ask again when one has ended"
        )))
    }

    fn check_room(&self, now: Now, to: ReplyTo, bytes: usize) -> Result<(), RequestError> {
        let ReplyTo::Remote(..) = to else {
            return Ok(());
        };
        let proposer = self.name_of(to);
        if self.votes.of_proposer(&proposer) >= PROPOSALS_PER_PEER {
            return Err(invalid(format!(
                "{PROPOSALS_PER_PEER} proposals of {proposer} are voted on, the limit: propose again when one is decided, which is in {} s at the latest",
                self.votes
                    .next_end(now, Some(&proposer))
                    .as_millis()
                    .div_ceil(1_000)
            )));
        }
        let limits = &self.config.limits;
        let (open, held) = self.votes.of_peers();
        if open >= limits.polls_max || held + bytes > limits.poll_bytes_max {
            return Err(invalid(format!(
                "{open} proposals of {held} bytes are voted on, as many as there may be: propose again when some are decided, of which the first is in {} s at the latest",
                self.votes.next_end(now, None).as_millis().div_ceil(1_000)
            )));
        }
        Ok(())
    }
}
