//! An agent's side: [`Agent`], a handle to a task that drives one `Replica` and keeps it connected.

mod asks;
mod builder;
mod connector;
mod driver;
mod levels;
mod reach;
mod typed;
mod votes;
mod voting;
mod writes;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use sync_core::{
    Ack, Cursor, Digest, Durability, Incarnation, Key, Pattern, Policy, Receipt, RequestError,
    Seen, StateVersion, Traffic, Version, WriteId,
};
use sync_protocol::{Command, Outcome, ReplicaStatus};
use tokio::sync::{Mutex, broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use self::builder::AgentBuilder;
use self::driver::AgentCommand;
pub use self::levels::WriteOptions;
use self::reach::Refused;
pub use self::typed::{CounterOf, MapOf, RegisterOf, SetOf};
pub use self::voting::{ProposalEvent, Proposals};
use crate::span::millis;

/// Receipts that a subscriber may lag behind before it has to list them.
const RECEIPTS_MAX: usize = 1_024;

/// Who hears of receipts, once somebody wants to: room for all that one may lag behind is taken at
/// once, and is more than all else that an idle agent needs.
type Subscribers = Arc<OnceLock<broadcast::Sender<Receipt>>>;

/// One agent with its own replica. Cheap to clone; the last clone's end stops it in an orderly way,
/// [`Agent::shutdown`] does so and waits.
///
/// Writes and reads need no hub. An agent may start before its hub, reconnects by itself and catches
/// up from where it was.
#[derive(Debug, Clone)]
pub struct Agent {
    commands: mpsc::Sender<AgentCommand>,
    receipts: Subscribers,
    refused: Refused,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
    default_timeout: Duration,
    incarnation: Incarnation,
    /// Why it stopped by itself, once it has.
    failure: Arc<OnceLock<String>>,
}

/// Where an agent and its connection stand.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct AgentState {
    /// The replica.
    #[serde(flatten)]
    pub replica: ReplicaStatus,
    /// The hub it is to be connected to.
    pub hub: String,
    /// Whether it is to be connected at all.
    pub online: bool,
    /// Why the last attempt or connection ended, until the hub has answered on another one.
    pub link_error: Option<String>,
    /// Bytes at the socket since the start, over all connections.
    pub traffic: Traffic,
}

