//! What the runs of a plan have come to.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{AgentId, PeriodicStatus, Priority, RequestError};

use crate::hub::round::Swept;
use crate::millis::millis;
use crate::schedule::PeriodicPlan;

/// Names of missing agents that are kept of a run: enough to know where to look, while a roster may hold
/// thousands.
const MISSING_NAMES_MAX: usize = 16;

/// Who has not answered in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Missing {
    /// The first of them.
    names: Vec<AgentId>,
    count: u64,
}

impl<'a> FromIterator<&'a AgentId> for Missing {
    fn from_iter<I: IntoIterator<Item = &'a AgentId>>(agents: I) -> Self {
        let mut missing = Self::default();
        for agent in agents {
            missing.count += 1;
            if missing.names.len() < MISSING_NAMES_MAX {
                missing.names.push(agent.clone());
            }
        }
        missing
    }
}

/// What a run has found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    keys: usize,
    synchronized: usize,
    changed: bool,
    missing: Missing,
    /// Why keys of a priority failed, and why those of all do that are not here.
    failed: BTreeMap<Priority, String>,
    nobody: Option<String>,
}

impl Found {
    /// Agents have answered.
    pub(super) fn add(&mut self, swept: &Swept) {
        self.changed = swept.changed;
        self.missing = swept.missing.iter().collect();
        let failed = swept.failed.iter();
        self.failed = failed.map(|(of, error)| (*of, error.to_string())).collect();
    }

    /// Nobody has.
    pub(super) fn miss(&mut self, reason: &RequestError, missing: Missing) {
        self.nobody = Some(reason.to_string());
        self.missing = missing;
    }

    /// How many keys of each priority it was about.
    pub(super) fn count(&mut self, keys: &BTreeMap<Priority, usize>) {
        let reached = |of: &Priority| self.nobody.is_none() && !self.failed.contains_key(of);
        self.keys = keys.values().sum();
        let reached = keys.iter().filter(|(of, _)| reached(of));
        self.synchronized = reached.map(|(_, count)| count).sum();
    }

    /// Why the run failed, if it did. `ended` is what brought it to an early end.
    fn failure(&self, ended: Option<String>) -> Option<String> {
        let (done, keys) = (self.synchronized, self.keys);
        if let Some(reason) = ended {
            return Some(reason);
        }
        match self.nobody.as_ref().or_else(|| self.failed.values().next()) {
            None => None,
            Some(reason) if done == keys => Some(format!(
                "what agents have newly written may be missing: {reason}"
            )),
            Some(reason) => Some(format!("{done} of {keys} keys were synchronized: {reason}")),
        }
    }
}

/// A run that has ended, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeriodicRun {
    /// The name of its plan.
    pub plan: String,
    /// How many keys were synchronized.
    pub synchronized: usize,
    /// Whether that changed anything.
    pub changed: bool,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// Agents of the roster that did not answer, ascending: the first of them.
    pub missing: Vec<AgentId>,
    /// How many there are of these.
    pub missing_count: u64,
    /// The run before it went well and this one did not, or the other way round, or other agents were
    /// missing: worth a line.
    pub turned: bool,
}

/// Counts the runs of a plan.
#[derive(Debug, Default)]
pub(super) struct Tally {
    runs: u64,
    changed: u64,
    failed: u64,
    pub(super) missed: u64,
    last_failure: Option<String>,
    last_missing: Missing,
}

impl Tally {
    pub(super) fn count(&mut self, plan: &str, found: Found, ended: Option<String>) -> PeriodicRun {
        let failure = found.failure(ended);
        let turned =
            failure.is_some() != self.last_failure.is_some() || found.missing != self.last_missing;
        self.runs += 1;
        self.changed += u64::from(found.changed);
        self.failed += u64::from(failure.is_some());
        self.last_failure.clone_from(&failure);
        self.last_missing.clone_from(&found.missing);
        PeriodicRun {
            plan: plan.to_owned(),
            synchronized: found.synchronized,
            changed: found.changed,
            failure,
            missing: found.missing.names,
            missing_count: found.missing.count,
            turned,
        }
    }

    pub(super) fn status(
        &self,
        plan: &PeriodicPlan,
        running: bool,
        wait: Duration,
    ) -> PeriodicStatus {
        PeriodicStatus {
            name: plan.name.clone(),
            covers: plan.covers.to_string(),
            interval_ms: millis(plan.interval),
            jitter_ms: millis(plan.jitter),
            next_in_ms: millis(wait),
            running,
            runs: self.runs,
            changed: self.changed,
            failed: self.failed,
            missed: self.missed,
            last_failure: self.last_failure.clone(),
            last_missing: self.last_missing.names.clone(),
            last_missing_count: self.last_missing.count,
        }
    }
}
