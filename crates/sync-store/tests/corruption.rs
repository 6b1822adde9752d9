//! In a directory of sled, damage is an error with a name, never a row that is just not there.
#![cfg(feature = "sled")]
#![allow(clippy::unwrap_used, reason = "helpers fail by panicking, as tests do")]

#[path = "support/common.rs"]
mod common;

use std::fs;
use std::path::Path;

use common::{batch, copy, put, swarm};
use sync_core::store::{Store, StoreError};
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

/// Bad input, row 22.
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

/// Bad input, row 22.
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

/// Bad input, row 22.
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
