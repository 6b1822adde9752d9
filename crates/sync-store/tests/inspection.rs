//! A closed directory is looked at from within, damaged or not, and stays as it is.
#![cfg(any(feature = "sled", feature = "redb"))]
#![allow(clippy::unwrap_used, reason = "helpers fail by panicking, as tests do")]

#[path = "support/common.rs"]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::{Disk, Numbers, batch, copy, delete, put, swarm};
use sync_core::store::{Row, StoreError};
use sync_store::{Inspection, hold, inspect};

/// The rows of the only swarm.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Damaged directories that are looked at, of each engine.
const TRIALS: u64 = 60;

/// Where the trials begin. `SYNC_STORE_SEED` is another place.
fn first_seed() -> u64 {
    let seed = std::env::var("SYNC_STORE_SEED").ok();
    seed.map_or(0, |seed| seed.parse().unwrap())
}

fn look(place: &Path) -> Result<(Inspection, Vec<Row>), StoreError> {
    let scratch = tempfile::tempdir().unwrap();
    let mut rows = Vec::new();
    let found = inspect(place, scratch.path(), |of, row| {
        assert_eq!(*of, swarm("swarm"));
        rows.push(row);
    })?;
    assert!(rows.is_sorted_by(|a, b| a.key < b.key));
    Ok((found, rows))
}

/// Forty rows, one of them large, in as many commits; and all that was ever written.
async fn closed_store(disk: Disk) -> (tempfile::TempDir, BTreeSet<(Vec<u8>, Vec<u8>)>) {
    let place = tempfile::tempdir().unwrap();
    let mut written = BTreeSet::new();
    let store = disk.open(place.path()).unwrap();
    for number in 0..40_u8 {
        let long = if number == 20 { 9_000 } else { 100 };
        let value = format!("value-{number}-").repeat(long / 8);
        let last = format!("last-{number}");
        let ops = [put([number], &value), put("last", &last)];
        let ops = batch(&swarm("swarm"), ops);
        store.commit(vec![ops]).await.unwrap();
        written.insert((vec![number], value.into_bytes()));
        written.insert((b"last".to_vec(), last.into_bytes()));
    }
    store.close().await.unwrap();
    (place, written)
}

