//! Settings of a [`StateSynchronizer`] and its start.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sync_core::{Clock, Coordinator, Resolvers, Store};
use sync_protocol::Limits;
use tokio::sync::{Mutex, mpsc};

use super::StateSynchronizer;
use super::driver::Driver;
use crate::clock::SystemClock;
use crate::error::StartError;

/// Requests that may wait for the hub's task; past it callers wait.
const COMMANDS_MAX: usize = 1_024;

/// Builds a [`StateSynchronizer`].
#[derive(Debug)]
pub struct SynchronizerBuilder {
    pub(super) store: Arc<dyn Store>,
    pub(super) coordinator: Arc<dyn Coordinator>,
    pub(super) resolvers: Resolvers,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) default_timeout: Duration,
}

impl StateSynchronizer {
    /// A synchronizer that keeps its state in `store` and reaches agents through `coordinator`.
    pub fn builder(
        store: Arc<dyn Store>,
        coordinator: Arc<dyn Coordinator>,
    ) -> SynchronizerBuilder {
        SynchronizerBuilder {
            store,
            coordinator,
            resolvers: sync_resolve::standard(),
            clock: Arc::new(SystemClock::new()),
            limits: Limits::default(),
            default_timeout: Duration::from_secs(10),
        }
    }
}

impl SynchronizerBuilder {
    /// Merge rules other than the standard ones. Every node of a swarm needs the same.
    #[must_use]
    pub fn resolvers(mut self, resolvers: Resolvers) -> Self {
        self.resolvers = resolvers;
        self
    }

    /// How long a round waits for agents; 10 s if not set.
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

    /// A clock other than the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Reads the store and starts. Must be called inside a tokio runtime; for the least latency one
    /// of the current-thread kind that the coordinator runs on too.
    pub async fn start(self) -> Result<StateSynchronizer, StartError> {
        let default_timeout = self.default_timeout;
        let (commands, queue) = mpsc::channel(COMMANDS_MAX);
        let failure = Arc::new(OnceLock::new());
        let driver = Driver::open(self, queue, Arc::clone(&failure)).await?;
        let task = tokio::spawn(driver.run());
        Ok(StateSynchronizer {
            commands,
            task: Arc::new(Mutex::new(Some(task))),
            default_timeout,
            failure,
        })
    }
}
