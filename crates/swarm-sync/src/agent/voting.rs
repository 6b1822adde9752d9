//! What an agent is asked to vote on: shown to those who want to see it, put to the user's voter.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sync_core::{Ballot, Poll, ProposalId, Verdict};
use tokio::sync::{Semaphore, broadcast};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use crate::consensus::Voter;
use crate::panicked;
use crate::span::millis;

/// Polls that are kept for those who vote by hand or wait for the voter: more than people or models vote
/// on at a time. One more is left to the next run, or to the deadline.
const POLLS_MAX: usize = 1_024;

/// Votes that the voter works on at once: it may ask a service that takes so many calls of one client.
const VOTERS_MAX: usize = 64;

/// Events that a subscriber may lag behind before it misses some, and is told so.
const EVENTS_MAX: usize = 256;

/// What an agent hears of votes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ProposalEvent {
    /// This agent is to vote.
    Proposed(Arc<Poll>),
    /// A vote is over. If this agent was away then, it is told when it is back.
    Decided {
        /// On which proposal.
        proposal: ProposalId,
        /// How it ended.
        verdict: Verdict,
    },
    /// The hub knows nothing of it any more: it was decided long ago, or lost with the hub's disk. There is
    /// nothing left to vote on.
    Forgotten {
        /// Which proposal.
        proposal: ProposalId,
    },
    /// So many events were not taken in time and are lost here. What is still open is among the next
    /// [`Agent::proposals`](super::Agent::proposals).
    Missed {
        /// How many.
        count: u64,
    },
}

/// Proposals and decisions as an agent hears of them. Bounded: who is slow is told what it missed.
#[derive(Debug)]
pub struct Proposals {
    /// What was open when it began.
    open: VecDeque<Arc<Poll>>,
    events: broadcast::Receiver<ProposalEvent>,
}

