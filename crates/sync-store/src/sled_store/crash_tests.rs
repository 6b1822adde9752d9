//! A process that ends before any one of the steps of a large commit, and of its recovery.

use std::path::Path;

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::{Batch, Row, RowOp, StoreError};

use super::commit::Writer;
use super::engine::Engine;
use super::keys::{COMMIT_KEY, all_parts};
use super::{SledOptions, read, redo};

fn swarm() -> SwarmId {
    SwarmId::new("s").unwrap()
}

fn put(key: u8, value: Vec<u8>) -> RowOp {
    RowOp::Put {
        key: Bytes::copy_from_slice(&[key]),
        value: value.into(),
    }
}

/// A first batch that fits one step, and a second that needs several: rows written, rewritten,
/// removed, chunked and no longer chunked.
fn batches() -> [Batch; 2] {
    let first = [
        put(0, vec![1; 20_000]),
        put(1, vec![1; 10]),
        put(2, vec![1; 10]),
    ];
    let second = (0..150)
        .map(|key| match key {
            1 => RowOp::Delete {
                key: Bytes::copy_from_slice(&[1]),
            },
            // Long enough that the redo log itself takes several steps.
            3 => put(key, vec![2; 300_000]),
            _ => put(key, vec![2; 50]),
        })
        .collect();
    [first.into(), second].map(|ops| Batch {
        swarm: swarm(),
        ops,
    })
}

fn open(path: &Path) -> Result<Engine, StoreError> {
    Engine::open(path, &SledOptions::default())
}

fn write(engine: &mut Engine, batch: &Batch) -> Result<(), StoreError> {
    let mut writer = Writer::new(&mut engine.table);
    writer.add(batch)?;
    writer.finish()?;
    engine.sync()
}

fn rows(engine: &Engine) -> Vec<Row> {
    read::scan(&engine.table, &swarm(), None, usize::MAX).unwrap()
}

fn has_log(engine: &Engine) -> bool {
    engine.table.get(COMMIT_KEY).unwrap().is_some()
        || engine.table.range(all_parts()).next().is_some()
}

/// The rows after the first batch and after both.
fn expected() -> [Vec<Row>; 2] {
    let place = tempfile::tempdir().unwrap();
    let mut engine = open(place.path()).unwrap();
    batches().map(|batch| {
        write(&mut engine, &batch).unwrap();
        rows(&engine)
    })
}

#[test]
fn a_large_commit_is_whole_after_a_crash_before_any_step() {
    let [before, after] = expected();
    let [first, second] = batches();
    let mut whole = Vec::new();
    for steps in 0.. {
        let place = tempfile::tempdir().unwrap();
        let mut engine = open(place.path()).unwrap();
        write(&mut engine, &first).unwrap();
        engine.table.steps_left = Some(steps);
        let outcome = write(&mut engine, &second);
        drop(engine);
        let engine = open(place.path()).unwrap();
        let found = rows(&engine);
        assert!(!has_log(&engine), "{steps} steps");
        assert!(found == before || found == after, "{steps} steps");
        whole.push(found == after);
        if outcome.is_ok() {
            break;
        }
    }
    assert_eq!(whole.first_chunk(), Some(&[false, false]), "{whole:?}");
    assert_eq!(whole.last(), Some(&true));
    assert!(whole.is_sorted(), "once committed, always: {whole:?}");
    // Some of the steps come before the commit row and some after it.
    assert!(
        whole.iter().filter(|&&whole| whole).count() > 3,
        "{whole:?}"
    );
}

/// The recovery of every interrupted commit is itself interrupted before each of its steps.
#[test]
fn a_recovery_that_ends_halfway_is_done_again() {
    let [before, after] = expected();
    let [first, second] = batches();
    for steps in 1.. {
        for again in 0.. {
            let place = tempfile::tempdir().unwrap();
            let mut engine = open(place.path()).unwrap();
            write(&mut engine, &first).unwrap();
            engine.table.steps_left = Some(steps);
            if write(&mut engine, &second).is_ok() {
                return;
            }
            let committed = engine.table.get(COMMIT_KEY).unwrap().is_some();
            engine.table.steps_left = Some(again);
            let recovered = redo::recover(&mut engine.table).is_ok();
            drop(engine);
            let engine = open(place.path()).unwrap();
            assert!(!has_log(&engine), "{steps} steps, {again} of recovery");
            let found = rows(&engine);
            if committed {
                assert!(found == after, "{steps} steps, {again} of recovery");
            }
            assert!(found == before || found == after, "{steps}, {again}");
            if recovered {
                break;
            }
        }
    }
}
