//! The tokio drivers as they are, over a net, a time and disks that fail by a seed: hub and agents with
//! their transport, reconnection and deadlines.
//!
//! - `net`: the simulated net and clock, as the transport and the drivers take them
//! - `disk`: a store that outlives a crash, and takes its time
//! - `plan`: which faults a seed draws, and when
//! - `account`: what became of every write that was acknowledged
//! - `nodes`: what hub and agents do
//! - `panics`: those that nobody would hear of
//! - `scene`: one seed from its start to its healing
//!
//! What needs a real disk, thread or process is not here: nothing of that takes the same course twice.

mod account;
mod disk;
mod net;
mod nodes;
mod panics;
mod plan;
mod scene;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use self::scene::{Counts, run};

/// Seeds of one test run: each takes about a quarter of a second.
const SEEDS: u64 = 200;

/// Of a machine: one simulation runs in one thread.
const THREADS: usize = 2;

/// Replaces the first seed, to repeat a failure.
const FIRST: &str = "SWARM_SYNC_FAULTS_FIRST";

/// Replaces how many there are, to look for one.
const COUNT: &str = "SWARM_SYNC_FAULTS_SEEDS";

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |given| given.parse().expect(name))
}

/// Runs the seeds from `first` on; fails with the first sentence of one that fails.
fn search(first: u64, seeds: u64) -> Counts {
    let next = AtomicU64::new(first);
    let sum = Mutex::new(Counts::default());
    let one_after_the_other = || {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= first + seeds {
                return;
            }
            match run(seed) {
                Ok(counts) => sum.lock().expect("nobody panics with it").add(&counts),
                Err(reason) => panic!(
                    "seed {seed}: {reason}\nagain: {FIRST}={seed} {COUNT}=1 cargo test -p swarm-sync --lib under_faults"
                ),
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(one_after_the_other))
            .collect();
        for thread in threads {
            if let Err(panicked) = thread.join() {
                std::panic::resume_unwind(panicked);
            }
        }
    });
    sum.into_inner().expect("nobody panics with it")
}

#[test]
#[expect(clippy::print_stdout, reason = "a run says what it has covered")]
fn over_a_net_that_fails_every_acknowledged_write_is_accounted_for() {
    let (first, seeds) = (number(FIRST, 0), number(COUNT, SEEDS));
    let counts = search(first, seeds);
    println!("{seeds} seeds from {first} on: {counts:?}");
    assert!(seeds < SEEDS || counts.reached_everything(), "{counts:?}");
}

/// Each is run twice.
const COMPARED: u64 = 40;

#[test]
fn the_same_seed_takes_the_same_course() {
    for seed in 0..COMPARED {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
