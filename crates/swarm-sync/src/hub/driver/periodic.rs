//! What the hubs synchronize by themselves: they decide when, here it is only passed on and logged.

use std::fmt;

use sync_core::{AgentId, SwarmId};
use sync_protocol::{PeriodicRun, Schedule};

use super::Driver;

impl Driver {
    /// A schedule holds in all swarms, those that come later included.
    pub(super) fn set_schedule(&mut self, schedule: &Schedule) {
        self.schedule = schedule.clone();
        let now = self.now();
        for hub in self.hubs.values_mut() {
            hub.set_schedule(now, schedule.clone());
        }
    }
}

/// A line at the usual level only when the outcome is another than before, or others are missing: a hub
/// that nobody is connected to would fill its log.
pub(super) fn log(swarm: &SwarmId, run: &PeriodicRun) {
    let (plan, keys, changed) = (&run.plan, run.synchronized, run.changed);
    let missing = Missing(run).to_string();
    match (&run.failure, run.turned) {
        (Some(reason), true) => {
            tracing::info!(%swarm, plan, reason, missing, "a periodic synchronization fails; it is tried again at its times");
        }
        (None, true) if run.missing_count > 0 => {
            tracing::info!(%swarm, plan, keys, missing, "a periodic synchronization goes well, but for the agents that are missing");
        }
        (None, true) => {
            tracing::info!(%swarm, plan, keys, "a periodic synchronization goes well again");
        }
        (Some(reason), false) => {
            tracing::debug!(%swarm, plan, reason, missing, "a periodic synchronization still fails");
        }
        (None, false) => {
            tracing::debug!(%swarm, plan, keys, changed, missing, "a periodic synchronization has ended");
        }
    }
}

/// The agents that a run went without, in a line.
struct Missing<'a>(&'a PeriodicRun);

impl fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(run) = self;
        let names: Vec<&str> = run.missing.iter().map(AgentId::as_str).collect();
        f.write_str(&names.join(", "))?;
        match run.missing_count.saturating_sub(names.len() as u64) {
            0 => Ok(()),
            others => write!(f, " and {others} others"),
        }
    }
}
