//! The hub's side: [`StateSynchronizer`], a handle to a task that drives one `Hub` per swarm.

#[cfg(any(feature = "redb", feature = "sled"))]
mod backups;
mod builder;
mod driver;
mod loading;
mod merging;
mod receipts;
mod reloading;
mod turns;
mod voting;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::Merges;
use async_trait::async_trait;
use sync_core::{
    AgentId, Answer, Ask, Delta, HubStatus, Incarnation, Key, Pattern, Policies, Policy, Reply,
    RequestError, Since, StateVersion, SwarmId, SyncReport, Version,
};
use sync_protocol::{Limits, PeriodicPlan, Schedule};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

pub use self::builder::SynchronizerBuilder;
use self::driver::HubCommand;
pub(crate) use self::driver::until;
pub use self::reloading::Reloaded;
use crate::authority::{Attempts, Authority};
use crate::chance;
use crate::consensus::ConsensusManager;
use crate::memory::Memory;
use crate::span::millis;
use crate::watch::{Asker, Watch};

/// Synchronizes the state of any number of swarms. Cheap to clone; the last clone's end stops it in
/// an orderly way, [`StateSynchronizer::shutdown`] does so and waits.
///
/// Every answer speaks of durable state only: it waits for the store.
#[derive(Debug, Clone)]
pub struct StateSynchronizer {
    commands: mpsc::Sender<HubCommand>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
    limits: Limits,
    /// How long what is asked through a handle of its own may take: as long as a usual round.
    patience: Duration,
    merges: Merges,
    /// Why it stopped by itself, once it has.
    failure: Arc<OnceLock<String>>,
}

impl StateSynchronizer {
    /// Full synchronization of one key: asks every connected agent, joins, resolves, commits, sends
    /// the update and waits until it is confirmed, at most `timeout` (if `None` as long as the key's
    /// priority says, see [`SynchronizerBuilder::deadline`]).
    ///
    /// An error if no agent is connected or none answers: a synchronization that reached nobody is
    /// not one. Agents of the roster that did not answer are listed as missing.
    pub async fn synchronize_state(
        &self,
        swarm: &SwarmId,
        key: &Key,
        timeout: Option<Duration>,
    ) -> Result<SyncReport, RequestError> {
        self.synchronize_many(swarm, std::slice::from_ref(key), timeout)
            .await
    }

