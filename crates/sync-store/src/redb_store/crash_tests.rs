//! A node on redb that loses its power, or is killed, between any two writes to its files: exactly what was
//! acknowledged is there when it starts again, with the group under way or without it. No crash may damage it.
//!
//! [`record`] notes what redb and the seal write, resize and sync; [`disk`] makes of it what a crash leaves.
//! Commits, closing, and opening after a crash are all searched, and the run goes on from what a crash left.

mod disk;
#[path = "../../tests/support/image.rs"]
mod image;
mod record;
#[path = "../../tests/support/workload.rs"]
mod workload;

use sync_core::store::{Batch, StoreError};
use tempfile::TempDir;

use self::disk::Disk;
use self::image::Image;
use self::record::{Op, Recorder};
use self::workload::{
    COMMITS, Counts, Numbers, Rows, TORN, WORKLOADS, group, is_whole, judge, place, search, states,
    swarm,
};
use super::RedbOptions;
use super::engine::RedbEngine;
use crate::thread::Engine;

/// Crashes while the store is opened or closed.
const TORN_BESIDE: u64 = 4;

fn rows(engine: &RedbEngine) -> Result<Rows, StoreError> {
    let rows = engine.scan(&swarm("s"), None, usize::MAX)?;
    let pairs = rows.into_iter();
    Ok(pairs
        .map(|row| (row.key.to_vec(), row.value.to_vec()))
        .collect())
}

/// Starts on what a crash has left, and reads it.
fn reopen(left: &Image) -> Result<Rows, String> {
    let place = place();
    left.write(place.path());
    let read = || {
        let engine = RedbEngine::open(place.path(), &RedbOptions::default())?;
        let rows = rows(&engine)?;
        engine.close()?;
        Ok(rows)
    };
    read().map_err(|error: StoreError| format!("damaged by a crash: {error}"))
}

/// A store at work, and the disk below it.
struct Node {
    home: TempDir,
    recorder: Recorder,
    engine: Option<RedbEngine>,
    disk: Disk,
    acknowledged: Rows,
    numbers: Numbers,
    counts: Counts,
}

impl Node {
    /// A new directory.
    fn new(seed: u64, recorder: Recorder) -> Result<Self, String> {
        let home = place();
        let made = RedbEngine::open(home.path(), &RedbOptions::default()).map_err(told)?;
        made.close().map_err(told)?;
        let disk = Disk::new(Image::read(home.path()));
        let mut node = Self {
            home,
            recorder,
            engine: None,
            disk,
            acknowledged: Rows::new(),
            numbers: Numbers(seed),
            counts: Counts::default(),
        };
        node.open()?;
        Ok(node)
    }

    /// Opens what is there. What a crash meanwhile leaves holds the same rows.
    fn open(&mut self) -> Result<(), String> {
        let options = RedbOptions::default();
        let opened = RedbEngine::open_through(&self.recorder, self.home.path(), &options);
        self.engine = Some(opened.map_err(told)?);
        let states = [self.acknowledged.clone()];
        self.crash_within(TORN_BESIDE, &states).map(drop)
    }

    fn close(&mut self) -> Result<(), String> {
        let engine = self.engine.take().unwrap();
        engine.close().map_err(told)?;
        let states = [self.acknowledged.clone()];
        self.crash_within(TORN_BESIDE, &states).map(drop)
    }

    /// Commits a group, which is one transaction. What one of the crashes within it left, with the rows found.
    fn commit(&mut self, group: &[Batch]) -> Result<(Image, Rows), String> {
        let after = states(&self.acknowledged, group).pop().unwrap();
        let engine = self.engine.as_mut().unwrap();
        engine.commit(group.iter()).map_err(told)?;
        let both = [self.acknowledged.clone(), after.clone()];
        let left = self.crash_within(TORN, &both)?;
        self.acknowledged = after;
        let states = [self.acknowledged.clone()];
        for left in [self.disk.killed(), self.disk.lost_power(&mut self.numbers)] {
            judge(&reopen(&left)?, &states, &mut self.counts)?;
        }
        Ok(left)
    }

