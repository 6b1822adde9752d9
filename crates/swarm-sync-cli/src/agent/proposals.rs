//! What the agent is to vote on, and what it came to, as lines of the conversation.

use serde_json::json;
use swarm_sync::{Agent, ProposalEvent, Proposals};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::votes;

use super::answer;

/// Sends a line for each from now on, until it is stopped or the agent has. After some were missed, those
/// that are still open are told again.
pub(super) fn follow(
    agent: Agent,
    mut proposals: Proposals,
    out: mpsc::Sender<String>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(event) = proposals.next().await {
            // Fails only if stdout is closed, which ends the conversation.
            if out.send(line(&event)).await.is_err() {
                return;
            }
            if let ProposalEvent::Missed { .. } = event {
                let Ok(anew) = agent.proposals().await else {
                    return;
                };
                proposals = anew;
            }
        }
    })
}

fn line(event: &ProposalEvent) -> String {
    match event {
        ProposalEvent::Proposed(poll) => answer::event("proposal", votes::poll(poll)),
        ProposalEvent::Decided { proposal, verdict } => {
            let fields = json!({"proposal_id": proposal, "decision": verdict});
            answer::event("decided", answer::object(fields))
        }
        ProposalEvent::Forgotten { proposal } => {
            let fields = json!({"proposal_id": proposal});
            answer::event("proposal-forgotten", answer::object(fields))
        }
        ProposalEvent::Missed { count } => {
            answer::event("proposals-missed", answer::object(json!({"count": count})))
        }
        _ => answer::event("unknown", answer::Fields::new()),
    }
}
