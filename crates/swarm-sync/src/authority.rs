//! What only the hub decides: compare-and-set, several keys at once, and claims. From a hub's own process,
//! as an agent, or from afar without a replica.

mod ask;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use sync_core::{
    Answer, AuthorityAnswer, AuthorityAsk, CommitOutcome, Key, Lease, RequestError, Value,
};

pub(crate) use self::ask::{Attempts, Decider};
pub use self::transaction::{Expected, Transaction};
use crate::hub::unexpected;
use crate::span::millis;

/// Has the hub of a swarm decide what two agents that cannot see each other must not decide both. Cheap to
/// clone.
///
/// Everything here needs the hub: cut off from it, [`RequestError::Unavailable`] says so and nothing is
/// written. A connection that is lost meanwhile is made again and the hub asked again, for the same
/// decision: it is made once. What is answered is durable at the hub's level.
///
/// Keys that are changed here are under the rule `authority` from then on, until they are deleted: plain
/// writes to them are refused. A policy makes that last.
///
/// Got from [`StateSynchronizer::authority`](crate::StateSynchronizer::authority),
/// [`Agent::authority`](crate::Agent::authority) or [`Client::authority`](crate::Client::authority).
#[derive(Clone)]
pub struct Authority {
    decider: Arc<dyn Decider>,
    /// How long an answer may take.
    limit: Duration,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Authority {
    pub(crate) fn new(decider: Arc<dyn Decider>, limit: Duration) -> Self {
        Self { decider, limit }
    }

    /// The same with another limit to how long an answer may take, lost connections included.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Sets a key if it is at the version expected, 0 if it must not exist.
    ///
    /// # Errors
    /// [`RequestError::Conflict`] with what the key holds instead; nothing has changed then. After one that
    /// says that it took too long or that the connection was lost, it may have happened.
    pub async fn compare_and_set(
        &self,
        key: Key,
        expected: impl Into<Expected>,
        value: impl Into<Value>,
    ) -> Result<CommitOutcome, RequestError> {
        let transaction = Transaction::new().expect(key.clone(), expected);
        self.commit(transaction.set(key, value)).await
    }

    /// Deletes a key if it is at the version expected.
    ///
    /// # Errors
    /// As [`Authority::compare_and_set`].
    pub async fn compare_and_delete(
        &self,
        key: Key,
        expected: impl Into<Expected>,
    ) -> Result<CommitOutcome, RequestError> {
        let transaction = Transaction::new().expect(key.clone(), expected);
        self.commit(transaction.delete(key)).await
    }

    /// Does all that a transaction says in one commit, if all that it expects holds; else nothing.
    ///
    /// # Errors
    /// [`RequestError::Conflict`] with every key that is not at its version, or
    /// [`RequestError::StaleToken`] of a claim that has ended. [`RequestError::Uncertain`] if it may have
    /// happened at an earlier run of the hub, which lost its disk before it could tell.
    pub async fn commit(&self, transaction: Transaction) -> Result<CommitOutcome, RequestError> {
        match self.ask(transaction.into_ask()?).await? {
            AuthorityAnswer::Committed(outcome) => Ok(outcome),
            other => Err(unexpected(&Answer::Authority(other))),
        }
    }

    /// Has a key for oneself until `lease` is over, if nobody else has it. The key's value says who has
    /// it; watchers see it come and go.
    ///
    /// # Errors
    /// [`RequestError::Claimed`] with its holder. [`RequestError::ClaimsPaused`] shortly after the hub
    /// has started anew, as long as somebody may hold a claim that it does not know of.
    pub async fn claim(&self, key: Key, lease: Duration) -> Result<Lease, RequestError> {
        let lease_ms = millis(lease);
        self.leased(AuthorityAsk::Claim { key, lease_ms }).await
    }

    /// Begins the lease of a claim anew, with another length.
    ///
    /// # Errors
    /// [`RequestError::StaleToken`] if it has ended: what it protected may be somebody else's by now.
    pub async fn renew(&self, claim: &Lease, lease: Duration) -> Result<Lease, RequestError> {
        let (key, token, lease_ms) = (claim.key.clone(), claim.token, millis(lease));
        self.leased(AuthorityAsk::Renew {
            key,
            token,
            lease_ms,
        })
        .await
    }

    /// Ends a claim, so that others can have the key.
    ///
    /// # Errors
    /// [`RequestError::StaleToken`] if it has ended already.
    pub async fn release(&self, claim: &Lease) -> Result<(), RequestError> {
        let (key, token) = (claim.key.clone(), claim.token);
        match self.ask(AuthorityAsk::Release { key, token }).await? {
            AuthorityAnswer::Released => Ok(()),
            other => Err(unexpected(&Answer::Authority(other))),
        }
    }

    async fn leased(&self, ask: AuthorityAsk) -> Result<Lease, RequestError> {
        match self.ask(ask).await? {
            AuthorityAnswer::Claimed(lease) => Ok(lease),
            other => Err(unexpected(&Answer::Authority(other))),
        }
    }

    async fn ask(&self, ask: AuthorityAsk) -> Result<AuthorityAnswer, RequestError> {
        self.decider.decide(ask, self.limit).await
    }
}
