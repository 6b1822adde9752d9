//! A client without a replica that keeps for a while what it has read: [`CachedClient`].
//!
//! A change of a key ends what is held of it, as soon as the hub tells; what is told of no change ends
//! by its age. The two do not rest on each other: while the hub cannot be heard only the age counts, and
//! what is older than it may be is not shown, whatever else is the case.

mod held;
mod line;
mod options;
mod stats;
mod watcher;
mod weight;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sync_core::{
    AgentId, Answer, Ask, Clock, Key, Link, Reply, RequestError, StateVersion, SwarmId,
    TransportError, Value, Version,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::held::{Fetched, Held, Outcome, Seat, Turn, lock};
use self::line::{Answered, Line};
pub use self::options::CacheOptions;
pub use self::stats::CacheStats;
use self::watcher::Watcher;
use crate::client::Client;
use crate::error::StartError;
use crate::hub::unexpected;
use crate::span::millis;

/// How often an answer may be older than what is held may be before the caller is told. Once can happen
/// on any network; a third one says that the hub is farther away than the lifetime is long.
const ANSWERS_TOO_OLD_MAX: usize = 3;

/// A client that holds no replica and reads through a cache. Cheap to clone, and the clones share what is
/// held; the last one's end closes the connection, [`CachedClient::shutdown`] does so and waits.
///
/// What it returns was the hub's at some moment within [`CacheOptions::ttl`] before, and is asked for
/// again as soon as the hub has told of a change. It reconnects by itself.
///
/// ```
/// use std::sync::Arc;
/// use swarm_sync::{
///     Agent, AgentId, CacheOptions, CachedClient, Durability, MemoryCoordinator, MemoryStore,
///     StateSynchronizer, SwarmId, Value,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let coordinator = Arc::new(MemoryCoordinator::default());
/// # let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), coordinator.clone());
/// # let _hub = hub.start().await?;
/// # let writer = Agent::builder("writer", coordinator.link()).swarm("team").start().await?;
/// # writer.set("config", "v1").await?;
/// # writer.flush(Durability::Hub, None).await?;
/// let link = Arc::new(coordinator.link());
/// let (swarm, name) = (SwarmId::new("team")?, AgentId::new("dashboard")?);
/// let cache = CachedClient::connect(link, swarm, name, CacheOptions::default()).await?;
///
/// assert!(!cache.get("config").await?.from_cache);
/// let again = cache.get("config").await?;
/// assert!(again.from_cache);
/// assert_eq!(again.value(), Some(&Value::from("v1")));
/// println!("as of {:?} ago at most; {:?}", again.age, cache.stats());
///
/// // Changed at the hub: seen long before the 60 seconds are over.
/// writer.set("config", "v2").await?;
/// while cache.get("config").await?.value() != Some(&Value::from("v2")) {
///     tokio::task::yield_now().await;
/// }
/// cache.shutdown().await;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct CachedClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    held: Arc<Held>,
    line: Line,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    tasks: Mutex<Option<Tasks>>,
}

/// What works in the background, until this is dropped.
#[derive(Debug)]
struct Tasks {
    stop: watch::Sender<()>,
    line: JoinHandle<()>,
    watcher: JoinHandle<()>,
}

/// What a key read as.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CachedState {
    /// The state of the key at the hub, or none if it held no value there.
    pub state: Option<Arc<StateVersion>>,
    /// How long ago it was asked for: the hub held it so at some moment since. (The `age_ms` in the state
    /// is what the hub said of it then, 0.)
    pub age: Duration,
    /// Whether it was held already: the hub was not asked, nor anything waited for.
    pub from_cache: bool,
}

impl CachedState {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&Value> {
        self.state.as_ref()?.value.as_ref()
    }

    /// The version, if there is a value.
    pub fn version(&self) -> Option<Version> {
        self.state.as_ref()?.version
    }
}

