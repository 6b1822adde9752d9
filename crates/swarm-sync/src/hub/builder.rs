//! Settings of a [`StateSynchronizer`] and its start.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::Merges;
use sync_core::{Clock, Coordinator, Policies, Priority, Resolvers, Rights, Store};
use sync_protocol::{Deadlines, KEEP_FREE, Limits, PeriodicPlan, Schedule};
use tokio::sync::{Mutex, mpsc, watch};

use super::StateSynchronizer;
use super::driver::Driver;
use super::reloading::Reloaded;
use super::voting::Voting;
use crate::clock::SystemClock;
use crate::error::StartError;
use crate::span;

/// Requests that may wait for the hub's task; past it callers wait.
const COMMANDS_MAX: usize = 1_024;

/// Reads the policies anew.
#[derive(Clone)]
pub(super) struct PolicySource(pub(super) Arc<dyn Fn() -> Result<Reloaded, String> + Send + Sync>);

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
    pub(super) deadlines: Deadlines,
    pub(super) plans: Vec<PeriodicPlan>,
    pub(super) merges: Merges,
    pub(super) merge_timeout: Duration,
    pub(super) policy_source: Option<PolicySource>,
    pub(super) rights: Option<watch::Receiver<Arc<Rights>>>,
    pub(super) voting: Voting,
    pub(super) disk_lost: bool,
    pub(super) keep_free: u64,
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
            deadlines: Deadlines::default(),
            plans: Vec::new(),
            merges: Merges::default(),
            merge_timeout: Duration::from_secs(5),
            policy_source: None,
            rights: None,
            voting: Voting::default(),
            disk_lost: false,
            keep_free: KEEP_FREE,
        }
    }
}

impl SynchronizerBuilder {
    /// The store was filled anew because the one before it was lost or damaged: swarms that it has nothing
    /// of may have had claims, so that none is granted before the longest lease is over.
    #[must_use]
    pub fn after_loss(mut self) -> Self {
        self.disk_lost = true;
        self
    }

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

    /// Where to read the policies anew when a client asks for it, or [`Reloaded`] policies and rights: a
    /// file, say. An error is its sentence, and leaves both as they are; so does a table that names a
    /// merge function that is not registered.
    #[must_use]
    pub fn policy_source<R: Into<Reloaded>>(
        mut self,
        source: impl Fn() -> Result<R, String> + Send + Sync + 'static,
    ) -> Self {
        let source = move || source().map(Into::into);
        self.policy_source = Some(PolicySource(Arc::new(source)));
        self
    }

    /// Who may read, write and administer what; whatever is sent there later holds from then on, also once
    /// nobody is left to send. If not set, everybody who is let in may do everything.
    #[must_use]
    pub fn rights(mut self, rights: watch::Receiver<Arc<Rights>>) -> Self {
        self.rights = Some(rights);
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

    /// How long a round waits for agents; 10 s if not set. The same as
    /// [`SynchronizerBuilder::deadline`] for [`Priority::Medium`], which is the priority of every key
    /// that no policy gives another.
    #[must_use]
    pub fn default_timeout(self, timeout: Duration) -> Self {
        self.deadline(Priority::Medium, timeout)
    }

    /// How long a round over keys of a priority waits for agents, unless its caller says otherwise. If
    /// not set 30 s for critical, 10 s for high and medium, 5 s for low and background.
    #[must_use]
    pub fn deadline(mut self, priority: Priority, deadline: Duration) -> Self {
        self.deadlines = self.deadlines.with(priority, deadline);
        self
    }

    /// Something to synchronize every so often, in every swarm; once for each. Their names differ.
    #[must_use]
    pub fn periodic(mut self, plan: PeriodicPlan) -> Self {
        self.plans.push(plan);
        self
    }

    /// Bounds other than the defaults.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Bytes that are left free of the disk of the store: with less the hub takes nothing new until there is
    /// a quarter more, and what agents push stays with them meanwhile; reads, synchronization, deletes and
    /// the end of claims go on. 64 MiB if not set; 0 has it take writes to the last byte.
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

    /// Reads the store and starts. Must be called inside a tokio runtime; for the least latency one
    /// of the current-thread kind that the coordinator runs on too.
    pub async fn start(mut self) -> Result<StateSynchronizer, StartError> {
        self.voting = self.voting.checked(&self.limits)?;
        check_functions(self.resolvers.policies(), &self.merges)?;
        check_deadlines(&self.deadlines, &self.limits)?;
        let schedule = Schedule::new(self.plans.clone(), &self.limits);
        let schedule = schedule.map_err(|e| StartError::Config {
            reason: e.to_string(),
        })?;
        let (merges, limits) = (self.merges.clone(), self.limits);
        let patience = self.deadlines.of(Priority::default());
        let (commands, queue) = mpsc::channel(COMMANDS_MAX);
        let failure = Arc::new(OnceLock::new());
        let driver = Driver::open(self, schedule, queue, Arc::clone(&failure)).await?;
        let task = tokio::spawn(driver.run());
        Ok(StateSynchronizer {
            commands,
            task: Arc::new(Mutex::new(Some(task))),
            limits,
            patience,
            merges,
            failure,
        })
    }
}

/// Each must be a time that a round may wait.
fn check_deadlines(deadlines: &Deadlines, limits: &Limits) -> Result<(), StartError> {
    let longest = limits.round_deadline_max;
    for priority in Priority::ALL {
        let deadline = deadlines.of(priority);
        if deadline.is_zero() || deadline > longest {
            let (given, longest) = (span::text(deadline), span::text(longest));
            return Err(StartError::Config {
                reason: format!(
                    "a round over keys of {priority} priority is to wait {given}; it can wait from 1ms to {longest}"
                ),
            });
        }
    }
    Ok(())
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
