//! What the hub synchronizes by itself every so often. A run is a sweep: agents are asked what they have
//! written of the keys, none of which is named. One that finds nothing changes and stores nothing.

mod grid;
mod tally;
mod walk;

use std::time::Duration;

use sync_core::{Epoch, Now, PeriodicStatus, RequestError, SwarmId};

pub use self::tally::PeriodicRun;

use self::grid::Grid;
use self::tally::{Found, Tally};
use self::walk::Walk;
use super::round::Swept;
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
    /// How far its keys are counted, once agents have answered.
    walk: Option<Walk>,
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
            // Its rounds wake the hub themselves.
            (Some(Run { walk: None, .. }), _) => None,
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

    /// Begins the runs that are due, and goes on with those that count their keys.
    pub(super) fn run_plans(&mut self, now: Now) {
        for at in 0..self.periodic.plans.len() {
            if self.periodic.plans[at].is_due(now) {
                self.begin_run(now, at);
            }
            self.go_on(now, at);
        }
    }

    fn begin_run(&mut self, now: Now, at: usize) {
        let held = &mut self.periodic.plans[at];
        held.run = Some(Run {
            walk: None,
            found: Found::default(),
        });
        let (number, timeout) = (held.number, held.plan.timeout);
        let patterns = held.plan.covers.patterns();
        let classes = held.plan.covers.priorities(self.resolvers.policies());
        self.start_sweep(now, number, patterns, classes, timeout);
    }

    /// One turn of a run that counts its keys.
    fn go_on(&mut self, now: Now, at: usize) {
        let run = self.periodic.plans[at].run.as_mut();
        let Some(Run {
            walk: Some(walk),
            found,
        }) = run
        else {
            return;
        };
        if let Some(keys) = walk.turn(self.resolvers.policies(), &self.space) {
            found.count(keys);
            self.end_run(now, at, None);
        }
    }

    /// The rounds of a run have ended: what is left is to count the keys it was about. Where nobody is
    /// connected, or there was no room for it, it ends.
    pub(super) fn plan_was_told(
        &mut self,
        now: Now,
        number: u64,
        outcome: Result<Swept, RequestError>,
    ) {
        let mut plans = self.periodic.plans.iter_mut();
        let Some(at) = plans.position(|held| held.number == number) else {
            return;
        };
        let reach = self.check_reach();
        let held = &mut self.periodic.plans[at];
        let Some(run) = &mut held.run else {
            return;
        };
        let ended = match outcome {
            Ok(swept) => {
                run.found.add(&swept);
                None
            }
            Err(error) => {
                run.found.miss(&error, self.roster.keys().collect());
                let is_over = matches!(error, RequestError::Shed { .. });
                reach.err().or_else(|| is_over.then_some(error))
            }
        };
        if let Some(error) = ended {
            return self.end_run(now, at, Some(error.to_string()));
        }
        let policies = self.resolvers.policies();
        run.walk = Some(Walk::new(&held.plan.covers, policies, &self.space));
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
