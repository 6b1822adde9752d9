//! Seeded simulation of one hub and three replicas: faults, then healing, then the whole account.
//!
//! `SWARM_SIM_SEED=n` replays one seed and prints everything that happens.

mod account;
mod answers;
#[path = "../support/disk.rs"]
mod disk;
mod faults;
mod ghost;
mod lives;
mod merges;
mod network;
mod nodes;
mod oracle;
mod past;
mod periodic;
mod plan;
mod random;
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
];

#[derive(Debug)]
struct Outcome {
    stats: Stats,
    hash: u64,
}

fn run(seed: u64, print: bool) -> Result<Outcome, String> {
    let mut world = World::new(seed, print);
    while world.events < EVENTS_MIN && world.violation.is_none() {
        world.step();
    }
    heal(&mut world);
    match world.violation {
        Some(violation) => Err(violation),
        None => Ok(Outcome {
            stats: world.stats,
            hash: world.trace.hash,
        }),
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

fn run_caught(seed: u64, print: bool) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| run(seed, print))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

/// Runs `seeds` on every core there is.
fn run_all(seeds: u64) -> (Stats, Vec<(u64, String)>) {
    let next = AtomicU64::new(0);
    let found = Mutex::new((Stats::default(), Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let result = run_caught(seed, false);
                    let mut found = found.lock().expect("no thread panics with it");
                    match result {
                        Ok(outcome) => found.0.merge(&outcome.stats),
                        Err(violation) => found.1.push((seed, violation)),
                    }
                }
            });
        }
    });
    let (stats, mut failures) = found.into_inner().expect("no thread panics with it");
    failures.sort();
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
        assert_eq!(
            (first.hash, first.stats),
            (second.hash, second.stats),
            "seed {seed}"
        );
    }
}
