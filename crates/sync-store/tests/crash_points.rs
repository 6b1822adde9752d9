//! A node that ends between any two writes to its files, with what was not synced there in part: what was
//! acknowledged is there when it starts again, or it says that it is damaged.
//!
//! The stores run as they are. After each commit their files are read: that is what `kill -9` at this moment
//! leaves. What a power loss during the commit may leave is made of the pages that the commit changed: some
//! have reached the disk, one of them in part. The file `seal` is written after the others are synced.
#![cfg(any(feature = "sled", feature = "redb"))]
#![allow(clippy::unwrap_used, reason = "helpers fail by panicking, as tests do")]

#[path = "support/common.rs"]
mod common;
#[path = "support/image.rs"]
mod image;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Disk, Numbers, batch, delete, put, swarm};
use image::Image;
use sync_core::store::{Batch, Store, StoreError};
use tempfile::TempDir;

/// Workloads of each store; `SYNC_STORE_SEED` is the first, `SYNC_STORE_SEEDS` replaces their number.
const WORKLOADS: u64 = 24;

/// Commits of each.
const COMMITS: u64 = 12;

/// Crashes during each commit, beside the one after it.
const TORN: u64 = 10;

/// Keys, few: most commits rewrite what is there.
const KEYS: u64 = 24;

/// The rows of the only swarm.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What became of the crashes of a search.
#[derive(Debug, Default, Clone)]
struct Counts {
    points: u64,
    /// The commit under way was kept, or a part of its group.
    after: u64,
    /// It was not.
    before: u64,
    /// The store says that it is damaged.
    damaged: u64,
    /// How it says so.
    reasons: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.points += other.points;
        self.after += other.after;
        self.before += other.before;
        self.damaged += other.damaged;
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }
}

/// In memory where the system has files there: what syncs here is nobody's concern.
fn place() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    let made = tempfile::tempdir_in(&memory);
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |given| given.parse().unwrap())
}

