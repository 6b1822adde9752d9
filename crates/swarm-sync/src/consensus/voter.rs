//! Those who vote: the user's code, asked by an agent.

use std::panic::resume_unwind;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{Ballot, Poll};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Threads for voters that block. One that never returns keeps its thread, as nothing can stop it; the
/// rest of the runtime's, of which there are some hundreds, is left to others.
const THREADS_MAX: usize = 32;

/// Says yes or no for an agent.
#[async_trait]
pub trait Voter: Send + Sync {
    /// The vote on `poll`, and why; none if somebody votes by hand later, with
    /// [`Agent::vote`](crate::Agent::vote).
    ///
    /// It has [`Poll::remaining_ms`], and is stopped then, or when the vote is over before. It may be asked
    /// again after a restart of the agent that came before its vote was durable; the first vote that is
    /// counts. One that panics has not voted.
    async fn vote(&self, poll: &Poll) -> Option<Ballot>;
}

#[async_trait]
impl<V: Voter + ?Sized> Voter for Arc<V> {
    async fn vote(&self, poll: &Poll) -> Option<Ballot> {
        self.as_ref().vote(poll).await
    }
}

/// A function that is not asynchronous, as a [`Voter`]. It may block: it gets a thread.
///
/// ```
/// use swarm_sync::{Ballot, Value, Vote, voter_fn};
///
/// let careful = voter_fn(|poll| match &poll.proposal.subject {
///     Value::Text(text) if text.starts_with("drop ") => {
///         let reason = Some("nothing is to be dropped".to_owned());
///         Some(Ballot { vote: Vote::Against, reason })
///     }
///     _ => Some(Ballot { vote: Vote::For, reason: None }),
/// });
/// # let _: &dyn swarm_sync::Voter = &careful;
/// ```
pub fn voter_fn<F>(vote: F) -> impl Voter
where
    F: Fn(&Poll) -> Option<Ballot> + Send + Sync + 'static,
{
    Function {
        vote: Arc::new(vote),
        threads: Arc::new(Semaphore::new(THREADS_MAX)),
    }
}

struct Function<F> {
    vote: Arc<F>,
    threads: Arc<Semaphore>,
}

#[async_trait]
impl<F> Voter for Function<F>
where
    F: Fn(&Poll) -> Option<Ballot> + Send + Sync + 'static,
{
    async fn vote(&self, poll: &Poll) -> Option<Ballot> {
        let (vote, poll) = (Arc::clone(&self.vote), poll.clone());
        // Held as long as the function runs, also when nobody waits for it any more.
        let thread = Arc::clone(&self.threads).acquire_owned().await.ok()?;
        let apart = spawn_blocking(move || {
            let ballot = vote(&poll);
            drop(thread);
            ballot
        });
        apart.await.unwrap_or_else(|error| {
            // One that was not started, because the runtime ends, has not voted.
            error
                .try_into_panic()
                .map_or(None, |panic| resume_unwind(panic))
        })
    }
}
