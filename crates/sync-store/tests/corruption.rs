//! Damage is an error with a name, never a row that is just not there.
#![cfg(feature = "sled")]
#![allow(clippy::unwrap_used, reason = "helpers fail by panicking, as tests do")]

#[path = "support/common.rs"]
mod common;

use std::fs;
use std::path::Path;

use common::{Numbers, batch, put, read_all, swarm};
use sync_core::store::{Row, Store, StoreError};
use sync_store::SledStore;
use tempfile::TempDir;

/// The keys of rows as the store lays them out: kind, length of the swarm's name, name, key.
fn physical(key: &str) -> Vec<u8> {
    [b"r\x05swarm", key.as_bytes()].concat()
}

fn chunk(value: u64, index: u32) -> Vec<u8> {
    [b"v", &value.to_be_bytes()[..], &index.to_be_bytes()].concat()
}

/// Format byte, checksum over format, key and body, body.
fn framed(format: u8, key: &[u8], body: &[u8]) -> Vec<u8> {
    let sum = crc32fast::hash(&[&[format], key, body].concat());
    [&[format], &sum.to_le_bytes()[..], body].concat()
}

/// A closed store: rows `a`, `b`, `c` with values `A`, `B`, `C`, and `large` in three chunks.
async fn closed_store() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let store = SledStore::open(place.path()).unwrap();
    let s = swarm("swarm");
    let ops = [put("a", "A"), put("b", "B"), put("c", "C")];
    store.commit(vec![batch(&s, ops)]).await.unwrap();
    let ops = [put("large", vec![7; 10_000])];
    store.commit(vec![batch(&s, ops)]).await.unwrap();
    store.close().await.unwrap();
    place
}

/// Opens behind the store's back and changes what is there.
fn damage(place: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::Config::new()
        .path(place)
        .flush_every_ms(None)
        .open()
        .unwrap();
    change(&db);
    db.flush().unwrap();
}

