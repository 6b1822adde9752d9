//! What the hub synchronizes by itself: whether it does so at its times.

use std::time::Duration;

use sync_core::{Ask, HubStatus, Pattern, PeriodicStatus, Priority};
use sync_protocol::{Covers, Limits, PeriodicPlan, PeriodicRun, Schedule};

use crate::random::Random;
use crate::workload::Asked;
use crate::world::World;

/// Shortest and longest time between two runs, in milliseconds.
const INTERVAL_MS: (u64, u64) = (60, 600);

pub(crate) fn draw(random: &mut Random) -> Schedule {
    let mut plans = Vec::new();
    for name in ["some", "others"] {
        let interval = Duration::from_millis(random.between(INTERVAL_MS.0, INTERVAL_MS.1));
        let pattern = *random.pick(&["*", "lww-*", "lww-0", "nothing-*"]);
        let covers = match random.below(3) {
            0 => Covers::Priority(*random.pick(&Priority::ALL)),
            _ => Covers::Patterns(vec![Pattern::new(pattern).expect("a pattern")]),
        };
        let mut plan = PeriodicPlan::new(name, covers, interval);
        if random.chance(500) {
            plan = plan.with_jitter(interval / 3);
        }
        if random.chance(300) {
            plan = plan.with_timeout(Duration::from_millis(250));
        }
        plans.push(plan);
        if random.chance(500) {
            break;
        }
    }
    Schedule::new(plans, &Limits::default()).expect("a schedule")
}

impl World {
    pub(crate) fn ran(&mut self, run: &PeriodicRun) {
        self.stats.hit("periodic run");
        if run.failure.is_some() {
            self.stats.hit("periodic run failed");
        }
        if run.changed {
            self.stats.hit("periodic run changed something");
        }
        if run.synchronized == 0 && run.failure.is_none() {
            // It was about no key that there was, or is any more.
            self.stats.hit("periodic run with nothing to do");
        }
    }

    pub(crate) fn ask_status(&mut self) {
        let request = self.new_request(Asked::Status(self.now_us));
        let now = self.hub_now();
        if let Some(hub) = &mut self.hub.machine {
            hub.handle_ask(now, request, Ask::Status);
            self.drain_hub();
        }
    }

    /// Every tick since the hub has started was a run or is counted as missed; the next one is near.
    pub(crate) fn check_grid(&mut self, asked_us: u64, status: &HubStatus) {
        let passed = Duration::from_micros(asked_us.saturating_sub(self.hub.started_us));
        let plans = self.plan.schedule.plans();
        let named = status.periodic.iter().map(|line| &line.name);
        let same = named.eq(plans.iter().map(|plan| &plan.name));
        let mut wrong = plans
            .iter()
            .zip(&status.periodic)
            .filter(|(plan, line)| !keeps_its_grid(plan, line, passed));
        let wrong = wrong
            .next()
            .map(|(_, line)| format!("{line:?} after {passed:?}"));
        self.require(same && wrong.is_none(), || {
            format!("off its grid: {wrong:?} of {:?}", status.periodic)
        });
    }
}

fn keeps_its_grid(plan: &PeriodicPlan, line: &PeriodicStatus, passed: Duration) -> bool {
    let ticks = u64::try_from(passed.as_nanos() / plan.interval.as_nanos()).unwrap_or(u64::MAX);
    let counted = line.runs + line.missed;
    // Both ends of the time may lie within the jitter of a tick, and one may be due in this moment.
    let near = counted <= ticks + 2 && (line.running || ticks <= counted + 2);
    let next = Duration::from_millis(line.next_in_ms);
    near && next <= plan.interval + plan.jitter && line.failed <= line.runs
}