impl CachedClient {
    /// Connects under `name`, which need not be unique, and begins to watch what changes. From then on
    /// it connects again by itself.
    ///
    /// Must be called inside a tokio runtime.
    pub async fn connect(
        link: Arc<dyn Link>,
        swarm: SwarmId,
        name: AgentId,
        options: CacheOptions,
    ) -> Result<Self, StartError> {
        options.check()?;
        let first = Client::connect(&*link, swarm.clone(), name.clone(), options.timeout).await?;
        let (stop, stopped) = watch::channel(());
        let clock = Arc::clone(&options.clock);
        let (line, line_task) = Line::start(first, link, swarm, name, clock, stopped.clone());
        let held = Arc::new(Held::new(&options));
        let watcher = Watcher::new(line.clone(), Arc::clone(&held), options.watched.clone());
        let begun = tokio::time::timeout(options.timeout, watcher.begin()).await;
        let late = |_| TransportError::Deadline {
            doing: "beginning to watch the hub",
            limit: options.timeout,
        };
        let watch = begun.map_err(late)?.map_err(|error| StartError::Config {
            reason: error.to_string(),
        })?;
        let tasks = Tasks {
            stop,
            line: line_task,
            watcher: tokio::spawn(watcher.run(watch, stopped)),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                held,
                line,
                clock: options.clock,
                timeout: options.timeout,
                tasks: Mutex::new(Some(tasks)),
            }),
        })
    }

    /// A key as the hub held it at some moment within [`CacheOptions::ttl`] before now. Callers that
    /// miss the same key at the same time ask once.
    ///
    /// # Errors
    /// If it is not held and the hub does not answer within [`CacheOptions::timeout`], connecting again
    /// included. What is older than it may be is never shown instead.
    pub async fn get<K>(&self, key: K) -> Result<CachedState, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        if let Some(found) = self.inner.held.look(&key, self.inner.clock.now()) {
            return Ok(found);
        }
        let limit = self.inner.timeout;
        let missed = self.inner.miss(&key);
        let late = |_| self.inner.late(&key);
        tokio::time::timeout(limit, missed).await.map_err(late)?
    }

    /// The version of a key, read as [`CachedClient::get`] does; none if it holds no value.
    pub async fn version<K>(&self, key: K) -> Result<Option<Version>, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        Ok(self.get(key).await?.version())
    }

    /// How well it works, and how much it holds.
    pub fn stats(&self) -> CacheStats {
        let mut stats = self.inner.held.stats();
        stats.watching &= self.inner.line.away().is_none();
        stats
    }

    /// Forgets what is held and closes the connection; what is asked for from then on is an error.
    pub async fn shutdown(&self) {
        let tasks = lock(&self.inner.tasks).take();
        if let Some(Tasks {
            stop,
            line,
            watcher,
        }) = tasks
        {
            drop(stop);
            let _ = (line.await, watcher.await);
        }
        self.inner.held.forget_all();
    }
}

impl Inner {
    /// Has the hub asked, by this caller or by one that was here before.
    async fn miss(&self, key: &Key) -> Result<CachedState, RequestError> {
        let mut answers_too_old = 0;
        while answers_too_old < ANSWERS_TOO_OLD_MAX {
            let outcome = match Held::join(&self.held, key, self.clock.now()) {
                Seat::Found(found) => return Ok(found),
                Seat::Ask(turn) => self.take_turn(key, turn).await,
                Seat::Wait(mut landing) => {
                    let landed = landing.wait_for(Option::is_some).await;
                    match landed.ok().and_then(|outcome| outcome.clone()) {
                        Some(outcome) => outcome,
                        // Who asked has given up, not the hub.
                        None => continue,
                    }
                }
            };
            if let Some(read) = self.held.read(&outcome?, self.clock.now()) {
                return Ok(read);
            }
            answers_too_old += 1;
        }
        Err(deadline(
            format!(
                "the hub's answer about {key}, which is worth nothing once it is as old as what is held may be,"
            ),
            self.held.ttl(),
        ))
    }

    async fn take_turn(&self, key: &Key, turn: Turn) -> Outcome {
        self.held.note_asked();
        let outcome = self.fetch(key).await;
        turn.land(outcome.clone());
        outcome
    }

    /// Reads may be repeated: a lost connection costs the caller time, no more.
    async fn fetch(&self, key: &Key) -> Outcome {
        loop {
            let Answered { asked, reply } = self.line.answer_to(Ask::Get(key.clone())).await;
            match reply {
                Err(RequestError::ConnectionLost { .. }) => {}
                reply => return fetched(reply).map(|state| Fetched { state, asked }),
            }
        }
    }

    fn late(&self, key: &Key) -> RequestError {
        let doing = match self.line.away() {
            Some(reason) => {
                format!("reading {key} from the hub, which cannot be reached ({reason}),")
            }
            None => format!("reading {key} from the hub"),
        };
        deadline(doing, self.timeout)
    }
}

fn fetched(reply: Reply) -> Result<Option<Arc<StateVersion>>, RequestError> {
    match reply? {
        Answer::State(state) => Ok(state.map(Arc::from)),
        other => Err(unexpected(&other)),
    }
}

fn deadline(doing: String, limit: Duration) -> RequestError {
    RequestError::Deadline {
        doing,
        limit_ms: millis(limit),
    }
}
