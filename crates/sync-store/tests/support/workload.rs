//! Seeded writes and what they leave, for tests within the crate and for those that use it from outside.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses a part; helpers fail by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::{Batch, RowOp};
use tempfile::TempDir;

/// Workloads of each search; `SYNC_STORE_SEED` is the first, `SYNC_STORE_SEEDS` replaces their number.
pub(crate) const WORKLOADS: u64 = 24;

/// Commits of each.
pub(crate) const COMMITS: u64 = 12;

/// Crashes during each commit.
pub(crate) const TORN: u64 = 10;

/// Keys, few: most commits rewrite what is there.
const KEYS: u64 = 24;

/// The rows of the only swarm.
pub(crate) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What became of the crashes of a search.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    pub(crate) points: u64,
    /// The commit under way was kept, or a part of its group.
    pub(crate) after: u64,
    /// It was not.
    pub(crate) before: u64,
    /// The store says that it is damaged.
    pub(crate) damaged: u64,
    /// How it says so.
    pub(crate) reasons: BTreeMap<String, u64>,
    /// How often a file was given another length, where that is known.
    pub(crate) resized: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.points += other.points;
        self.after += other.after;
        self.before += other.before;
        self.damaged += other.damaged;
        self.resized += other.resized;
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }
}

pub(crate) fn swarm(name: &str) -> SwarmId {
    SwarmId::new(name).unwrap()
}

pub(crate) fn put(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> RowOp {
    RowOp::Put {
        key: Bytes::copy_from_slice(key.as_ref()),
        value: Bytes::copy_from_slice(value.as_ref()),
    }
}

pub(crate) fn delete(key: impl AsRef<[u8]>) -> RowOp {
    RowOp::Delete {
        key: Bytes::copy_from_slice(key.as_ref()),
    }
}

pub(crate) fn batch(swarm: &SwarmId, ops: impl IntoIterator<Item = RowOp>) -> Batch {
    Batch {
        swarm: swarm.clone(),
        ops: ops.into_iter().collect(),
    }
}

/// Seeded numbers (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap()
    }
}

/// In memory where the system has files there: what syncs here is nobody's concern.
pub(crate) fn place() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    let made = tempfile::tempdir_in(&memory);
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |given| given.parse().unwrap())
}

/// One to three batches: small ones, ones that need several steps, values that need several rows.
pub(crate) fn group(numbers: &mut Numbers) -> Vec<Batch> {
    let batches = 1 + numbers.below(3);
    (0..batches)
        .map(|_| {
            let ops = match numbers.below(8) {
                0 => 70 + numbers.below(60),
                _ => 1 + numbers.below(6),
            };
            let ops: Vec<_> = (0..ops)
                .map(|_| {
                    let key = format!("{:03}", numbers.below(KEYS + ops));
                    let bytes = match numbers.below(12) {
                        0 => 4_000 + numbers.below(9_000),
                        _ => numbers.below(120),
                    };
                    let fill = u8::try_from(numbers.below(256)).unwrap();
                    match numbers.below(5) {
                        0 => delete(key),
                        _ => put(key, vec![fill; usize::try_from(bytes).unwrap()]),
                    }
                })
                .collect();
            batch(&swarm("s"), ops)
        })
        .collect()
}

/// The rows before a group and after each of its batches.
pub(crate) fn states(before: &Rows, group: &[Batch]) -> Vec<Rows> {
    let mut states = vec![before.clone()];
    for batch in group {
        let mut rows = states.last().unwrap().clone();
        for op in &batch.ops {
            match op {
                RowOp::Put { key, value } => {
                    rows.insert(key.to_vec(), value.to_vec());
                }
                RowOp::Delete { key } => {
                    rows.remove(&key[..]);
                }
            }
        }
        states.push(rows);
    }
    states
}

/// Compares what is there after a crash with what may be: the rows before and after what was under way.
pub(crate) fn judge(found: &Rows, states: &[Rows], counts: &mut Counts) -> Result<(), String> {
    counts.points += 1;
    match states.iter().rposition(|state| state == found) {
        Some(0) => counts.before += 1,
        Some(_) => counts.after += 1,
        None => {
            return Err(format!(
                "silently wrong: {} rows are there, {} were acknowledged",
                found.len(),
                states[0].len()
            ));
        }
    }
    Ok(())
}

/// Whether the number of workloads is what the tests count on.
pub(crate) fn is_whole() -> bool {
    number("SYNC_STORE_SEEDS", WORKLOADS) >= WORKLOADS
}

/// The workloads of one store, in as many threads as a small machine has.
#[expect(clippy::print_stdout, reason = "a run says what it has covered")]
pub(crate) fn search(
    name: &str,
    workload: impl Fn(u64) -> Result<Counts, String> + Sync,
) -> Counts {
    let (first, seeds) = (
        number("SYNC_STORE_SEED", 0),
        number("SYNC_STORE_SEEDS", WORKLOADS),
    );
    let next = AtomicU64::new(first);
    let run = || {
        let mut counts = Counts::default();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= first + seeds {
                return counts;
            }
            match workload(seed) {
                Ok(found) => counts.add(found),
                Err(reason) => panic!(
                    "{name}, seed {seed}: {reason}\nagain: SYNC_STORE_SEED={seed} SYNC_STORE_SEEDS=1 cargo test -p sync-store --all-features {name}_keeps_what_was_acknowledged"
                ),
            }
        }
    };
    let mut counts = Counts::default();
    std::thread::scope(|scope| {
        let threads = [scope.spawn(run), scope.spawn(run)];
        for thread in threads {
            match thread.join() {
                Ok(found) => counts.add(found),
                Err(panicked) => std::panic::resume_unwind(panicked),
            }
        }
    });
    println!("{name}: {counts:?}");
    counts
}
