//! Seeded simulation of one hub and three replicas: faults, then healing, then the whole account.
//!
//! `SWARM_SIM_SEED=n` replays one seed and prints everything that happens.

mod account;
mod answers;
mod decisions;
#[path = "../support/disk.rs"]
mod disk;
mod dropped;
mod faults;
mod ghost;
mod ledger;
mod lives;
mod merges;
mod network;
mod nodes;
mod oracle;
mod past;
mod periodic;
mod plan;
mod random;
mod returned;
mod shown;
mod stats;
mod tables;
mod tally;
mod trace;
mod votes;
mod watchers;
mod workload;
mod world;
mod writes;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use stats::Stats;
use world::{Event, World};

/// Seeds of one run of the test.
const SEEDS: u64 = 1_000;

/// Events of one seed before it heals.
const EVENTS_MIN: u64 = 2_000;

/// Time to heal in, in simulated microseconds: a score of retries.
const HEAL_US_MAX: u64 = 30_000_000;

/// What must have happened in some seed, or the simulation is not worth its name.
const MUST_HAPPEN: &[&str] = &[
    "lost",
    "duplicated",
    "reordered",
    "delayed",
    "overtaking",
    "cut",
    "hub restart",
    "replica restart",
    "batches lost",
    "rollback",
    "gap",
    "epoch mismatch",
    "offer",
    "repair",
    "refusal",
    "receipts",
    "receipts in pieces",
    "answer in pieces",
    "receipt",
    "update in frames",
    "page of several",
    "delta",
    "up to date",
    "response with state",
    "round done",
    "round with missing",
    "nobody connected",
    "nobody answered",
    "round of several classes",
    "round done in part",
    "shed",
    "periodic run",
    "periodic run failed",
    "periodic run with nothing to do",
    "periodic run changed something",
    "sweep with state",
    "sweep in pages",
    "reader starts anew",
    "clear",
    "client write",
    "map",
    "several values shown",
    "merge",
    "merge of some",
    "merge failed",
    "merge out of date",
    "expired",
    "expiry told later",
    "policy change",
    "policy change at a start",
    "write under another table",
    "watch answered",
    "watch compacted",
    "watcher starts anew",
    "watch through a replica",
    "watch from now",
    "watch broken off",
    "proposal",
    "proposed again",
    "proposed otherwise",
    "approved",
    "rejected",
    "vote timeout",
    "approved write",
    "vote confirmed",
    "vote refused",
    "vote by another run",
    "vote on nothing",
    "vote goes on after a restart",
    "decided again",
    "write in memory",
    "write at the hub",
    "refused by a policy",
    "history",
    "history up to now",
    "history dropped",
    "explained",
    "state of the past",
    "diff",
    "diff dropped",
    "knew",
    "write",
    "compare-and-set",
    "commit of several keys",
    "conditional delete",
    "decided delete is a write",
    "conflict",
    "decision asked again",
    "attempt comes again",
    "plain write comes back",
    "plain write refused",
    "decision told again",
    "decision late",
    "decision unavailable",
    "version of a lost run",
    "claim",
    "renewal",
    "release",
    "lease ended",
    "work under a claim",
    "claimed",
    "stale token",
    "claims paused",
    "claim outlives its hub",
    "claim comes back",
    "summary",
    "proposed value again",
    "not proposed again",
];

/// Until everything has happened and healed; what was wrong first.
fn run_world(mut world: World) -> Result<World, String> {
    while world.events < EVENTS_MIN && world.violation.is_none() {
        world.step();
    }
    heal(&mut world);
    match world.violation.take() {
        Some(violation) => Err(violation),
        None => Ok(world),
    }
}

/// Ends all faults, waits until everyone agrees, and asks for the whole account.
fn heal(world: &mut World) {
    world.change_table_late();
    world.faulty = false;
    world.schedule(0, Event::StartHub);
    for n in 0..plan::REPLICAS {
        world.schedule(0, Event::StartReplica(n));
    }
    let until = world.now_us + HEAL_US_MAX;
    // By then the last cut has been noticed, and what was held up has arrived.
    let mut next_look = world.now_us + faults::NOTICE_US_MAX + network::DELAY_US_MAX;
    while world.violation.is_none() {
        world.step();
        if world.now_us < next_look {
            continue;
        }
        next_look = world.now_us + 50_000;
        if world.has_converged() {
            break;
        }
        let late = world.now_us > until;
        let differences = if late {
            world.differences()
        } else {
            String::new()
        };
        world.require(!late, || format!("never agreed: {differences}"));
    }
    if world.violation.is_none() {
        world.check_round();
        world.check_healed();
        world.ask_status();
    }
}

/// A panic is a violation, too.
fn caught<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

/// What came of a seed: what happened how often, and a hash of the course it took.
fn run_caught(seed: u64, print: bool) -> Result<(Stats, u64), String> {
    let world = caught(|| run_world(World::new(seed, print)))?;
    Ok((world.stats, world.trace.hash))
}

/// Does something with each seed, on every core there is; in the order of the seeds.
fn parallel<T: Send>(seeds: u64, run: impl Fn(u64) -> T + Sync) -> Vec<(u64, T)> {
    let next = AtomicU64::new(0);
    let results = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
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

fn run_all(seeds: u64) -> (Stats, Vec<(u64, String)>) {
    let (mut stats, mut failures) = (Stats::default(), Vec::new());
    for (seed, result) in parallel(seeds, |seed| run_caught(seed, false)) {
        match result {
            Ok((of_seed, _)) => stats.merge(&of_seed),
            Err(violation) => failures.push((seed, violation)),
        }
    }
    (stats, failures)
}

#[test]
#[expect(clippy::print_stdout, reason = "a run says what it has covered")]
fn every_write_is_accounted_for() {
    if let Some(seed) = std::env::var("SWARM_SIM_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
    {
        let outcome = run_caught(seed, true);
        assert!(
            outcome.is_ok(),
            "seed {seed}: {}",
            outcome.expect_err("it failed")
        );
        return;
    }
    let seeds = std::env::var("SWARM_SIM_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let seeds = seeds.unwrap_or(SEEDS);
    let (stats, failures) = run_all(seeds);
    println!("{seeds} seeds: {stats}");
    for (seed, violation) in failures.iter().take(20) {
        println!(
            "seed {seed}: {}",
            violation.chars().take(1_500).collect::<String>()
        );
    }
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} of {seeds} seeds failed; replay one with SWARM_SIM_SEED={}",
        failures[0].0
    );
    for what in MUST_HAPPEN {
        assert!(stats.get(what) > 0, "{what:?} never happened");
    }
}

#[test]
fn a_seed_always_takes_the_same_course() {
    for seed in [1, 17, 123] {
        let (first, second) = (run_caught(seed, false), run_caught(seed, false));
        let (first, second) = (first.expect("a good seed"), second.expect("a good seed"));
        assert_eq!(first, second, "seed {seed}");
    }
}
