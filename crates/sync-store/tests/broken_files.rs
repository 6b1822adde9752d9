//! A file that a bad disk has changed is damage with a name, or does not matter: never rows that are
//! just not there, and never a panic.
#![cfg(any(feature = "sled", feature = "redb"))]
#![allow(clippy::unwrap_used, reason = "helpers fail by panicking, as tests do")]

#[path = "support/common.rs"]
mod common;

use std::fs;
use std::path::Path;

use common::{Disk, Numbers, batch, copy, delete, put, read_all, swarm};
use sync_core::store::{Row, StoreError};

/// Trials per test; a thousand per store. `SYNC_STORE_SEED` is where they start.
const TRIALS: u64 = 250;

/// What happened to a file.
#[derive(Debug, Clone, Copy)]
enum Break {
    Flip,
    CutShort,
    ZeroedPage,
    /// A write that never arrived.
    OldPage,
}

/// Breaks a file of the directory at a seeded place, most often the one with the rows; `old` is the
/// directory as it was some commits ago.
fn break_file(disk: Disk, place: &Path, old: &Path, numbers: &mut Numbers) -> Break {
    let name = match numbers.below(20) {
        0 => "seal",
        1 => "format",
        _ => disk.database(),
    };
    let mut bytes = fs::read(place.join(name)).unwrap();
    // Most of a small database file is zeros that nothing reads; damage there proves nothing.
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) + 1;
    let at = usize::try_from(numbers.below(used as u64)).unwrap();
    let page = at / 4_096 * 4_096;
    let broken = match numbers.below(5) {
        0 => Break::CutShort,
        1 => Break::ZeroedPage,
        2 => Break::OldPage,
        _ => Break::Flip,
    };
    match broken {
        Break::Flip => bytes[at] ^= 1 << numbers.below(8),
        Break::CutShort => bytes.truncate(at),
        Break::ZeroedPage => {
            let end = bytes.len().min(page + 4_096);
            bytes[page..end].fill(0);
        }
        Break::OldPage => {
            let old = fs::read(old.join(name)).unwrap();
            let end = bytes.len().min(page + 4_096).min(old.len());
            if page < end {
                bytes[page..end].copy_from_slice(&old[page..end]);
            }
        }
    }
    fs::write(place.join(name), bytes).unwrap();
    broken
}

/// A closed store with rows put, replaced and removed, a copy from before the last commits, and what it
/// holds.
async fn closed_store(disk: Disk) -> (tempfile::TempDir, tempfile::TempDir, Vec<Row>) {
    let place = tempfile::tempdir().unwrap();
    let old = tempfile::tempdir().unwrap();
    let s = swarm("swarm");
    let store = disk.open(place.path()).unwrap();
    for number in 0..60_u8 {
        let mut ops = vec![put([number], [number; 300]), put("last", [number])];
        if number % 7 == 6 {
            ops.push(delete([number - 3]));
            ops.push(put("large", vec![number; 9_000]));
        }
        store.commit(vec![batch(&s, ops)]).await.unwrap();
        if number == 40 {
            copy(place.path(), old.path());
        }
    }
    let expected = read_all(&*store, &s).await;
    store.close().await.unwrap();
    (place, old, expected)
}

async fn trials(disk: Disk, part: u64) {
    let first = std::env::var("SYNC_STORE_SEED").ok();
    let first: u64 = first.map_or(part * TRIALS, |seed| seed.parse().unwrap());
    let (place, old, expected) = closed_store(disk).await;
    let mut harmless = 0;
    for seed in first..first + TRIALS {
        let trial = tempfile::tempdir().unwrap();
        copy(place.path(), trial.path());
        let broken = break_file(disk, trial.path(), old.path(), &mut Numbers(seed));
        let what = format!("{disk:?}, seed {seed}, {broken:?}");
        match disk.open(trial.path()) {
            Ok(store) => {
                harmless += 1;
                let found = read_all(&*store, &swarm("swarm")).await;
                assert!(found == expected, "{what}: rows are missing or differ");
                store.close().await.unwrap();
            }
            Err(
                StoreError::Corrupt { .. }
                | StoreError::Io { .. }
                | StoreError::Format { .. }
                | StoreError::Engine { .. },
            ) => {}
            Err(other) => panic!("{what}: {other}"),
        }
    }
    // Else nothing was broken.
    assert!(harmless < TRIALS, "{harmless} of {TRIALS} did no harm");
}

/// Four tests per store, so that they run side by side.
macro_rules! parts {
    ($($name:ident: $disk:ident, $feature:literal, $part:literal;)+) => {
        $(
            #[cfg(feature = $feature)]
            #[tokio::test]
            async fn $name() {
                trials(Disk::$disk, $part).await;
            }
        )+
    };
}

parts! {
    a_broken_file_of_sled_is_damage_or_does_not_matter: Sled, "sled", 0;
    a_broken_file_of_sled_is_damage_or_does_not_matter_2: Sled, "sled", 1;
    a_broken_file_of_sled_is_damage_or_does_not_matter_3: Sled, "sled", 2;
    a_broken_file_of_sled_is_damage_or_does_not_matter_4: Sled, "sled", 3;
    a_broken_file_of_redb_is_damage_or_does_not_matter: Redb, "redb", 0;
    a_broken_file_of_redb_is_damage_or_does_not_matter_2: Redb, "redb", 1;
    a_broken_file_of_redb_is_damage_or_does_not_matter_3: Redb, "redb", 2;
    a_broken_file_of_redb_is_damage_or_does_not_matter_4: Redb, "redb", 3;
}
