//! Proposing and voting as an agent.

use std::sync::Arc;

use sync_core::{Ballot, Decision, ProposalId, RequestError};
use sync_protocol::Command;

use super::asks::AgentAsker;
use super::driver::AgentCommand;
use super::{Agent, Proposals};
use crate::consensus::{Agreement, ConsensusManager, ProposalDraft};

impl Agent {
    /// Has the roster vote, this agent among it. Needs a connection; one that is lost meanwhile is waited
    /// for, as [`ConsensusManager::propose`] says.
    pub async fn propose(&self, draft: ProposalDraft) -> Result<Decision, RequestError> {
        self.consensus().propose(draft).await
    }

    /// Propose, vote, commit and synchronize in one call: [`ConsensusManager::propose_and_sync`].
    pub async fn propose_and_sync(&self, draft: ProposalDraft) -> Result<Agreement, RequestError> {
        self.consensus().propose_and_sync(draft).await
    }

    /// What this agent is asked to vote on, and what it comes to: first what is open already, but for what
    /// this run of the agent has voted on.
    pub async fn proposals(&self) -> Result<Proposals, RequestError> {
        self.read(|done| AgentCommand::Proposals { done }).await
    }

    /// Votes, and returns once the vote counts: it is durable here before it is sent, and at the hub. While
    /// there is no connection it is kept, and sent when there is one; this returns at once with
    /// [`RequestError::Unavailable`], as nothing can be heard of it. Asked once more, it says whether it counts.
    ///
    /// # Errors
    /// If this agent may not vote on it, has voted otherwise before, or the vote was over. If the hub has
    /// not confirmed it within the agent's timeout: then it may still count.
    pub async fn vote(&self, proposal: ProposalId, ballot: Ballot) -> Result<(), RequestError> {
        let timeout = self.default_timeout;
        let vote = Command::Vote {
            proposal,
            ballot,
            timeout,
        };
        self.run(vote).await.map(|_| ())
    }

    fn consensus(&self) -> ConsensusManager {
        let asker = Arc::new(AgentAsker(self.clone()));
        ConsensusManager::new(asker, self.default_timeout)
    }
}
