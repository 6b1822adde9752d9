//! What the runs of a plan have come to.

use std::time::Duration;

use sync_core::{PeriodicStatus, RequestError, SyncReport};

use crate::millis::millis;
use crate::schedule::PeriodicPlan;

/// What a run has found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    keys: usize,
    synchronized: usize,
    changed: bool,
    /// Why keys of it failed: the first reason met.
    failure: Option<String>,
}

impl Found {
    /// Takes in a part of the run.
    pub(super) fn add(&mut self, report: &SyncReport) {
        self.keys += report.keys.len();
        self.synchronized += report.synchronized();
        self.changed |= report.keys.iter().any(|line| line.changed);
        let first = report.failed().find_map(|line| line.failed.clone());
        self.failure = self.failure.take().or(first);
    }

    /// Takes in a part of the run, of so many keys, that came to nothing.
    pub(super) fn miss(&mut self, keys: usize, reason: &RequestError) {
        self.keys += keys;
        self.failure.get_or_insert_with(|| reason.to_string());
    }

    /// Why the run failed, if it did. `ended` is what brought it to an early end.
    fn failure(&self, ended: Option<String>) -> Option<String> {
        let (done, keys) = (self.synchronized, self.keys);
        if let Some(reason) = ended {
            return Some(reason);
        }
        if keys == 0 {
            return Some("no key is what this is to synchronize: nothing was done".to_owned());
        }
        let reason = self.failure.as_ref()?;
        Some(format!("{done} of {keys} keys were synchronized: {reason}"))
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
    /// The run before it went well and this one did not, or the other way round: worth a line.
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
}

impl Tally {
    pub(super) fn count(&mut self, plan: &str, found: Found, ended: Option<String>) -> PeriodicRun {
        let failure = found.failure(ended);
        let turned = failure.is_some() != self.last_failure.is_some();
        self.runs += 1;
        self.changed += u64::from(found.changed);
        self.failed += u64::from(failure.is_some());
        self.last_failure.clone_from(&failure);
        PeriodicRun {
            plan: plan.to_owned(),
            synchronized: found.synchronized,
            changed: found.changed,
            failure,
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
        }
    }
}
