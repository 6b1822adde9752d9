//! What the store answers when the disk fails, rows go bad, or redb lost what was acknowledged.

use std::path::Path;

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::{Batch, RowOp, Store, StoreError};

use super::engine::{ROWS, RedbEngine};
use super::{RedbOptions, RedbStore};
use crate::row::{SEAL_KEY, frame, row_key};

fn swarm() -> SwarmId {
    SwarmId::new("s").unwrap()
}

fn put(key: &'static str, value: &'static str) -> Vec<Batch> {
    let op = RowOp::Put {
        key: Bytes::from_static(key.as_bytes()),
        value: Bytes::from_static(value.as_bytes()),
    };
    vec![Batch {
        swarm: swarm(),
        ops: vec![op],
    }]
}

fn engine(path: &Path) -> Result<RedbEngine, StoreError> {
    RedbEngine::open(path, &RedbOptions::default())
}

/// A closed store with the rows `a` and `b`.
async fn closed_store() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let store = RedbStore::open(place.path()).unwrap();
    store.commit(put("a", "A")).await.unwrap();
    store.commit(put("b", "B")).await.unwrap();
    store.close().await.unwrap();
    place
}

/// Changes rows behind the store's back; `None` removes.
fn damage(engine: &RedbEngine, key: &[u8], framed: Option<&[u8]>) {
    let transaction = engine.db.begin_write().unwrap();
    {
        let mut rows = transaction.open_table(ROWS).unwrap();
        match framed {
            Some(framed) => drop(rows.insert(key, framed).unwrap()),
            None => drop(rows.remove(key).unwrap()),
        }
    }
    transaction.commit().unwrap();
}

/// Opening says that `row` is damaged because of `reason`, again and again.
fn assert_damaged(place: &Path, row: &str, reason: &str) {
    for _ in 0..2 {
        match engine(place) {
            Err(StoreError::Corrupt {
                row: found_row,
                reason: found,
                ..
            }) => {
                assert_eq!(found_row, row, "{found}");
                assert!(found.contains(reason), "{found}");
            }
            other => panic!("expected damage to {row}, got {other:?}"),
        }
    }
}

/// What is done to which row, and what is said of which row then.
type Case<'a> = (&'a [u8], Option<&'a [u8]>, &'a str, &'a str);

#[tokio::test]
async fn a_row_that_is_changed_missing_or_too_many_is_damage() {
    let (b, d) = (row_key(&swarm(), b"b"), row_key(&swarm(), b"d"));
    let mut flipped = frame(&b, b"B");
    flipped[5] ^= 4;
    let (other, more) = (frame(&b, b"other"), frame(&d, b"D"));
    let seal = r#""s""#;
    let cases: [Case<'_>; 6] = [
        (&b, Some(&flipped), r#""r\x01sb""#, "its checksum is"),
        (&b, Some(&other), seal, "rows differ from those"),
        (&b, None, seal, "it is over 2 rows, 1 are there"),
        (&d, Some(&more), seal, "it is over 2 rows, 3 are there"),
        (
            b"x",
            Some(&frame(b"x", b"")),
            r#""x""#,
            "no row of this store",
        ),
        (SEAL_KEY, None, seal, "there is no seal over the rows"),
    ];
    for (key, framed, row, reason) in cases {
        let place = closed_store().await;
        damage(&engine(place.path()).unwrap(), key, framed);
        assert_damaged(place.path(), row, reason);
    }
}

/// As after a power loss on a disk that does not keep its word.
#[tokio::test]
async fn a_database_without_its_newest_commit_is_damage() {
    let place = closed_store().await;
    let file = place.path().join("rows.redb");
    let older = std::fs::read(&file).unwrap();
    let store = RedbStore::open(place.path()).unwrap();
    store.commit(put("a", "newer")).await.unwrap();
    store.close().await.unwrap();
    std::fs::write(&file, older).unwrap();
    assert_damaged(place.path(), r#""s""#, "step 3 was acknowledged");
    std::fs::remove_file(&file).unwrap();
    assert_damaged(place.path(), r#""s""#, "step 3 was acknowledged");
}

#[tokio::test]
async fn a_row_that_goes_bad_while_open_is_damage_and_stops_what_would_replace_it() {
    let place = closed_store().await;
    let engine = engine(place.path()).unwrap();
    let b = row_key(&swarm(), b"b");
    let mut flipped = frame(&b, b"B");
    flipped[5] ^= 4;
    damage(&engine, &b, Some(&flipped));
    let store = RedbStore::start(place.path(), engine).unwrap();
    assert_eq!(store.scan(&swarm(), None, 1).await.unwrap().len(), 1);
    let read = store.scan(&swarm(), None, 2).await;
    assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
    let written = store.commit(put("b", "new")).await;
    assert!(
        matches!(written, Err(StoreError::Corrupt { .. })),
        "{written:?}"
    );
    let stopped = store.commit(put("a", "new")).await;
    assert!(
        matches!(stopped, Err(StoreError::Closed { reason: Some(_) })),
        "{stopped:?}"
    );
    store.close().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_seal_that_cannot_be_written_stops_the_store() {
    let place = tempfile::tempdir().unwrap();
    let mut engine = engine(place.path()).unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    engine.sealed.file = crate::seal::SealFile::new(full.unwrap());
    let store = RedbStore::start(place.path(), engine).unwrap();
    match store.commit(put("k", "v")).await {
        Err(StoreError::Io { doing, .. }) => assert_eq!(doing, "writing the seal"),
        other => panic!("{other:?}"),
    }
    let refused = store.scan(&swarm(), None, 1).await;
    assert!(
        matches!(refused, Err(StoreError::Closed { reason: Some(_) })),
        "{refused:?}"
    );
    store.close().await.unwrap();
    // What was not acknowledged may be there or not; the directory is fit for use either way.
    let store = RedbStore::open(place.path()).unwrap();
    store.commit(put("k", "w")).await.unwrap();
    store.close().await.unwrap();
}

/// Replacing and removing gives the space back to later rows.
#[tokio::test]
async fn the_file_does_not_grow_with_what_is_replaced() {
    let place = tempfile::tempdir().unwrap();
    let store = RedbStore::open(place.path()).unwrap();
    let size = || {
        std::fs::metadata(place.path().join("rows.redb"))
            .unwrap()
            .len()
    };
    let large = Bytes::from(vec![7; 1 << 20]);
    let mut after_some = 0;
    for round in 0..40 {
        let op = RowOp::Put {
            key: Bytes::from_static(b"large"),
            value: large.clone(),
        };
        let ops = vec![op];
        store
            .commit(vec![Batch {
                swarm: swarm(),
                ops,
            }])
            .await
            .unwrap();
        if round == 10 {
            after_some = size();
        }
    }
    assert!(size() <= after_some, "{} after {after_some}", size());
    store.close().await.unwrap();
}
