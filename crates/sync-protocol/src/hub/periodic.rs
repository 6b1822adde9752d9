//! What the hub synchronizes by itself every so often. A run is a synchronization like a caller's, or
//! several one after the other if there are many keys; one that finds nothing changes and stores nothing.

mod grid;
mod tally;
mod walk;

use std::time::Duration;

use sync_core::{Epoch, Now, PeriodicStatus, RequestError, SwarmId};

pub use self::tally::PeriodicRun;

use self::grid::Grid;
use self::tally::{Found, Tally};
use self::walk::{Turn, Walk};
use super::round::Outcome;
use super::{Asker, Hub, HubOutput};
use crate::schedule::{PeriodicPlan, Schedule};

/// The plans in force.
#[derive(Debug, Default)]
pub(super) struct Periodic {
    plans: Vec<Planned>,
    /// Numbers the plans, so that what was asked for one is not told to its successor.
    last: u64,
}

/// A plan and where it stands.
#[derive(Debug)]
struct Planned {
    number: u64,
    plan: PeriodicPlan,
    grid: Grid,
    /// The next tick; none until the time is known.
    next: Option<u64>,
    run: Option<Run>,
    tally: Tally,
}

/// A run under way.
#[derive(Debug)]
struct Run {
    walk: Walk,
    /// How many keys the synchronization under way is about; else it looks for keys.
    asked: Option<usize>,
    found: Found,
}

impl Periodic {
    pub(super) fn of(schedule: &Schedule, swarm: &SwarmId, epoch: Epoch) -> Self {
        let mut periodic = Self::default();
        periodic.replace(schedule, swarm, epoch);
        periodic
    }

    /// Puts other plans in the place of these. One that stays as it is goes on. Returns the numbers of
    /// those that are gone.
    fn replace(&mut self, schedule: &Schedule, swarm: &SwarmId, epoch: Epoch) -> Vec<u64> {
        let mut before = std::mem::take(&mut self.plans);
        for plan in schedule.plans() {
            let same = before.iter().position(|held| held.plan == *plan);
            let planned = match same {
                Some(at) => before.remove(at),
                None => {
                    self.last += 1;
                    Planned::new(self.last, plan, Grid::of(plan, swarm, epoch))
                }
            };
            self.plans.push(planned);
        }
        before.iter().map(|gone| gone.number).collect()
    }

    /// When to look again, in the time of [`Now::mono`].
    pub(super) fn wake(&self) -> Option<Duration> {
        self.plans.iter().filter_map(Planned::wake).min()
    }

    pub(super) fn status(&self, now: Now) -> Vec<PeriodicStatus> {
        self.plans.iter().map(|held| held.status(now)).collect()
    }
}

impl Planned {
    fn new(number: u64, plan: &PeriodicPlan, grid: Grid) -> Self {
        Self {
            number,
            plan: plan.clone(),
            grid,
            next: None,
            run: None,
            tally: Tally::default(),
        }
    }

    fn wake(&self) -> Option<Duration> {
        match (&self.run, self.next) {
            // It ends with its round, which wakes the hub itself.
            (Some(Run { asked: Some(_), .. }), _) => None,
            (None, Some(tick)) => Some(self.grid.due(tick)),
            (Some(_), _) | (None, None) => Some(Duration::ZERO),
        }
    }

    /// Whether a run begins now. What else was due meanwhile is not made up for.
    fn is_due(&mut self, now: Now) -> bool {
        let next = *self.next.get_or_insert_with(|| self.grid.after(now.mono));
        if self.run.is_some() || self.grid.due(next) > now.mono {
            return false;
        }
        self.skip(now, next + 1);
        true
    }

    /// The next tick is the first after now: those from `first` on that are over were missed.
    fn skip(&mut self, now: Now, first: u64) {
        let next = self.grid.after(now.mono).max(first);
        self.tally.missed += next - first;
        self.next = Some(next);
    }

    fn status(&self, now: Now) -> PeriodicStatus {
        let due = self
            .grid
            .due(self.next.unwrap_or_else(|| self.grid.after(now.mono)));
        let wait = due.saturating_sub(now.mono);
        let wait = if self.run.is_some() {
            Duration::ZERO
        } else {
            wait
        };
        self.tally.status(&self.plan, self.run.is_some(), wait)
    }
}

impl Hub {
    /// Puts another schedule in force. Plans that stay as they are go on; what is under way for others
    /// ends.
    pub fn set_schedule(&mut self, now: Now, schedule: Schedule) {
        if self.failed.is_some() {
            return;
        }
        let (swarm, epoch) = (self.config.swarm.clone(), self.epoch());
        let gone = self.periodic.replace(&schedule, &swarm, epoch);
        self.config.schedule = schedule;
        let void = self.rounds.batches_of(|asker| match asker {
            Asker::Plan(number) => gone.contains(&number),
            Asker::Caller(_) => false,
        });
        self.drop_batches(now, void);
    }

    /// Begins the runs that are due, and goes on with those that look for keys.
    pub(super) fn run_plans(&mut self, now: Now) {
        for at in 0..self.periodic.plans.len() {
            let held = &mut self.periodic.plans[at];
            if held.is_due(now) {
                let keys_max = self.config.limits.request_keys_max;
                held.run = Some(Run {
                    walk: Walk::new(&held.plan.covers, self.resolvers.policies(), keys_max),
                    asked: None,
                    found: Found::default(),
                });
                // One that would reach nobody ends before it looks for keys.
                if let Err(nobody) = self.check_reach() {
                    self.end_run(now, at, Some(nobody.to_string()));
                }
            }
            self.go_on(now, at);
        }
    }

    /// One turn of a run that looks for keys.
    fn go_on(&mut self, now: Now, at: usize) {
        let held = &mut self.periodic.plans[at];
        let Some(run) = held.run.as_mut().filter(|run| run.asked.is_none()) else {
            return;
        };
        let policies = self.resolvers.policies();
        match run.walk.turn(&held.plan.covers, policies, &self.space) {
            Turn::More => {}
            Turn::Over => self.end_run(now, at, None),
            Turn::Chunk(keys) => {
                run.asked = Some(keys.len());
                let (asker, timeout) = (Asker::Plan(held.number), held.plan.timeout);
                self.start_batch(now, asker, keys, timeout);
            }
        }
    }

    /// A part of a run has ended. What nobody answered for in time is noted, and the rest asked for all the
    /// same: who was slow with some keys may be quick with others. Once nobody is connected, or there is no
    /// room for it, the run ends.
    pub(super) fn plan_was_told(&mut self, now: Now, number: u64, outcome: Outcome) {
        let mut plans = self.periodic.plans.iter_mut();
        let Some(at) = plans.position(|held| held.number == number) else {
            return;
        };
        let Some(run) = &mut self.periodic.plans[at].run else {
            return;
        };
        let asked = run.asked.take().unwrap_or_default();
        match outcome {
            Ok(report) => run.found.add(&report),
            Err(error @ (RequestError::NobodyConnected { .. } | RequestError::Shed { .. })) => {
                self.end_run(now, at, Some(error.to_string()));
            }
            Err(error) => run.found.miss(asked, &error),
        }
    }

    fn end_run(&mut self, now: Now, at: usize, failure: Option<String>) {
        let held = &mut self.periodic.plans[at];
        let Some(run) = held.run.take() else {
            return;
        };
        let ran = held.tally.count(&held.plan.name, run.found, failure);
        let next = held.next.unwrap_or_else(|| held.grid.after(now.mono));
        held.skip(now, next);
        self.gate.push(HubOutput::Ran(ran));
    }
}
