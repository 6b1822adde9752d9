//! A process that is killed at any moment keeps every acknowledged batch, and every batch whole.
#![cfg(all(unix, any(feature = "sled", feature = "redb")))]
#![allow(clippy::unwrap_used, reason = "helpers fail by panicking, as tests do")]

#[path = "support/common.rs"]
mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Disk, Numbers, batch, child, delete, put, read_all, say, swarm};
use sync_core::store::{Batch, Row, Store};

/// Each has a swarm and commits on its own, so that commits of several meet in one group.
const WRITERS: u64 = 4;

/// A batch removes the rows of the one this many before it.
const BATCHES_KEPT: u64 = 6;

/// The row that says which batch was the last.
const LAST: &str = "last";

/// The rows that batch `number` of `writer` puts. Most fit one atomic step of the store, some not.
fn rows_of(writer: u64, number: u64) -> Vec<Row> {
    let mut numbers = Numbers(writer << 32 | number);
    let rows = match numbers.below(6) {
        0 => 61 + numbers.below(6),
        1 => 150,
        _ => 1 + numbers.below(5),
    };
    (0..rows)
        .map(|i| {
            let bytes = match numbers.below(25) {
                0 => 5_000 + numbers.below(9_000),
                _ => numbers.below(100),
            };
            let fill = u8::try_from(number % 251).unwrap();
            Row {
                key: format!("{number:08}/{i:03}").into(),
                value: vec![fill; usize::try_from(bytes).unwrap()].into(),
            }
        })
        .collect()
}

fn batch_of(writer: u64, number: u64) -> Batch {
    let mut ops = vec![put(LAST, number.to_le_bytes())];
    ops.extend(
        rows_of(writer, number)
            .into_iter()
            .map(|row| put(row.key, row.value)),
    );
    if let Some(old) = number.checked_sub(BATCHES_KEPT) {
        ops.extend(rows_of(writer, old).into_iter().map(|row| delete(row.key)));
    }
    batch(&swarm(&format!("w{writer}")), ops)
}

/// The number of the last batch that is there, 0 for none. Fails unless exactly the rows are there
/// that the batches up to it leave.
async fn check(store: &dyn Store, writer: u64) -> u64 {
    let mut found = read_all(store, &swarm(&format!("w{writer}"))).await;
    let Some(at) = found.iter().position(|row| row.key == LAST) else {
        assert!(found.is_empty(), "writer {writer}: rows without a batch");
        return 0;
    };
    let last = u64::from_le_bytes(found.remove(at).value[..].try_into().unwrap());
    let first = last.saturating_sub(BATCHES_KEPT - 1).max(1);
    let expected: Vec<Row> = (first..=last).flat_map(|n| rows_of(writer, n)).collect();
    let difference = found.iter().zip(&expected).find(|(f, e)| f != e);
    assert!(
        found.len() == expected.len() && difference.is_none(),
        "writer {writer}: batches {first} to {last} put {} rows, {} are there; differing: {:?}",
        expected.len(),
        found.len(),
        difference.map(|(f, e)| (&f.key, &e.key)),
    );
    last
}

/// Not a test of its own: commits and says so until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer() {
    let Some((disk, directory)) = Disk::of_child() else {
        return;
    };
    let store = disk.open(directory).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn(async move {
            let mut number = check(&*store, writer).await + 1;
            loop {
                // Every third call commits a group of two.
                let group: Vec<u64> = (number..).take(1 + usize::from(number % 3 == 0)).collect();
                let batches = group.iter().map(|&n| batch_of(writer, n)).collect();
                store.commit(batches).await.unwrap();
                number = group[group.len() - 1];
                say(&format!("ack {writer} {number}"));
                number += 1;
            }
        });
    }
    tasks.join_all().await;
}

/// Runs a writer and kills it some time after a number of acknowledgements. Returns the last that
/// each of its writers was given.
fn run_and_kill(disk: Disk, directory: &Path, acks: u64, then: Duration) -> BTreeMap<u64, u64> {
    let mut writer = child("writer", disk, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut last = BTreeMap::new();
    let mut note = |line: &str| {
        // The test harness may have begun the line.
        let Some(at) = line.find("ack ") else {
            return false;
        };
        let mut words = line[at + 4..].split(' ').map(|word| word.parse().unwrap());
        let (writer, number) = (words.next().unwrap(), words.next().unwrap());
        last.insert(writer, number);
        true
    };
    let mut seen = 0;
    while seen < acks {
        let line = lines.next().expect("the writer ended by itself").unwrap();
        seen += u64::from(note(&line));
    }
    let start = Instant::now();
    while start.elapsed() < then {
        std::hint::spin_loop();
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    // Acknowledgements that were in the pipe when it died count too.
    for line in lines {
        note(&line.unwrap());
    }
    last
}

/// `SYNC_STORE_SEED` replaces the seed, to repeat a failure or to look for one.
async fn rounds(disk: Disk, seed: u64, rounds: u32) {
    let given = std::env::var("SYNC_STORE_SEED").ok();
    let seed = given.map_or(seed, |seed| seed.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(seed);
    let mut acknowledged: BTreeMap<u64, u64> = BTreeMap::new();
    for round in 0..rounds {
        let acks = numbers.below(60);
        let then = Duration::from_micros(numbers.below(8_000));
        acknowledged.extend(run_and_kill(disk, place.path(), acks, then));
        let opened = disk.open(place.path());
        let store = opened.unwrap_or_else(|e| panic!("{disk:?}, seed {seed}, round {round}: {e}"));
        for writer in 0..WRITERS {
            let last = check(&*store, writer).await;
            let promised = acknowledged.get(&writer).copied().unwrap_or(0);
            assert!(
                last >= promised,
                "{disk:?}, seed {seed}, round {round}: {promised} of writer {writer} was acknowledged, {last} is there"
            );
        }
        store.close().await.unwrap();
    }
}

// Several tests, so that they run side by side.
#[cfg(feature = "sled")]
#[tokio::test]
async fn what_was_acknowledged_survives_being_killed() {
    rounds(Disk::Sled, 1, 8).await;
}

#[cfg(feature = "sled")]
#[tokio::test]
async fn what_was_acknowledged_survives_being_killed_again() {
    rounds(Disk::Sled, 2, 8).await;
}

#[cfg(feature = "redb")]
#[tokio::test]
async fn what_redb_acknowledged_survives_being_killed() {
    rounds(Disk::Redb, 3, 8).await;
}

/// A process that is killed while it opens a store leaves a snapshot half written, which sled takes for the
/// newest there is.
#[cfg(feature = "sled")]
#[tokio::test]
async fn a_snapshot_that_was_never_finished_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let swarm = swarm("team");
    let store = Disk::Sled.open(directory.path()).unwrap();
    for n in 0..200_u64 {
        let row = put(format!("{n:04}"), n.to_le_bytes());
        store.commit(vec![batch(&swarm, [row])]).await.unwrap();
    }
    let before = read_all(&*store, &swarm).await;
    store.close().await.unwrap();
    for name in [
        "snap.0000000000000001.generating",
        "snap.FFFFFFFFFFFFFFFF.generating",
    ] {
        std::fs::write(directory.path().join(name), [7; 100]).unwrap();
    }
    let store = Disk::Sled.open(directory.path()).unwrap();
    assert_eq!(read_all(&*store, &swarm).await, before);
}
