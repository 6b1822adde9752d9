//! What the store answers when the disk fails or rows go bad while it is open.

use std::fs::OpenOptions;
use std::path::Path;

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::{Batch, RowOp, Store, StoreError};

use super::engine::Engine;
use super::keys::chunk_key;
use super::value::{Body, Chunked};
use super::{SledOptions, SledStore};
use crate::row::{frame, row_key};
use crate::seal::SealFile;

fn swarm() -> SwarmId {
    SwarmId::new("s").unwrap()
}

fn put(key: &'static str, value: &[u8]) -> Vec<Batch> {
    let op = RowOp::Put {
        key: Bytes::from_static(key.as_bytes()),
        value: Bytes::copy_from_slice(value),
    };
    vec![Batch {
        swarm: swarm(),
        ops: vec![op],
    }]
}

fn engine(path: &Path) -> Engine {
    Engine::open(path, &SledOptions::default()).unwrap()
}

/// The first commit fails by `doing`; from then on every call is refused with that as the reason.
#[cfg(target_os = "linux")]
async fn assert_stops(store: SledStore, doing: &str) {
    match store.commit(put("k", b"v")).await {
        Err(StoreError::Io { doing: found, .. }) => assert_eq!(found, doing),
        other => panic!("{other:?}"),
    }
    let refused = [
        store.commit(put("k", b"v")).await.err(),
        store.scan(&swarm(), None, 1).await.err(),
        store.swarms().await.err(),
    ];
    for error in refused {
        let Some(StoreError::Closed {
            reason: Some(reason),
        }) = error
        else {
            panic!("{error:?}");
        };
        assert!(reason.contains(doing), "{reason}");
    }
    store.close().await.unwrap();
    let after = store.commit(put("k", b"v")).await;
    assert!(
        matches!(after, Err(StoreError::Closed { reason: Some(_) })),
        "{after:?}"
    );
}

/// Bad input, row 21.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_failed_fsync_stops_the_store() {
    let place = tempfile::tempdir().unwrap();
    let mut engine = engine(place.path());
    // A device that cannot be synced.
    engine.db = std::fs::File::open("/dev/null").unwrap();
    let store = SledStore::start(place.path(), engine).unwrap();
    assert_stops(store, "fdatasync").await;
    // What was not acknowledged may be there or not; the directory is fit for use either way.
    let store = SledStore::open(place.path()).unwrap();
    store.commit(put("k", b"w")).await.unwrap();
    store.close().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_seal_that_cannot_be_written_stops_the_store() {
    let place = tempfile::tempdir().unwrap();
    let mut engine = engine(place.path());
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    engine.sealed.file = SealFile::new(full);
    let store = SledStore::start(place.path(), engine).unwrap();
    assert_stops(store, "writing the seal").await;
}

/// A store whose rows are changed behind its back while it is open.
async fn damaged_while_open(change: impl FnOnce(&sled::Db)) -> (tempfile::TempDir, SledStore) {
    let place = tempfile::tempdir().unwrap();
    let engine = engine(place.path());
    let raw = engine.table.raw().clone();
    let store = SledStore::start(place.path(), engine).unwrap();
    store.commit(put("a", b"fine")).await.unwrap();
    store.commit(put("large", &[7; 10_000])).await.unwrap();
    change(&raw);
    (place, store)
}

/// Reading the row says what is wrong with it, again and again, and reads the rows before it.
async fn assert_unreadable((_place, store): (tempfile::TempDir, SledStore), reason: &str) {
    for _ in 0..2 {
        let fine = store.scan(&swarm(), None, 1).await.unwrap();
        assert_eq!(fine.len(), 1);
        match store.scan(&swarm(), Some(b"a"), 1).await {
            Err(StoreError::Corrupt {
                row, reason: found, ..
            }) => {
                assert!(row.contains("large") || row.contains(r"v\x00"), "{row}");
                assert!(found.contains(reason), "{found}");
            }
            other => panic!("{other:?}"),
        }
    }
    // Neither is the row overwritten as if nothing were wrong.
    let refused = store.commit(put("large", b"new")).await;
    assert!(
        matches!(refused, Err(StoreError::Corrupt { .. })),
        "{refused:?}"
    );
    let stopped = store.scan(&swarm(), None, 1).await;
    assert!(
        matches!(stopped, Err(StoreError::Closed { reason: Some(_) })),
        "{stopped:?}"
    );
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_row_that_goes_bad_is_damage() {
    let key = row_key(&swarm(), b"large");
    let damaged = damaged_while_open(|db| {
        let mut row = db.get(&key).unwrap().unwrap().to_vec();
        row[8] ^= 1;
        db.insert(&key, row).unwrap();
    });
    assert_unreadable(damaged.await, "its checksum is").await;
}

#[tokio::test]
async fn a_chunk_that_goes_bad_is_damage() {
    let key = chunk_key(0, 1);
    let damaged = damaged_while_open(|db| {
        let mut row = db.get(&key).unwrap().unwrap().to_vec();
        row[100] ^= 1;
        db.insert(&key, row).unwrap();
    });
    assert_unreadable(damaged.await, "its checksum is").await;
}

#[tokio::test]
async fn a_row_of_an_unknown_kind_is_damage() {
    let key = row_key(&swarm(), b"large");
    let damaged = damaged_while_open(|db| {
        db.insert(&key, frame(&key, &[9, 9])).unwrap();
    });
    assert_unreadable(damaged.await, "unknown kind 9").await;
}

/// Only reading looks at these; replacing the value removes the chunks that are there.
#[tokio::test]
async fn chunks_that_do_not_add_up_are_damage() {
    let key = row_key(&swarm(), b"large");
    let longer = Body::Chunked(Chunked {
        value: 0,
        bytes: 10_001,
    });
    let (place, store) = damaged_while_open(|db| {
        db.insert(&key, frame(&key, &longer.encode())).unwrap();
    })
    .await;
    match store.scan(&swarm(), None, 9).await {
        Err(StoreError::Corrupt { reason, .. }) => {
            assert_eq!(reason, "its chunks have 10000 bytes of 10001");
        }
        other => panic!("{other:?}"),
    }
    drop((store, place));
    let (place, store) = damaged_while_open(|db| {
        db.remove(chunk_key(0, 2)).unwrap().unwrap();
    })
    .await;
    match store.scan(&swarm(), None, 9).await {
        Err(StoreError::Corrupt { reason, .. }) => {
            assert_eq!(reason, "chunk 2 of 3 is missing");
        }
        other => panic!("{other:?}"),
    }
    drop((store, place));
}
