//! What an agent asks its hub.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sync_core::{
    Answer, Ask, AuthorityAnswer, AuthorityAsk, CommitOutcome, Delta, Key, Pattern, Reply,
    RequestError, Since, SyncReport, Value, Version,
};
use sync_protocol::{Command, Limits, Outcome};

use super::{Agent, misanswered};
use crate::authority::{Authority, Decider, Expected};
use crate::hub::unexpected;
use crate::memory::Memory;
use crate::span::millis;
use crate::watch::{Asker, Watch};

impl Agent {
    /// The version of a key at the hub. Needs a connection.
    pub async fn version_at_hub<K>(&self, key: K) -> Result<Option<Version>, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        match self.ask(Ask::Version(key), None).await? {
            Answer::Version(version) => Ok(version),
            other => Err(unexpected(&other)),
        }
    }

    /// A full synchronization of `keys` across the swarm, run by the hub. Needs a connection. Without a
    /// `timeout` it waits as long as the hub does, which depends on the priorities of the keys.
    pub async fn sync(
        &self,
        keys: &[Key],
        timeout: Option<Duration>,
    ) -> Result<SyncReport, RequestError> {
        let timeout_ms = timeout.map(millis);
        // The hub ends every round; without a time of the caller's it alone knows when.
        let longest = timeout.unwrap_or_else(|| Limits::default().round_deadline_max);
        let wait = Some(longest.saturating_add(self.default_timeout));
        match self
            .ask(
                Ask::Sync {
                    keys: keys.to_vec().into(),
                    timeout_ms,
                },
                wait,
            )
            .await?
        {
            Answer::Synced(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    /// What changed after `since`, as the hub holds it. Needs a connection. The replica itself
    /// catches up without being asked.
    pub async fn delta(&self, since: Since) -> Result<Delta, RequestError> {
        match self.ask(Ask::Delta(since), None).await? {
            Answer::Delta(delta) => Ok(delta),
            other => Err(unexpected(&other)),
        }
    }

    /// Removes one key, or with `None` all of the swarm's, on every replica. Needs a connection.
    pub async fn clear(&self, key: Option<&Key>) -> Result<u64, RequestError> {
        match self.ask(Ask::Clear(key.cloned()), None).await? {
            Answer::Cleared(count) => Ok(count),
            other => Err(unexpected(&other)),
        }
    }

    /// Watches what the hub commits to keys that match, after `from`. Goes on by itself after a lost
    /// connection.
    ///
    /// With `None` it begins with this call if the agent is connected: what it writes from now on is an
    /// event. Else it begins when [`Watch::next`] or [`Watch::begun`] first reaches the hub, and what was
    /// committed until then is none, unless `from` is the position that the replica holds,
    /// [`Agent::cursor`].
    pub fn watch(&self, pattern: Pattern, from: Option<Since>) -> Watch {
        Watch::begin(Arc::new(AgentAsker(self.clone())), pattern, from)
    }

    /// What the hub alone decides: compare-and-set and claims, under this agent's name. Every call needs
    /// a connection.
    pub fn authority(&self) -> Authority {
        let limit = self.default_timeout * 2;
        Authority::new(Arc::new(AgentDecider(self.clone())), limit)
    }

    /// Sets a key if it is at the version expected, 0 if it must not exist: see
    /// [`Authority::compare_and_set`]. Needs a connection.
    pub async fn compare_and_set<K>(
        &self,
        key: K,
        expected: impl Into<Expected>,
        value: impl Into<Value>,
    ) -> Result<CommitOutcome, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        let authority = self.authority();
        authority.compare_and_set(key, expected, value).await
    }

    /// The swarm's memory: application data beside the synchronized state. It is the hub's, and no
    /// replica holds it: every call needs a connection.
    pub fn memory(&self) -> Memory {
        let asker = Arc::new(AgentAsker(self.clone()));
        Memory::new(asker, "this agent's swarm", self.default_timeout)
    }

    pub(crate) async fn ask(&self, ask: Ask, wait: Option<Duration>) -> Reply {
        let timeout = wait.unwrap_or(self.default_timeout * 2);
        match self.run(Command::Ask { ask, timeout }).await? {
            Outcome::Answered(answer) => Ok(answer),
            other => Err(misanswered(&other)),
        }
    }
}

/// Asks on behalf of a watcher, a proposer or a memory.
pub(super) struct AgentAsker(pub(super) Agent);

#[async_trait]
impl Asker for AgentAsker {
    async fn ask(&self, ask: Ask, limit: Duration) -> Reply {
        self.0.ask(ask, Some(limit)).await
    }
}

/// Has the hub decide; the replica asks again over every new connection.
struct AgentDecider(Agent);

#[async_trait]
impl Decider for AgentDecider {
    async fn decide(
        &self,
        ask: AuthorityAsk,
        limit: Duration,
    ) -> Result<AuthorityAnswer, RequestError> {
        let timeout = limit;
        match self.0.run(Command::Decide { ask, timeout }).await? {
            Outcome::Answered(Answer::Authority(answer)) => Ok(answer),
            Outcome::Answered(other) => Err(unexpected(&other)),
            other => Err(misanswered(&other)),
        }
    }
}
