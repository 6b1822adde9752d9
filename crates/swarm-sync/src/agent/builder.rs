//! Settings of an [`Agent`] and its start.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sync_core::{AgentId, Clock, Incarnation, Link, Resolvers, Store, SwarmId};
use sync_protocol::{KEEP_FREE, Limits};
use sync_store::MemoryStore;
use tokio::sync::{Mutex, mpsc, watch};

use super::driver::{Driver, Handles};
use super::{Agent, Subscribers};
use crate::chance;
use crate::clock::SystemClock;
use crate::consensus::Voter;
use crate::error::StartError;

/// Requests that may wait for the agent's task; past it callers wait.
const COMMANDS_MAX: usize = 1_024;

/// The swarm of an agent that names none.
const DEFAULT_SWARM: &str = "default";

/// Builds an [`Agent`].
pub struct AgentBuilder {
    pub(super) name: String,
    pub(super) swarm: String,
    pub(super) link: Arc<dyn Link>,
    pub(super) store: Arc<dyn Store>,
    pub(super) resolvers: Resolvers,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) default_timeout: Duration,
    pub(super) online: bool,
    pub(super) incarnation: Incarnation,
    pub(super) voter: Option<Arc<dyn Voter>>,
    pub(super) keep_free: u64,
}

impl std::fmt::Debug for AgentBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentBuilder")
            .field("name", &self.name)
            .field("swarm", &self.swarm)
            .finish_non_exhaustive()
    }
}

impl Agent {
    /// An agent called `name` that reaches its hub through `link`. Unless told otherwise it belongs
    /// to the swarm `default` and keeps its replica in memory.
    pub fn builder(name: impl Into<String>, link: impl Link + 'static) -> AgentBuilder {
        AgentBuilder {
            name: name.into(),
            swarm: DEFAULT_SWARM.to_owned(),
            link: Arc::new(link),
            store: Arc::new(MemoryStore::new()),
            resolvers: sync_resolve::standard(),
            clock: Arc::new(SystemClock::new()),
            limits: Limits::default(),
            default_timeout: Duration::from_secs(10),
            online: true,
            // Fresh at every start, so that a copied disk never reuses an id.
            incarnation: Incarnation::from_random(chance::fresh()),
            voter: None,
            keep_free: KEEP_FREE,
        }
    }
}

impl AgentBuilder {
    /// The swarm it belongs to.
    #[must_use]
    pub fn swarm(mut self, swarm: impl Into<String>) -> Self {
        self.swarm = swarm.into();
        self
    }

    /// Where it keeps its replica. What an acknowledged write survives is this store's durability.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = store;
        self
    }

    /// Merge rules other than the standard ones. Every node of a swarm needs the same.
    #[must_use]
    pub fn resolvers(mut self, resolvers: Resolvers) -> Self {
        self.resolvers = resolvers;
        self
    }

    /// How long a request to the hub may take; 10 s if not set.
    #[must_use]
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.default_timeout = timeout;
        self
    }

    /// Bounds other than the defaults.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Bytes that are left free of the disk of the store: with less the agent takes no new writes until there
    /// is a quarter more; reads, deletes and what comes from the hub go on. 64 MiB if not set; 0 has it take
    /// writes to the last byte.
    #[must_use]
    pub fn keep_free(mut self, bytes: u64) -> Self {
        self.keep_free = bytes;
        self
    }

    /// A clock other than the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Who votes for it. Without one it votes by hand, [`Agent::vote`].
    #[must_use]
    pub fn voter(mut self, voter: Arc<dyn Voter>) -> Self {
        self.voter = Some(voter);
        self
    }

    /// Starts without connecting, until [`Agent::go_online`].
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.online = false;
        self
    }

    /// Reads the store and starts; the hub need not be there. Must be called inside a tokio runtime.
    pub async fn start(self) -> Result<Agent, StartError> {
        let config = |e: sync_core::IdError| StartError::Config {
            reason: e.to_string(),
        };
        let agent = AgentId::of_peer(&self.name).map_err(config)?;
        let swarm = SwarmId::new(&self.swarm).map_err(config)?;
        let (default_timeout, incarnation) = (self.default_timeout, self.incarnation);
        let (commands, queue) = mpsc::channel(COMMANDS_MAX);
        let receipts = Subscribers::default();
        let refused = watch::Sender::new(None);
        let failure = Arc::new(OnceLock::new());
        let handles = Handles {
            commands: queue,
            receipts: Arc::clone(&receipts),
            refused: refused.clone(),
            failure: Arc::clone(&failure),
        };
        let driver = Driver::open(self, agent, swarm, handles).await?;
        let task = Arc::new(Mutex::new(Some(tokio::spawn(driver.run()))));
        Ok(Agent {
            commands,
            receipts,
            refused,
            task,
            default_timeout,
            failure,
            incarnation,
        })
    }
}