    /// Crashes between the operations that were noted since the last time, of which all have come to
    /// pass in the end: one by `kill -9`, the others by power loss. What one of them left.
    fn crash_within(&mut self, crashes: u64, states: &[Rows]) -> Result<(Image, Rows), String> {
        let noted = self.recorder.take();
        let resized = noted.iter().filter(|(_, op)| matches!(op, Op::SetLen(_)));
        self.counts.resized += resized.count() as u64;
        let syncs = noted.iter().enumerate();
        let syncs: Vec<usize> = syncs
            .filter(|(_, (_, op))| *op == Op::Sync)
            .map(|(at, _)| at)
            .collect();
        let mut points: Vec<usize> = (0..crashes)
            .map(|crash| match crash % 2 {
                // Before a sync most is at stake.
                0 if !syncs.is_empty() => syncs[self.numbers.index(syncs.len())],
                _ => self.numbers.index(noted.len() + 1),
            })
            .collect();
        points.sort_unstable();
        let killed = self.numbers.index(points.len());
        let kept = self.numbers.index(points.len());
        let mut noted = noted.into_iter();
        let (mut done, mut result) = (0, None);
        for (crash, point) in points.into_iter().enumerate() {
            for (file, op) in noted.by_ref().take(point - done) {
                self.disk.apply(file, op);
            }
            done = point;
            let left = if crash == killed {
                self.disk.killed()
            } else {
                self.disk.lost_power(&mut self.numbers)
            };
            let found = reopen(&left).and_then(|found| {
                judge(&found, states, &mut self.counts)?;
                Ok(found)
            });
            let found = found.map_err(|e| format!("after {point} operations: {e}"))?;
            if crash == kept {
                result = Some((left, found));
            }
        }
        for (file, op) in noted {
            self.disk.apply(file, op);
        }
        let files = Image::read(self.home.path());
        assert!(self.disk.killed() == files, "something was not noted");
        Ok(result.unwrap())
    }

    /// Goes on from what a crash left.
    fn go_on_from(&mut self, left: Image, found: Rows) -> Result<(), String> {
        // Its writes while it ends are of no concern any more.
        drop(self.engine.take());
        self.recorder.take();
        self.home = place();
        left.write(self.home.path());
        self.disk = Disk::new(left);
        self.acknowledged = found;
        self.open()?;
        let there = rows(self.engine.as_ref().unwrap()).map_err(told)?;
        let states = std::slice::from_ref(&self.acknowledged);
        judge(&there, states, &mut self.counts)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn told(error: StoreError) -> String {
    error.to_string()
}

/// One workload with all its crashes.
fn workload(seed: u64, recorder: Recorder) -> Result<Counts, String> {
    let mut node = Node::new(seed, recorder)?;
    for commit in 0..COMMITS {
        let at = |reason: String| format!("commit {commit}: {reason}");
        let group = group(&mut node.numbers);
        let (left, found) = node.commit(&group).map_err(at)?;
        match node.numbers.below(4) {
            0 => node.close().and_then(|()| node.open()).map_err(at)?,
            1 => node.go_on_from(left, found).map_err(at)?,
            _ => {}
        }
    }
    node.close()?;
    Ok(node.counts)
}

#[test]
fn redb_keeps_what_was_acknowledged_through_a_crash_at_any_write() {
    let counts = search("redb", |seed| workload(seed, Recorder::default()));
    assert_eq!(counts.damaged, 0, "{counts:?}");
    if is_whole() {
        assert!(counts.points >= WORKLOADS * COMMITS * (TORN + 2));
        assert!(counts.before > 0 && counts.after > 0, "{counts:?}");
        assert!(counts.resized > WORKLOADS, "{counts:?}");
    }
}

/// The search finds what it is there to find.
#[test]
fn a_database_that_is_not_synced_is_damaged_by_a_crash() {
    let found: Vec<String> = (0..3)
        .filter_map(|seed| workload(seed, Recorder::without_syncs_of_the_database()).err())
        .collect();
    assert_eq!(found.len(), 3, "{found:?}");
    let lost = |reason: &String| reason.contains("lost its newest rows");
    assert!(found.iter().any(lost), "{found:?}");
}