    /// Full synchronization of many keys in one round: one request to each agent, not one per key.
    /// The report has a line per key.
    ///
    /// Keys of several priorities go out as a round for each, the most urgent first. Without a `timeout`
    /// each waits as long as its priority says; the report comes when all have ended. One that nobody
    /// answers fails alone: [`SyncReport::failed`] tells its keys and why. Only if all of them fail it is
    /// an error.
    pub async fn synchronize_many(
        &self,
        swarm: &SwarmId,
        keys: &[Key],
        timeout: Option<Duration>,
    ) -> Result<SyncReport, RequestError> {
        let timeout_ms = timeout.map(millis);
        let ask = Ask::Sync {
            keys: keys.to_vec().into(),
            timeout_ms,
        };
        match self.ask(swarm, ask).await? {
            Answer::Synced(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    /// Every key that changed after `since`, at its newest, deletions included. O(changes), whatever
    /// the number of keys.
    ///
    /// `since` is a cursor of an earlier delta or a revision of the swarm, not the version of a key:
    /// versions count per key, so a change to a rarely written one would stay unseen. If
    /// [`Delta::more`] is set, continue from [`Delta::to`].
    pub async fn delta_sync(&self, swarm: &SwarmId, since: Since) -> Result<Delta, RequestError> {
        match self.ask(swarm, Ask::Delta(since)).await? {
            Answer::Delta(delta) => Ok(delta),
            other => Err(unexpected(&other)),
        }
    }

    /// The version of a key, or `None` if it holds no value.
    pub async fn get_state_version(
        &self,
        swarm: &SwarmId,
        key: &Key,
    ) -> Result<Option<Version>, RequestError> {
        match self.ask(swarm, Ask::Version(key.clone())).await? {
            Answer::Version(version) => Ok(version),
            other => Err(unexpected(&other)),
        }
    }

    /// The synchronized state of a key, or `None` if it holds no value.
    pub async fn get_state(
        &self,
        swarm: &SwarmId,
        key: &Key,
    ) -> Result<Option<StateVersion>, RequestError> {
        match self.ask(swarm, Ask::Get(key.clone())).await? {
            Answer::State(state) => Ok(state.map(|boxed| *boxed)),
            other => Err(unexpected(&other)),
        }
    }

    /// Removes one key, or with `None` all of the swarm's, on every replica; returns how many held a
    /// value. A cleared key has no version; its numbering goes on if it returns.
    pub async fn clear_state(
        &self,
        swarm: &SwarmId,
        key: Option<&Key>,
    ) -> Result<u64, RequestError> {
        match self.ask(swarm, Ask::Clear(key.cloned())).await? {
            Answer::Cleared(count) => Ok(count),
            other => Err(unexpected(&other)),
        }
    }

    /// Where the hub stands with a swarm: revision, digest, roster.
    pub async fn status(&self, swarm: &SwarmId) -> Result<HubStatus, RequestError> {
        match self.ask(swarm, Ask::Status).await? {
            Answer::Status(status) => Ok(*status),
            other => Err(unexpected(&other)),
        }
    }

    /// Puts an agent on the roster before it has ever connected, so that rounds report it missing.
    pub async fn register(&self, swarm: &SwarmId, agent: &AgentId) -> Result<(), RequestError> {
        let agent = AgentId::of_peer(agent.as_str())?;
        let (done, answer) = oneshot::channel();
        let name = swarm.clone();
        let register = HubCommand::Register {
            swarm: name,
            agent,
            done,
        };
        self.command(register, answer).await??;
        // What is answered after it waits until it is durable.
        self.status(swarm).await.map(drop)
    }

    /// Takes an agent off the roster and closes its connection; false if it was not on it. What it
    /// wrote stays.
    pub async fn unregister(&self, swarm: &SwarmId, agent: &AgentId) -> Result<bool, RequestError> {
        match self.ask(swarm, Ask::Unregister(agent.clone())).await? {
            Answer::Unregistered(was_on) => Ok(was_on),
            other => Err(unexpected(&other)),
        }
    }

    /// Watches the committed changes of keys that match, after `from`.
    ///
    /// With `None` it begins with this call: what is asked for after it and then committed is an event.
    /// Only while this synchronizer has a thousand requests in line can it be later; [`Watch::begun`]
    /// waits until it has begun.
    pub fn watch(&self, swarm: &SwarmId, pattern: Pattern, from: Option<Since>) -> Watch {
        Watch::begin(self.asker(swarm), pattern, from)
    }

    /// The memory of a swarm: application data beside its synchronized state.
    pub fn memory(&self, swarm: &SwarmId) -> Memory {
        Memory::new(self.asker(swarm), swarm, self.patience)
    }

    /// What the hub alone decides of a swarm: compare-and-set and claims. They are decided under the hub's
    /// own name.
    pub fn authority(&self, swarm: &SwarmId) -> Authority {
        let run = Incarnation::from_random(chance::fresh());
        let attempts = Attempts::new(self.asker(swarm), run);
        Authority::new(Arc::new(attempts), self.patience)
    }

    /// Has the agents of a swarm vote on what this process proposes.
    pub fn consensus(&self, swarm: &SwarmId) -> ConsensusManager {
        ConsensusManager::new(self.asker(swarm), self.patience)
    }

    /// The policies in force, the most specific first.
    pub async fn policies(&self, swarm: &SwarmId) -> Result<Vec<Policy>, RequestError> {
        match self.ask(swarm, Ask::Policies).await? {
            Answer::Policies(policies) => Ok(policies.0),
            other => Err(unexpected(&other)),
        }
    }

    /// Puts another table of policies in force in every swarm, from the next commit on, and tells the
    /// agents. An error if it names a merge function that is not registered; then nothing changes.
    pub async fn set_policies(&self, policies: Policies) -> Result<(), RequestError> {
        let checked = builder::check_functions(&policies, &self.merges);
        checked.map_err(|e| RequestError::Invalid {
            reason: e.to_string(),
        })?;
        let (done, answer) = oneshot::channel();
        let policies = Arc::new(policies);
        self.command(HubCommand::SetPolicies { policies, done }, answer)
            .await
    }

    /// Has the policies, and the rights if they come with them, read anew from where
    /// [`SynchronizerBuilder::policy_source`] says, as a client with the right `admin` does. An error says what is wrong with what was read; then nothing
    /// changes.
    pub async fn reload_policies(&self) -> Result<(), RequestError> {
        let (done, answer) = oneshot::channel();
        self.command(HubCommand::Reload { done }, answer).await?
    }

    /// Puts another schedule in the place of the one there is, in every swarm. A plan that stays as it is
    /// goes on; a run under way of one that does not ends. An error if it makes no sense; then nothing
    /// changes.
    pub async fn set_periodic(&self, plans: Vec<PeriodicPlan>) -> Result<(), RequestError> {
        let schedule = Schedule::new(plans, &self.limits);
        let schedule = schedule.map_err(|e| RequestError::Invalid {
            reason: e.to_string(),
        })?;
        let (done, answer) = oneshot::channel();
        self.command(HubCommand::SetSchedule { schedule, done }, answer)
            .await
    }

    /// Stops: no new connections, what is under way becomes durable, connections are closed. The
    /// store stays open; it is its owner's.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        if self
            .commands
            .send(HubCommand::Shutdown { done })
            .await
            .is_ok()
        {
            let _ = stopped.await;
        }
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }

    /// Waits until the synchronizer has stopped by itself, and says why: its store failed, or its
    /// coordinator was shut down.
    pub async fn stopped(&self) -> String {
        self.commands.closed().await;
        self.reason()
    }

    /// Whether it does its work: an error says why it does not. It has stopped, does not get to answering
    /// within `patience`, or its store has not finished writing for as long.
    pub async fn check(&self, patience: Duration) -> Result<(), RequestError> {
        let stopped = |reason: String| RequestError::Stopped { reason };
        let (done, answer) = oneshot::channel();
        let asked = self.command(HubCommand::Check { done }, answer);
        let waited = tokio::time::timeout(patience, asked).await;
        let flushes_for = waited.map_err(|_| {
            let waited = crate::span::text(patience);
            stopped(format!("it has not answered for {waited}"))
        })??;
        match flushes_for.filter(|flush| *flush >= patience) {
            None => Ok(()),
            Some(flush) => Err(stopped(format!(
                "its store has been writing for {} s and is not done",
                flush.as_secs()
            ))),
        }
    }

    fn asker(&self, swarm: &SwarmId) -> Arc<dyn Asker> {
        Arc::new(HubAsker {
            hub: self.clone(),
            swarm: swarm.clone(),
        })
    }

    pub(crate) async fn ask(&self, swarm: &SwarmId, ask: Ask) -> Reply {
        let (done, answer) = oneshot::channel();
        self.command(
            HubCommand::Ask {
                swarm: swarm.clone(),
                ask,
                done,
            },
            answer,
        )
        .await?
    }

    async fn command<T>(
        &self,
        command: HubCommand,
        answer: oneshot::Receiver<T>,
    ) -> Result<T, RequestError> {
        let stopped = || RequestError::Stopped {
            reason: self.reason(),
        };
        self.commands.send(command).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())
    }

    fn reason(&self) -> String {
        let orderly = || "the synchronizer was shut down".to_owned();
        self.failure.get().cloned().unwrap_or_else(orderly)
    }
}

pub(crate) fn unexpected(answer: &Answer) -> RequestError {
    RequestError::Invalid {
        reason: format!("the hub answered another question: {answer:?}"),
    }
}

/// Asks on behalf of a watcher, a proposer or a memory in this process. Whatever it asks is answered in its
/// time.
struct HubAsker {
    hub: StateSynchronizer,
    swarm: SwarmId,
}

#[async_trait]
impl Asker for HubAsker {
    async fn ask(&self, ask: Ask, _limit: Duration) -> Reply {
        self.hub.ask(&self.swarm, ask).await
    }
}