/// One to three batches: small ones, ones that need several steps, values that need several rows.
fn group(numbers: &mut Numbers) -> Vec<Batch> {
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
fn states(before: &Rows, group: &[Batch]) -> Vec<Rows> {
    let mut states = vec![before.clone()];
    for batch in group {
        let mut rows = states.last().unwrap().clone();
        for op in &batch.ops {
            match op {
                sync_core::store::RowOp::Put { key, value } => {
                    rows.insert(key.to_vec(), value.to_vec());
                }
                sync_core::store::RowOp::Delete { key } => {
                    rows.remove(&key[..]);
                }
            }
        }
        states.push(rows);
    }
    states
}

async fn rows(store: &dyn Store) -> Result<Rows, StoreError> {
    let rows = store.scan(&swarm("s"), None, usize::MAX).await?;
    let pairs = rows.into_iter();
    Ok(pairs
        .map(|row| (row.key.to_vec(), row.value.to_vec()))
        .collect())
}

/// What is there after a crash, or why the store says that it is damaged.
type Found = Result<Rows, String>;

/// A reason without its numbers.
fn kind_of(reason: &str) -> String {
    let kind = reason.chars().filter(|c| !c.is_ascii_digit());
    kind.take(60).collect()
}

/// Starts on what a crash has left. The rows, or that they are damaged; anything else is a failure.
async fn reopen(disk: Disk, left: &Image) -> Result<Found, String> {
    let place = place();
    left.write(place.path());
    let read = async {
        let store = disk.open(place.path())?;
        let rows = rows(&*store).await?;
        store.close().await?;
        Ok(rows)
    };
    match read.await {
        Ok(rows) => Ok(Ok(rows)),
        // An engine that cannot read its file says so in words of its own.
        Err(
            StoreError::Corrupt { reason, .. }
            | StoreError::Io {
                doing: "opening",
                reason,
                ..
            },
        ) => Ok(Err(kind_of(&reason))),
        Err(other) => Err(format!("neither opened nor damaged: {other}")),
    }
}

/// Compares what is there after a crash with what may be.
fn judge(found: Found, states: &[Rows], counts: &mut Counts) -> Result<(), String> {
    counts.points += 1;
    let found = match found {
        Ok(found) => found,
        Err(reason) => {
            counts.damaged += 1;
            *counts.reasons.entry(reason).or_default() += 1;
            return Ok(());
        }
    };
    match states.iter().rposition(|state| *state == found) {
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

/// One workload with all its crashes.
async fn workload(disk: Disk, seed: u64) -> Result<Counts, String> {
    let mut numbers = Numbers(seed);
    let mut counts = Counts::default();
    let home = place();
    let mut store = disk.open(home.path()).map_err(|e| e.to_string())?;
    let mut acknowledged = Rows::new();
    let mut image = Image::read(home.path());
    for commit in 0..COMMITS {
        let group = group(&mut numbers);
        let states = states(&acknowledged, &group);
        store.commit(group).await.map_err(|e| e.to_string())?;
        let next = Image::read(home.path());
        let at = |point: &str, reason: String| format!("commit {commit}, {point}: {reason}");
        for torn in 0..TORN {
            let left = image.torn(&next, &mut numbers);
            let found = reopen(disk, &left).await;
            found
                .and_then(|found| judge(found, &states, &mut counts))
                .map_err(|reason| at(&format!("crash {torn} in it"), reason))?;
        }
        acknowledged = states.last().unwrap().clone();
        // Nothing but this process has ended.
        let found = reopen(disk, &next)
            .await
            .map_err(|e| at("killed after it", e))?;
        if found.as_ref() != Ok(&acknowledged) {
            return Err(at(
                "killed after it",
                "what was acknowledged is not there".into(),
            ));
        }
        judge(found, &[acknowledged.clone()], &mut counts)?;
        image = next;
        if numbers.below(4) == 0 {
            store.close().await.map_err(|e| e.to_string())?;
            store = disk.open(home.path()).map_err(|e| e.to_string())?;
            image = Image::read(home.path());
        }
    }
    store.close().await.map_err(|e| e.to_string())?;
    Ok(counts)
}

/// The workloads of one store, in as many threads as a small machine has.
#[expect(clippy::print_stdout, reason = "a run says what it has covered")]
fn search(disk: Disk) -> Counts {
    let (first, seeds) = (
        number("SYNC_STORE_SEED", 0),
        number("SYNC_STORE_SEEDS", WORKLOADS),
    );
    let next = AtomicU64::new(first);
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut counts = Counts::default();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= first + seeds {
                return counts;
            }
            let name = disk.name();
            match runtime.block_on(workload(disk, seed)) {
                Ok(found) => counts.add(found),
                Err(reason) => panic!(
                    "{name}, seed {seed}: {reason}\nagain: SYNC_STORE_SEED={seed} SYNC_STORE_SEEDS=1 cargo test -p sync-store --all-features --test crash_points {name}"
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
    println!("{}: {counts:?}", disk.name());
    counts
}

/// Some crashes came early and some late, and no store is damaged by most of them.
fn assert_searched(counts: &Counts) {
    if number("SYNC_STORE_SEEDS", WORKLOADS) < WORKLOADS {
        return;
    }
    assert_eq!(counts.points, WORKLOADS * COMMITS * (TORN + 1));
    assert!(counts.before > 0 && counts.after > 0, "{counts:?}");
    assert!(counts.damaged < counts.points / 2, "{counts:?}");
}

#[cfg(feature = "sled")]
#[test]
fn sled_keeps_what_was_acknowledged_through_a_crash_at_any_write() {
    assert_searched(&search(Disk::Sled));
}

#[cfg(feature = "redb")]
#[test]
fn redb_keeps_what_was_acknowledged_through_a_crash_at_any_write() {
    assert_searched(&search(Disk::Redb));
}
