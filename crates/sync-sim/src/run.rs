//! One seed from its start to its account, and many of them on every core there is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::failure::Failure;
use crate::hardships::Troubles;
use crate::stats::Stats;
use crate::world::{Event, World};
use crate::{faults, network, plan};

/// Events of one seed before it heals.
const EVENTS_MIN: u64 = 2_000;

/// Time to heal in, in simulated microseconds: a score of retries.
const HEAL_US_MAX: u64 = 30_000_000;

/// How often it is looked whether everyone agrees, in simulated microseconds.
const LOOK_US: u64 = 50_000;

/// How long it is listened once everything has healed, in simulated microseconds, and how much may be said
/// then: some beats of every agent, and a round every now and then.
const QUIET_US: u64 = 200_000;
const QUIET_MESSAGES_MAX: u64 = 300;

/// Until everything has happened and healed; what was wrong first.
pub(crate) fn run_world(world: &mut World) -> Result<(), Failure> {
    while world.events < EVENTS_MIN && world.violation.is_none() {
        world.step();
    }
    heal(world);
    match world.violation.take() {
        Some(violation) => Err(violation),
        None => Ok(()),
    }
}

/// Ends all faults, waits until everyone agrees, sees whether all are served, and asks for the whole account.
fn heal(world: &mut World) {
    world.change_table_late();
    world.end_copy();
    world.faulty = false;
    world.troubles = Troubles::default();
    world.give_room();
    world.schedule(0, Event::StartHub);
    for n in 0..plan::REPLICAS {
        world.schedule(0, Event::StartReplica(n));
    }
    // By then the last cut has been noticed, and what was held up has arrived.
    converge(world, faults::NOTICE_US_MAX + network::DELAY_US_MAX);
    let made = world.write_everywhere();
    converge(world, 0);
    world.check_served(&made);
    check_quiet(world);
    if world.violation.is_none() {
        world.check_round();
        world.check_healed();
        world.ask_status();
    }
}

/// Lets things happen until everyone agrees, and for so long at least.
fn converge(world: &mut World, least_us: u64) {
    let until = world.now_us + HEAL_US_MAX;
    let mut next_look = world.now_us + least_us;
    while world.violation.is_none() {
        world.step();
        if world.now_us < next_look {
            continue;
        }
        next_look = world.now_us + LOOK_US;
        if world.has_converged() {
            return;
        }
        let late = world.now_us > until;
        let differences = if late {
            world.differences()
        } else {
            String::new()
        };
        world.require(!late, || format!("never agreed: {differences}"));
    }
}

/// Where nothing happens little is said: what is asked again is asked after a while.
fn check_quiet(world: &mut World) {
    let (until, before) = (world.now_us + QUIET_US, world.network.sent());
    while world.violation.is_none() && world.now_us < until {
        world.step();
    }
    let said = world.network.sent() - before;
    world.require(said <= QUIET_MESSAGES_MAX, || {
        format!("{said} messages about nothing")
    });
}

/// A panic is a violation, too.
pub(crate) fn caught<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(Failure::panicked(text.unwrap_or_default()))
    })
}

/// What came of a seed that went well: what happened how often, and a hash of the course it took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Course {
    /// How often each thing happened.
    pub stats: Stats,
    /// A hash of everything that happened, in its order: the same seed has the same one everywhere.
    pub trace: u64,
    /// How many events that were.
    pub events: u64,
}

/// The machines under one seed. With `print` it tells everything that happens.
///
/// # Errors
///
/// What an oracle has found to be wrong first.
pub fn run_seed(seed: u64, print: bool) -> Result<Course, Failure> {
    let mut world = World::new(seed, print);
    caught(|| run_world(&mut world))?;
    Ok(Course {
        stats: world.stats,
        trace: world.trace.hash,
        events: world.events,
    })
}

/// Does something with each seed, on every core there is; in the order of the seeds.
///
/// # Panics
///
/// If `run` does.
pub fn parallel<T: Send>(seeds: Range<u64>, run: impl Fn(u64) -> T + Sync) -> Vec<(u64, T)> {
    let next = AtomicU64::new(seeds.start);
    let results = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let result = run(seed);
                    let mut results = results.lock().expect("no thread panics with it");
                    results.insert(seed, result);
                }
            });
        }
    });
    let results = results.into_inner().expect("no thread panics with it");
    results.into_iter().collect()
}