impl Proposals {
    /// The next one: first what is open already, oldest first. None once the agent has stopped. Dropping
    /// the future loses nothing.
    pub async fn next(&mut self) -> Option<ProposalEvent> {
        if let Some(poll) = self.open.pop_front() {
            return Some(ProposalEvent::Proposed(poll));
        }
        match self.events.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => {
                Some(ProposalEvent::Missed { count })
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// A poll that this agent has not voted on.
#[derive(Debug)]
struct Open {
    poll: Arc<Poll>,
    since: Instant,
    /// The voter at work on it.
    voter: Option<AbortHandle>,
}

impl Open {
    fn remaining(&self) -> Duration {
        let whole = Duration::from_millis(self.poll.remaining_ms);
        whole.saturating_sub(self.since.elapsed())
    }
}

/// The polls of an agent, and the voter's work on them.
pub(super) struct Voting {
    voter: Option<Arc<dyn Voter>>,
    open: BTreeMap<ProposalId, Open>,
    /// None before somebody subscribes.
    events: Option<broadcast::Sender<ProposalEvent>>,
    places: Arc<Semaphore>,
    /// A task each, so that a panic is not this agent's end. They end with this set.
    running: JoinSet<Option<Ballot>>,
    proposals: HashMap<Id, ProposalId>,
}

impl std::fmt::Debug for Voting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voting")
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

impl Voting {
    pub(super) fn new(voter: Option<Arc<dyn Voter>>) -> Self {
        Self {
            voter,
            open: BTreeMap::new(),
            events: None,
            places: Arc::new(Semaphore::new(VOTERS_MAX)),
            running: JoinSet::new(),
            proposals: HashMap::new(),
        }
    }

    /// This agent is to vote: its voter begins to, and subscribers are told.
    pub(super) fn proposed(&mut self, poll: Poll) {
        let poll = Arc::new(poll);
        // Under the same id it is another proposal: what the voter makes of the earlier one is no vote on it.
        self.close(poll.proposal.id);
        self.tell(ProposalEvent::Proposed(Arc::clone(&poll)));
        self.open.retain(|_, open| !open.remaining().is_zero());
        let id = poll.proposal.id;
        if self.open.len() >= POLLS_MAX {
            tracing::warn!(proposal = %id, "{POLLS_MAX} proposals are open here, the limit; this one is not put to the voter");
            return;
        }
        let voter = self.ask_voter(&poll);
        let since = Instant::now();
        self.open.insert(id, Open { poll, since, voter });
    }

    /// A vote is over: nobody need work on it any more.
    pub(super) fn decided(&mut self, proposal: ProposalId, verdict: Verdict) {
        self.close(proposal);
        self.tell(ProposalEvent::Decided { proposal, verdict });
    }

    /// Nobody will hear how it ended; nor is there anything to vote on.
    pub(super) fn forgotten(&mut self, proposal: ProposalId) {
        self.close(proposal);
        self.tell(ProposalEvent::Forgotten { proposal });
    }

    /// The hub has this agent's vote, whether or not somebody still waits to hear that: there is nothing
    /// left to show or to think about.
    pub(super) fn voted(&mut self, proposal: ProposalId) {
        self.close(proposal);
    }

    pub(super) fn subscribe(&mut self) -> Proposals {
        let open = || broadcast::channel(EVENTS_MAX).0;
        let events = self.events.get_or_insert_with(open).subscribe();
        let mut polls: Vec<&Open> = self.open.values().collect();
        polls.sort_by_key(|open| open.since);
        let left = polls.into_iter().filter(|o| !o.remaining().is_zero());
        let left = left.map(|open| {
            let mut poll = Poll::clone(&open.poll);
            poll.remaining_ms = millis(open.remaining());
            Arc::new(poll)
        });
        Proposals {
            open: left.collect(),
            events,
        }
    }

    /// The voter's next vote; for ever if it works on none. Cancel-safe.
    pub(super) async fn next(&mut self) -> (ProposalId, Ballot) {
        loop {
            let (id, ended) = match self.running.join_next_with_id().await {
                Some(Ok((id, ballot))) => (id, Ok(ballot)),
                Some(Err(error)) => (error.id(), Err(error)),
                None => std::future::pending().await,
            };
            let Some(proposal) = self.proposals.remove(&id) else {
                continue;
            };
            match ended {
                Ok(Some(ballot)) => return (proposal, ballot),
                // By hand, or too late, which was said.
                Ok(None) => {}
                Err(error) => said_badly(proposal, error),
            }
        }
    }

    /// Stops all voters that wait for something, and returns once they are gone.
    pub(super) async fn shutdown(&mut self) {
        self.running.shutdown().await;
    }

    fn ask_voter(&mut self, poll: &Arc<Poll>) -> Option<AbortHandle> {
        let voter = Arc::clone(self.voter.as_ref()?);
        let (places, poll) = (Arc::clone(&self.places), Arc::clone(poll));
        let id = poll.proposal.id;
        let task = self.running.spawn(async move {
            let limit = Duration::from_millis(poll.remaining_ms);
            let vote = async {
                let _place = places.acquire().await.ok()?;
                voter.vote(&poll).await
            };
            let voted = timeout(limit, vote).await;
            voted.unwrap_or_else(|_| {
                tracing::warn!(proposal = %id, "the voter took longer than the {} ms there were; it has not voted", limit.as_millis());
                None
            })
        });
        self.proposals.insert(task.id(), id);
        Some(task)
    }

    fn close(&mut self, proposal: ProposalId) {
        let open = self.open.remove(&proposal);
        if let Some(voter) = open.and_then(|open| open.voter) {
            // It may have ended already, and its vote wait to be taken.
            self.proposals.remove(&voter.id());
            voter.abort();
        }
    }

    fn tell(&self, event: ProposalEvent) {
        if let Some(events) = &self.events {
            // Fails only without subscribers.
            let _ = events.send(event);
        }
    }
}

fn said_badly(proposal: ProposalId, error: JoinError) {
    // One that was stopped has nothing to say.
    let Ok(panic) = error.try_into_panic() else {
        return;
    };
    let text = panicked::words(&*panic);
    tracing::warn!(%proposal, "the voter panicked: {text}; it has not voted");
}
