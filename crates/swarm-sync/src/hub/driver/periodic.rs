//! What the hubs synchronize by themselves: they decide when, here it is only passed on and logged.

use sync_core::SwarmId;
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

/// A line only when the outcome is another than before: a hub that nobody is connected to would fill its
/// log.
pub(super) fn log(swarm: &SwarmId, run: &PeriodicRun) {
    let (plan, keys, changed) = (&run.plan, run.synchronized, run.changed);
    match (&run.failure, run.turned) {
        (Some(reason), true) => {
            tracing::info!(%swarm, plan, reason, "a periodic synchronization fails; it is tried again at its times");
        }
        (None, true) => {
            tracing::info!(%swarm, plan, keys, "a periodic synchronization goes well again");
        }
        (Some(reason), false) => {
            tracing::debug!(%swarm, plan, reason, "a periodic synchronization still fails");
        }
        (None, false) => {
            tracing::debug!(%swarm, plan, keys, changed, "a periodic synchronization has ended");
        }
    }
}