impl Agent {
    /// This run of the agent: the middle part of the ids of its writes.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// A key as this replica holds it, with how far to trust it; `None` if it holds no value.
    pub async fn get<K>(&self, key: K) -> Result<Option<StateVersion>, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        Ok(self.get_with_position(key).await?.0)
    }

    /// The same with where in the hub's log this replica stands, for an [`Expected`](crate::Expected) that
    /// holds only for the log it was read in. None before it has met its hub, and while it exchanges
    /// everything with one that has lost state.
    pub async fn get_with_position<K>(
        &self,
        key: K,
    ) -> Result<(Option<StateVersion>, Option<Seen>), RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        self.read(|done| AgentCommand::Get { key, done }).await
    }

    /// Whether the hub has yet to speak about what this agent shows of a key, be that a value or none:
    /// own writes and deletes that it has not committed, a refused one that is not undone yet.
    pub async fn is_provisional<K>(&self, key: K) -> Result<bool, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        self.read(|done| AgentCommand::Provisional { key, done })
            .await
    }

    /// The version of a key as last told by the hub; `None` if it holds no value or was never
    /// committed.
    pub async fn version<K>(&self, key: K) -> Result<Option<Version>, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        self.read(|done| AgentCommand::Version { key, done }).await
    }

    /// The keys that match a pattern (`*` any run of characters, `?` one) and hold a value here.
    pub async fn keys<P>(&self, pattern: P) -> Result<Vec<Key>, RequestError>
    where
        P: TryInto<Pattern>,
        P::Error: Into<RequestError>,
    {
        let pattern = pattern.try_into().map_err(Into::into)?;
        self.read(|done| AgentCommand::Keys { pattern, done }).await
    }

    /// This replica's position in the hub's log.
    pub async fn cursor(&self) -> Result<Option<Cursor>, RequestError> {
        Ok(self.state().await?.replica.cursor)
    }

    /// The digest of the whole replica, writes that wait for the hub included.
    pub async fn digest(&self) -> Result<Digest, RequestError> {
        Ok(self.state().await?.replica.digest)
    }

    /// Where the agent and its connection stand.
    pub async fn state(&self) -> Result<AgentState, RequestError> {
        self.read(|done| AgentCommand::State { done }).await
    }

    /// Waits until every write made so far has reached `level`; at most `timeout` for the hub.
    pub async fn flush(
        &self,
        level: Durability,
        timeout: Option<Duration>,
    ) -> Result<(), RequestError> {
        let command = match level {
            Durability::Hub => Command::FlushToHub {
                timeout: timeout.unwrap_or(self.default_timeout),
            },
            _ => Command::FlushToDisk,
        };
        self.run(command).await.map(|_| ())
    }

    /// Cuts the connection and stays away until [`Agent::go_online`].
    pub async fn go_offline(&self) -> Result<(), RequestError> {
        self.read(|done| AgentCommand::Online {
            online: false,
            done,
        })
        .await
    }

    /// Connects again and catches up. Returns at once; [`Agent::wait_in_step`] waits.
    pub async fn go_online(&self) -> Result<(), RequestError> {
        self.read(|done| AgentCommand::Online { online: true, done })
            .await
    }

    /// Waits until the replica has, from now on, once been in step with the hub.
    pub async fn wait_in_step(&self, timeout: Duration) -> Result<(), RequestError> {
        let reached = self.read(|done| AgentCommand::WaitInStep { done });
        let late = || RequestError::Deadline {
            doing: "getting in step with the hub".to_owned(),
            limit_ms: millis(timeout),
        };
        tokio::time::timeout(timeout, reached)
            .await
            .map_err(|_| late())?
    }

    /// Writes of this agent that came back, oldest write first. They are kept until
    /// [`Agent::take_receipts`].
    pub async fn receipts(&self) -> Result<Vec<Receipt>, RequestError> {
        self.read(|done| AgentCommand::Receipts { done }).await
    }

    /// Receipts as they arrive. A receiver that lags misses some here and finds them in
    /// [`Agent::receipts`].
    pub fn subscribe_receipts(&self) -> broadcast::Receiver<Receipt> {
        let open = || broadcast::channel(RECEIPTS_MAX).0;
        self.receipts.get_or_init(open).subscribe()
    }

    /// Why its hub does not have this agent, from when it says so until it answers it: a name without the
    /// right to be there, a token that is none, a name that is taken. The agent goes on trying, and gets in
    /// once that has changed.
    pub fn refused(&self) -> watch::Receiver<Option<String>> {
        self.refused.subscribe()
    }

    /// The caller has dealt with these receipts: forget them. Returns how many of them had waited.
    pub async fn take_receipts(&self, writes: Vec<WriteId>) -> Result<u64, RequestError> {
        match self.run(Command::TakeReceipts(writes)).await? {
            Outcome::Taken(count) => Ok(count),
            other => Err(misanswered(&other)),
        }
    }

    /// Proposes again what a receipt gave back: a new write that has seen what it lost against. The
    /// receipt is taken with it. Refused if what it lost against is no longer what the key shows.
    pub async fn repropose(&self, write: WriteId) -> Result<Ack, RequestError> {
        match self.run(Command::Repropose(write)).await? {
            Outcome::Written(ack) => Ok(ack),
            other => Err(misanswered(&other)),
        }
    }

    /// Stops: what is under way becomes durable, the connection is closed. The store stays open; it
    /// is its owner's.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        if self
            .commands
            .send(AgentCommand::Shutdown { done })
            .await
            .is_ok()
        {
            let _ = stopped.await;
        }
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }

    /// Waits until the agent has stopped by itself, and says why: its store failed, so that nothing
    /// more can be promised.
    pub async fn stopped(&self) -> String {
        self.commands.closed().await;
        self.reason()
    }

    fn reason(&self) -> String {
        let orderly = || "the agent was shut down".to_owned();
        self.failure.get().cloned().unwrap_or_else(orderly)
    }

    /// The policies as this agent last heard them, the most specific first.
    pub async fn policies(&self) -> Result<Vec<Policy>, RequestError> {
        self.read(|done| AgentCommand::Policies { done }).await
    }

    async fn run(&self, command: Command) -> Result<Outcome, RequestError> {
        self.read(|done| AgentCommand::Run { command, done })
            .await?
    }

    async fn read<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> AgentCommand,
    ) -> Result<T, RequestError> {
        let stopped = || RequestError::Stopped {
            reason: self.reason(),
        };
        let (done, answer) = oneshot::channel();
        self.commands
            .send(command(done))
            .await
            .map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())
    }
}

fn misanswered(outcome: &Outcome) -> RequestError {
    RequestError::Invalid {
        reason: format!("the replica answered another command: {outcome:?}"),
    }
}