/// Opening says that `row` is damaged because of `reason`, and says so again the second time.
fn assert_damaged(place: &Path, row: &str, reason: &str) {
    for _ in 0..2 {
        match SledStore::open(place) {
            Err(StoreError::Corrupt {
                row: found_row,
                reason: found_reason,
                ..
            }) => {
                assert_eq!(found_row, row, "{found_reason}");
                assert!(found_reason.contains(reason), "{found_reason}");
            }
            other => panic!("expected damage to {row}, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_changed_byte_is_damage_wherever_it_is() {
    // Format byte, checksum, kind, value.
    for at in [0, 1, 4, 5, 6] {
        let place = closed_store().await;
        damage(place.path(), |db| {
            let mut row = db.get(physical("b")).unwrap().unwrap().to_vec();
            row[at] ^= 0x10;
            db.insert(physical("b"), row).unwrap();
        });
        assert_damaged(place.path(), r#""r\x05swarmb""#, "its checksum is");
    }
}

#[tokio::test]
async fn a_shortened_row_is_damage() {
    for length in [0, 3, 6] {
        let place = closed_store().await;
        damage(place.path(), |db| {
            let row = db.get(physical("b")).unwrap().unwrap();
            db.insert(physical("b"), &row[..length]).unwrap();
        });
        assert_damaged(place.path(), r#""r\x05swarmb""#, "");
    }
}

#[tokio::test]
async fn a_row_of_an_unknown_format_is_damage() {
    let place = closed_store().await;
    damage(place.path(), |db| {
        let key = physical("b");
        let row = framed(9, &key, b"\0B");
        db.insert(key, row).unwrap();
    });
    let reason = "it has row format 9, this program reads 1";
    assert_damaged(place.path(), r#""r\x05swarmb""#, reason);
}

#[tokio::test]
async fn a_row_under_another_rows_key_is_damage() {
    let place = closed_store().await;
    damage(place.path(), |db| {
        let a = db.get(physical("a")).unwrap().unwrap();
        let b = db.insert(physical("b"), a).unwrap().unwrap();
        db.insert(physical("a"), b).unwrap();
    });
    assert_damaged(place.path(), r#""r\x05swarma""#, "its checksum is");
}

#[tokio::test]
async fn a_missing_row_is_damage() {
    for key in [physical("b"), physical("large")] {
        let place = closed_store().await;
        damage(place.path(), |db| {
            db.remove(key).unwrap().unwrap();
        });
        assert_damaged(place.path(), r#""s""#, "it is over 7 rows, 6 are there");
    }
}

#[tokio::test]
async fn a_missing_chunk_is_damage_to_its_row() {
    for index in 0..3 {
        let place = closed_store().await;
        damage(place.path(), |db| {
            db.remove(chunk(0, index)).unwrap().unwrap();
        });
        let reason = format!("chunk {index} of 3 is missing");
        assert_damaged(place.path(), r#""r\x05swarmlarge""#, &reason);
    }
}

#[tokio::test]
async fn a_shortened_chunk_is_damage_to_its_row() {
    let place = closed_store().await;
    damage(place.path(), |db| {
        let key = chunk(0, 1);
        let row = framed(1, &key, &[7; 50]);
        db.insert(key, row).unwrap();
    });
    let reason = "its chunks have";
    assert_damaged(place.path(), r#""r\x05swarmlarge""#, reason);
}

#[tokio::test]
async fn a_row_with_another_value_is_damage() {
    let place = closed_store().await;
    damage(place.path(), |db| {
        let key = physical("b");
        let row = framed(1, &key, b"\0older");
        db.insert(key, row).unwrap();
    });
    assert_damaged(
        place.path(),
        r#""s""#,
        "rows differ from those it was put over",
    );
}

#[tokio::test]
async fn a_row_too_many_is_damage() {
    let place = closed_store().await;
    damage(place.path(), |db| {
        let key = physical("d");
        let row = framed(1, &key, b"\0D");
        db.insert(key, row).unwrap();
    });
    assert_damaged(place.path(), r#""s""#, "it is over 7 rows, 8 are there");
    let place = closed_store().await;
    damage(place.path(), |db| {
        db.insert("x", framed(1, b"x", b"")).unwrap();
    });
    assert_damaged(
        place.path(),
        r#""x""#,
        "no row of this store has such a key",
    );
}

#[tokio::test]
async fn a_missing_or_older_seal_is_damage() {
    let place = closed_store().await;
    damage(place.path(), |db| {
        db.remove("s").unwrap().unwrap();
    });
    let reason = "there are rows but no seal over them";
    assert_damaged(place.path(), r#""s""#, reason);

    let place = closed_store().await;
    fs::remove_file(place.path().join("seal")).unwrap();
    assert_damaged(place.path(), r#""s""#, "the file `seal` is missing");

    let place = closed_store().await;
    fs::write(place.path().join("seal"), [0xa5; 8_192]).unwrap();
    assert_damaged(place.path(), r#""s""#, "the file `seal` cannot be read");
}

#[tokio::test]
async fn rows_gone_with_their_seal_are_damage() {
    let place = closed_store().await;
    damage(place.path(), |db| db.clear().unwrap());
    assert_damaged(place.path(), r#""s""#, "step 2 was acknowledged");
    // The same with sled's files gone, as after an eager clean-up.
    let place = closed_store().await;
    for file in ["db", "conf"] {
        fs::remove_file(place.path().join(file)).unwrap();
    }
    for entry in fs::read_dir(place.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    assert_damaged(place.path(), r#""s""#, "step 2 was acknowledged");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn an_older_database_beside_a_newer_seal_is_damage() {
    let place = closed_store().await;
    let older = tempfile::tempdir().unwrap();
    copy(place.path(), older.path());
    let store = SledStore::open(place.path()).unwrap();
    let s = swarm("swarm");
    store
        .commit(vec![batch(&s, [put("a", "newer")])])
        .await
        .unwrap();
    store.close().await.unwrap();
    fs::copy(place.path().join("seal"), older.path().join("seal")).unwrap();
    assert_damaged(older.path(), r#""s""#, "step 3 was acknowledged");
}

/// What happens to a file on a bad disk, at a seeded place.
fn break_file(file: &Path, numbers: &mut Numbers) {
    let mut bytes = fs::read(file).unwrap();
    // Most of a small database file is zeros that nothing reads; damage there proves nothing.
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) + 1;
    let at = usize::try_from(numbers.below(used as u64)).unwrap();
    match numbers.below(4) {
        0 => bytes.truncate(at),
        1 => {
            let end = bytes.len().min(at + 4_096);
            bytes[at..end].fill(0);
        }
        _ => bytes[at] ^= 1 << numbers.below(8),
    }
    fs::write(file, bytes).unwrap();
}

/// sled alone opens most of these without an error and without the rows.
#[tokio::test]
async fn a_broken_file_is_damage_or_does_not_matter() {
    const TRIALS: u64 = 40;
    let place = tempfile::tempdir().unwrap();
    let s = swarm("swarm");
    let store = SledStore::open(place.path()).unwrap();
    for number in 0..60_u8 {
        let ops = [put([number], [number; 300]), put("last", [number])];
        store.commit(vec![batch(&s, ops)]).await.unwrap();
    }
    let expected: Vec<Row> = read_all(&store, &s).await;
    store.close().await.unwrap();

    let first = std::env::var("SYNC_STORE_SEED").ok();
    let first: u64 = first.map_or(0, |seed| seed.parse().unwrap());
    for seed in first..first + TRIALS {
        let broken = tempfile::tempdir().unwrap();
        copy(place.path(), broken.path());
        break_file(&broken.path().join("db"), &mut Numbers(seed));
        match SledStore::open(broken.path()) {
            Err(StoreError::Corrupt { .. } | StoreError::Io { .. }) => {}
            Err(other) => panic!("seed {seed}: {other}"),
            Ok(store) => {
                let found = read_all(&store, &s).await;
                assert!(found == expected, "seed {seed}: rows are missing or differ");
                store.close().await.unwrap();
            }
        }
    }
}
