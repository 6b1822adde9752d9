//! Proposals and votes to drive tests with.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{
    Answer, Ask, Ballot, Body, Decision, Effect, Operation, Proposal, ProposalId, SessionId, Value,
    Vote, VoteOutcome,
};
use sync_protocol::{Command, Outcome};

use crate::stage::{AgentSide, HubSide, key, talk, trio};

/// The proposal that most tests vote on.
pub(crate) const ID: ProposalId = ProposalId::from_random(7);

/// The number under which the hub's own program asks.
pub(crate) const ASKED: u64 = 70;

/// The proposal, as far as `change` does not make it another one. It has five seconds.
pub(crate) fn proposal(change: impl FnOnce(&mut Proposal)) -> Proposal {
    let mut proposal = Proposal {
        id: ID,
        subject: Value::from("shall we?"),
        effect: None,
        algorithm: None,
        threshold: None,
        timeout_ms: Some(5_000),
    };
    change(&mut proposal);
    proposal
}

/// The same, which approval writes to a key.
pub(crate) fn that_writes(name: &str, operation: Operation) -> Proposal {
    let key = key(name);
    proposal(|p| p.effect = Some(Effect { key, operation }))
}

/// Proposes in the name of the hub's own program; nothing is durable yet.
pub(crate) fn begin(hub: &mut HubSide, request: u64, proposal: Proposal) {
    let ask = Ask::Propose(Box::new(proposal));
    hub.hub.handle_ask(hub.now(), request, ask);
    hub.drain();
}

/// The same, and lets the disk finish.
pub(crate) fn propose(hub: &mut HubSide, proposal: Proposal) {
    begin(hub, ASKED, proposal);
    hub.settle();
}

/// A hub and two agents that were asked for their votes.
pub(crate) fn asked() -> (HubSide, AgentSide, AgentSide) {
    let (mut hub, mut a, mut b) = trio();
    propose(&mut hub, proposal(|_| {}));
    talk(&mut hub, &mut [&mut a, &mut b]);
    (hub, a, b)
}

/// Why a proposal is refused.
#[track_caller]
pub(crate) fn refusal(hub: &mut HubSide, proposal: Proposal) -> String {
    propose(hub, proposal);
    match hub.take_answer(ASKED) {
        Some(Err(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// What the hub's own program was told.
#[track_caller]
pub(crate) fn decision(hub: &mut HubSide) -> Decision {
    match hub.take_answer(ASKED) {
        Some(Ok(Answer::Decided(decision))) => Arc::unwrap_or_clone(decision),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ballot(vote: Vote) -> Ballot {
    let reason = None;
    Ballot { vote, reason }
}

/// The agent's application votes; it waits 2 s.
pub(crate) fn vote(agent: &mut AgentSide, vote: Vote) -> u64 {
    vote_on(agent, ID, vote)
}

pub(crate) fn vote_on(agent: &mut AgentSide, proposal: ProposalId, vote: Vote) -> u64 {
    give(agent, proposal, ballot(vote))
}

pub(crate) fn give(agent: &mut AgentSide, proposal: ProposalId, ballot: Ballot) -> u64 {
    let timeout = Duration::from_secs(2);
    agent.command(Command::Vote {
        proposal,
        ballot,
        timeout,
    })
}

/// What became of that: counted, or a sentence.
#[track_caller]
pub(crate) fn counted(agent: &mut AgentSide, request: u64) -> Result<(), String> {
    match agent.answer(request) {
        Some(Ok(Outcome::Done)) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        other => panic!("{other:?}"),
    }
}

/// A vote as a peer says it, on what the hub has told of under the id.
pub(crate) fn said_on(hub: &HubSide, proposal: ProposalId, ballot: Ballot) -> Body {
    let about = hub.told.get(&proposal).copied().unwrap_or_default();
    Body::Vote {
        proposal,
        about,
        ballot,
    }
}

/// The same on the proposal that most tests vote on, and what the hub replies.
pub(crate) fn cast(hub: &mut HubSide, session: SessionId, vote: Vote) -> Option<VoteOutcome> {
    let said = said_on(hub, ID, ballot(vote));
    reply_to(hub, session, said)
}

/// What the hub replies to a vote.
pub(crate) fn reply_to(hub: &mut HubSide, session: SessionId, said: Body) -> Option<VoteOutcome> {
    hub.said.clear();
    hub.hear(session, said);
    hub.settle();
    hub.said
        .iter()
        .find_map(|(to, message)| match message.body {
            Body::VoteReply { outcome, .. } if *to == session => Some(outcome),
            _ => None,
        })
}

/// Whether a message asks for a vote.
pub(crate) fn is_poll(body: &Body) -> bool {
    matches!(body, Body::Proposal { .. })
}

/// Whether a message is a vote.
pub(crate) fn is_vote(body: &Body) -> bool {
    matches!(body, Body::Vote { .. })
}

/// The names of those who voted so, in a decision.
pub(crate) fn names(decision: &Decision, vote: Vote) -> Vec<&str> {
    let votes = decision.votes_that(vote);
    votes.map(|cast| cast.agent.as_str()).collect()
}
