//! Settings of a [`StateSynchronizer`] and its start.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::Merges;
use sync_core::{Clock, Coordinator, Policies, Resolvers, Store};
use sync_protocol::Limits;
use tokio::sync::{Mutex, mpsc};

use super::StateSynchronizer;
use super::driver::Driver;
use super::voting::Voting;
use crate::clock::SystemClock;
use crate::error::StartError;

/// Requests that may wait for the hub's task; past it callers wait.
const COMMANDS_MAX: usize = 1_024;

/// Reads the policies anew.
#[derive(Clone)]
pub(super) struct PolicySource(pub(super) Arc<dyn Fn() -> Result<Policies, String> + Send + Sync>);

impl std::fmt::Debug for PolicySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PolicySource")
    }
}

/// Builds a [`StateSynchronizer`].
#[derive(Debug)]
pub struct SynchronizerBuilder {
    pub(super) store: Arc<dyn Store>,
    pub(super) coordinator: Arc<dyn Coordinator>,
    pub(super) resolvers: Resolvers,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) default_timeout: Duration,
    pub(super) merges: Merges,
    pub(super) merge_timeout: Duration,
    pub(super) policy_source: Option<PolicySource>,
    pub(super) voting: Voting,
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
            merges: Merges::default(),
            merge_timeout: Duration::from_secs(5),
            policy_source: None,
            voting: Voting::default(),
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

    /// What holds for keys of a pattern. Agents learn it from the hub.
    #[must_use]
    pub fn policies(mut self, policies: Policies) -> Self {
        self.resolvers = self.resolvers.with_policies(Arc::new(policies));
        self
    }

    /// Where to read the policies anew when a client asks for it: a file, say. An error is its sentence,
    /// and leaves the table as it is.
    #[must_use]
    pub fn policy_source(
        mut self,
        source: impl Fn() -> Result<Policies, String> + Send + Sync + 'static,
    ) -> Self {
        self.policy_source = Some(PolicySource(Arc::new(source)));
        self
    }

    /// The functions that policies name to merge concurrent values.
    #[must_use]
    pub fn merges(mut self, merges: Merges) -> Self {
        self.merges = merges;
        self
    }

    /// How long such a function may take before it counts as failed: then the values stay as they are,
    /// and it is asked again later. 5 s if not set.
    #[must_use]
    pub fn merge_timeout(mut self, timeout: Duration) -> Self {
        self.merge_timeout = timeout;
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
    pub async fn start(mut self) -> Result<StateSynchronizer, StartError> {
        self.voting = self.voting.checked(&self.limits)?;
        check_functions(self.resolvers.policies(), &self.merges)?;
        let default_timeout = self.default_timeout;
        let merges = self.merges.clone();
        let (commands, queue) = mpsc::channel(COMMANDS_MAX);
        let failure = Arc::new(OnceLock::new());
        let driver = Driver::open(self, queue, Arc::clone(&failure)).await?;
        let task = tokio::spawn(driver.run());
        Ok(StateSynchronizer {
            commands,
            task: Arc::new(Mutex::new(Some(task))),
            default_timeout,
            merges,
            failure,
        })
    }
}

/// Every function that a policy names must be there.
pub(super) fn check_functions(policies: &Policies, merges: &Merges) -> Result<(), StartError> {
    let named = policies
        .iter()
        .filter_map(|p| Some((p, p.merge.as_deref()?)));
    for (policy, name) in named {
        if merges.get(name).is_none() {
            let known: Vec<&str> = merges.names().collect();
            return Err(StartError::Config {
                reason: format!(
                    "the policy for {} names the merge function `{name}`, which is not registered; registered are: {}",
                    policy.pattern,
                    if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    }
                ),
            });
        }
    }
    Ok(())
}