fn content(place: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(place).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().is_file());
    let mut found: Vec<_> = files
        .map(|entry| {
            let name = entry.file_name().display().to_string();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn what_is_whole_is_healthy_and_all_of_it_is_met() {
    for &disk in Disk::ALL {
        let (place, _) = closed_store(disk).await;
        let before = content(place.path());
        let (found, rows) = look(place.path()).unwrap();
        assert!(found.is_healthy(), "{found:?}");
        assert_eq!(found.engine, disk.name());
        assert_eq!(rows.len(), 41);
        let [file, row] = found.sealed.map(Option::unwrap);
        assert_eq!(file, row);
        assert_eq!(file.rows, found.rows);
        assert_eq!(content(place.path()), before, "it was only read");
    }
}

#[tokio::test]
async fn one_that_is_open_or_none_is_said_and_one_that_is_held_is_not_opened() {
    for &disk in Disk::ALL {
        let place = tempfile::tempdir().unwrap();
        let none = look(place.path()).unwrap_err();
        assert!(none.to_string().contains("there is none"), "{none}");
        let store = disk.open(place.path()).unwrap();
        let in_use = look(place.path()).unwrap_err();
        assert!(matches!(in_use, StoreError::InUse { .. }), "{in_use}");
        store.close().await.unwrap();
        let held = hold(place.path()).unwrap();
        let in_use = disk.open(place.path()).unwrap_err();
        assert!(matches!(in_use, StoreError::InUse { .. }), "{in_use}");
        drop(held);
        disk.open(place.path()).unwrap().close().await.unwrap();
    }
}

#[tokio::test]
async fn a_newer_format_is_refused_and_an_unreadable_one_is_looked_into() {
    for &disk in Disk::ALL {
        let (place, _) = closed_store(disk).await;
        let file = place.path().join("format");
        let format = fs::read_to_string(&file).unwrap();
        fs::write(&file, format.replace("format 1", "format 2")).unwrap();
        let newer = look(place.path()).unwrap_err();
        assert!(
            matches!(newer, StoreError::Format { found: 2, .. }),
            "{newer}"
        );
        fs::write(&file, "nonsense").unwrap();
        let (found, rows) = look(place.path()).unwrap();
        assert!(!found.is_healthy());
        assert_eq!(rows.len(), 41, "{found:?}");
    }
}

/// A seeded change of the file with the rows.
fn break_rows(disk: Disk, place: &Path, numbers: &mut Numbers) {
    let file = place.join(disk.database());
    let mut bytes = fs::read(&file).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) + 1;
    let at = usize::try_from(numbers.below(used as u64)).unwrap();
    match numbers.below(4) {
        0 => bytes.truncate(at),
        1 => {
            let page = at / 4_096 * 4_096;
            let end = bytes.len().min(page + 4_096);
            bytes[page..end].fill(0);
        }
        _ => bytes[at] ^= 1 << numbers.below(8),
    }
    fs::write(file, bytes).unwrap();
}

/// Bad input, row 22.
#[tokio::test]
async fn whatever_is_broken_what_is_handed_out_was_written_and_the_rest_is_said() {
    for &disk in Disk::ALL {
        let (place, written) = closed_store(disk).await;
        let (mut refused, mut met) = (0, 0);
        for seed in first_seed()..first_seed() + TRIALS {
            let trial = tempfile::tempdir().unwrap();
            copy(place.path(), trial.path());
            break_rows(disk, trial.path(), &mut Numbers(seed));
            let (found, rows) = look(trial.path()).unwrap();
            let what = format!("{disk:?}, seed {seed}: {found:?}");
            for Row { key, value } in &rows {
                let row = (key.to_vec(), value.to_vec());
                assert!(written.contains(&row), "{what}");
            }
            match disk.open(trial.path()) {
                Ok(store) => {
                    assert!(found.refused.is_none(), "{what}");
                    assert_eq!(rows.len(), 41, "{what}");
                    store.close().await.unwrap();
                }
                Err(_) => {
                    assert!(found.refused.is_some() && !found.is_healthy(), "{what}");
                    refused += 1;
                    met += rows.len();
                }
            }
        }
        assert!(refused > 0, "nothing was broken");
        assert!(met > 0, "nothing could be read of {refused}");
    }
}

/// What a workload leaves: written, deleted and started again, some values large.
async fn worked(disk: Disk, seed: u64, starts: u64) -> (tempfile::TempDir, Rows) {
    let place = tempfile::tempdir().unwrap();
    let (mut numbers, mut rows) = (Numbers(seed), Rows::new());
    for _ in 0..starts {
        let store = disk.open(place.path()).unwrap();
        for _ in 0..60 {
            let ops: Vec<_> = (0..=numbers.below(12))
                .map(|_| {
                    let key = format!("key-{:03}", numbers.below(300)).into_bytes();
                    if numbers.below(4) == 0 {
                        rows.remove(&key);
                        return delete(key);
                    }
                    let bytes = match numbers.below(20) {
                        0 => 5_000,
                        _ => 20 + numbers.below(200),
                    };
                    let value = format!("value-{}-", numbers.next());
                    let value = value.repeat(usize::try_from(bytes).unwrap() / 8);
                    rows.insert(key.clone(), value.clone().into_bytes());
                    put(key, value)
                })
                .collect();
            store
                .commit(vec![batch(&swarm("swarm"), ops)])
                .await
                .unwrap();
        }
        store.close().await.unwrap();
    }
    (place, rows)
}

fn as_map(rows: Vec<Row>) -> Rows {
    let pairs = rows.into_iter();
    pairs
        .map(|row| (row.key.to_vec(), row.value.to_vec()))
        .collect()
}

#[tokio::test]
async fn every_row_is_met_whatever_was_done_before() {
    for &disk in Disk::ALL {
        for seed in first_seed()..first_seed() + 6 {
            let (place, written) = worked(disk, seed, 1 + seed % 4).await;
            let (found, rows) = look(place.path()).unwrap();
            assert!(found.is_healthy(), "{disk:?}, seed {seed}: {found:?}");
            let rows = as_map(rows);
            assert!(rows == written, "{disk:?}, seed {seed}");
        }
    }
}

/// Bad input, row 22. sled stops at damage, and its snapshots leave out what is older than they are; and
/// what comes after damage it writes over.
#[cfg(feature = "sled")]
#[tokio::test]
async fn one_flipped_bit_takes_few_rows_with_it_after_any_number_of_starts() {
    for starts in 1..=3 {
        let (place, written) = worked(Disk::Sled, starts, starts).await;
        let (mut refused, mut met) = (0, 0);
        for seed in first_seed()..first_seed() + TRIALS {
            let what = format!("{starts} starts, seed {seed}");
            let trial = tempfile::tempdir().unwrap();
            copy(place.path(), trial.path());
            flip_bit(&trial.path().join("db"), &mut Numbers(seed));
            let before = content(trial.path());
            if let Ok(store) = Disk::Sled.open(trial.path()) {
                let rows = common::read_all(&*store, &swarm("swarm")).await;
                assert!(as_map(rows) == written, "{what}");
                continue;
            }
            assert!(content(trial.path()) == before, "{what}: it was changed");
            let (found, rows) = look(trial.path()).unwrap();
            assert!(found.refused.is_some(), "{what}");
            let is_newest = |row: &&Row| written.get(&row.key[..]).is_some_and(|v| *v == row.value);
            refused += 1;
            met += rows.iter().filter(is_newest).count();
        }
        assert!(refused > 0, "nothing was broken");
        // What is seen: 995 of 1,000.
        let all = refused * written.len();
        assert!(met * 10 >= all * 9, "{starts} starts: {met} of {all} rows");
    }
}

/// Flips one bit in the used part of a file.
#[cfg(feature = "sled")]
fn flip_bit(file: &Path, numbers: &mut Numbers) {
    let mut bytes = fs::read(file).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) + 1;
    let at = usize::try_from(numbers.below(used as u64)).unwrap();
    bytes[at] ^= 1 << numbers.below(8);
    fs::write(file, bytes).unwrap();
}
