//! From batches to atomic steps: several small batches share one, a large one takes the redo log.

use std::collections::BTreeMap;

use sync_core::store::{Batch, RowOp, StoreError};

use super::redo::{self, Changes};
use super::table::{STEP_CHANGES_MAX, Table};
use super::value::{Body, Chunked};
use crate::row::{frame, row_key, unframe};

/// Writes batches in order. Nothing is durable, and the last batches may not even be written,
/// before [`Writer::finish`] and [`Engine::sync`](super::engine::Engine::sync).
#[derive(Debug)]
pub(super) struct Writer<'a> {
    table: &'a mut Table,
    /// Changes of whole batches that wait for a step of their own.
    waiting: Changes,
}

impl<'a> Writer<'a> {
    pub(super) fn new(table: &'a mut Table) -> Self {
        Self {
            table,
            waiting: Changes::new(),
        }
    }

    /// Takes one batch.
    pub(super) fn add(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let changes = self.plan(batch)?;
        let added = changes
            .keys()
            .filter(|key| !self.waiting.contains_key(*key))
            .count();
        if self.waiting.len() + added > STEP_CHANGES_MAX {
            self.write_waiting()?;
        }
        if changes.len() > STEP_CHANGES_MAX {
            redo::commit(self.table, &changes)
        } else {
            self.waiting.extend(changes);
            Ok(())
        }
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        self.write_waiting()
    }

    fn write_waiting(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.table
            .step(waiting.iter().map(|(key, row)| (&key[..], row.as_deref())))
    }

    /// The changes to physical rows that `batch` comes to.
    fn plan(&mut self, batch: &Batch) -> Result<Changes, StoreError> {
        let mut last = BTreeMap::new();
        for op in &batch.ops {
            match op {
                RowOp::Put { key, value } => last.insert(key, Some(value)),
                RowOp::Delete { key } => last.insert(key, None),
            };
        }
        let mut changes = Changes::new();
        for (key, value) in last {
            let key = row_key(&batch.swarm, key);
            if let Some(old) = self.chunks_of(&key)? {
                changes.extend(old.keys().map(|chunk| (chunk, None)));
            }
            match value {
                Some(value) if Body::fits(&key, value) => {
                    let framed = frame(&key, &Body::Inline(value).encode());
                    changes.insert(key, Some(framed));
                }
                Some(value) => {
                    let chunked = Chunked {
                        value: self.table.take_value_number(),
                        bytes: value.len() as u64,
                    };
                    changes.extend(chunked.rows(value).map(|(key, row)| (key, Some(row))));
                    let framed = frame(&key, &Body::Chunked(chunked).encode());
                    changes.insert(key, Some(framed));
                }
                None => {
                    changes.insert(key, None);
                }
            }
        }
        Ok(changes)
    }

    /// The chunks of the row's present value, if it has any.
    fn chunks_of(&self, key: &[u8]) -> Result<Option<Chunked>, StoreError> {
        let corrupt = |reason| self.table.corrupt(key, reason);
        let chunks = |body: &[u8]| match Body::decode(body).map_err(corrupt)? {
            Body::Chunked(chunked) => Ok(Some(chunked)),
            Body::Inline(_) => Ok(None),
        };
        match self.waiting.get(key) {
            Some(Some(framed)) => chunks(unframe(key, framed).map_err(corrupt)?.body),
            Some(None) => Ok(None),
            None => match self.table.get(key)? {
                Some(row) => chunks(row.body()),
                None => Ok(None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;
    use sync_core::id::SwarmId;
    use sync_core::store::ROW_KEY_BYTES_MAX;

    use super::super::SledOptions;
    use super::super::engine::Engine;
    use super::super::keys::{PHYSICAL_BYTES_MAX, chunk_key};
    use super::*;

    fn write(engine: &mut Engine, group: &[RowOp]) {
        let batch = Batch {
            swarm: SwarmId::new("s").unwrap(),
            ops: group.to_vec(),
        };
        let mut writer = Writer::new(&mut engine.table);
        writer.add(&batch).unwrap();
        writer.finish().unwrap();
        engine.sync().unwrap();
    }

    fn put(key: &Bytes, length: usize) -> RowOp {
        RowOp::Put {
            key: key.clone(),
            value: vec![5; length].into(),
        }
    }

    /// sled never fsyncs the files in which it puts large items.
    fn assert_small(engine: &Engine, directory: &Path) {
        for row in engine.table.raw().iter() {
            let (key, value) = row.unwrap();
            assert!(key.len() + value.len() <= PHYSICAL_BYTES_MAX);
        }
        let large = std::fs::read_dir(directory.join("blobs")).unwrap().count();
        assert_eq!(large, 0, "files of large items");
    }

    #[test]
    fn replaced_and_removed_values_leave_nothing_behind() {
        let place = tempfile::tempdir().unwrap();
        let mut engine = Engine::open(place.path(), &SledOptions::default()).unwrap();
        let keys = [1, 500, ROW_KEY_BYTES_MAX].map(|length| Bytes::from(vec![b'k'; length]));
        for length in [10, 4_090, 1 << 20, 3, 50_000, 9_000, 0, 100_000] {
            let ops = keys.each_ref().map(|key| put(key, length));
            write(&mut engine, &ops);
            assert_small(&engine, place.path());
            let rows = engine.table.seal().rows;
            let chunks = if length > 4_000 {
                3 * length.div_ceil(4_078)
            } else {
                0
            };
            assert_eq!(rows, 3 + chunks as u64, "{length} bytes");
        }
        write(&mut engine, &keys.map(|key| RowOp::Delete { key }));
        assert_eq!(engine.table.seal().rows, 0);
        assert_eq!(engine.table.raw().len(), 1, "the seal alone");
    }

    /// What is left would pile up in a large commit until sled's threads wait for each other.
    #[test]
    fn a_step_leaves_sled_nothing_to_write() {
        let place = tempfile::tempdir().unwrap();
        let mut engine = Engine::open(place.path(), &SledOptions::default()).unwrap();
        for value in 0..20 {
            let rows: Vec<_> = (0..)
                .take(STEP_CHANGES_MAX)
                .map(|index| chunk_key(value, index))
                .map(|key| (frame(&key, &[7; 4_000]), key))
                .collect();
            let changes = rows.iter().map(|(row, key)| (&key[..], Some(&row[..])));
            engine.table.step(changes).unwrap();
            let left = engine.table.raw().flush().unwrap();
            assert_eq!(left, 0, "bytes left by step {value}");
        }
    }

    /// Within one step the second batch must find the chunks that the first is about to write.
    #[test]
    fn batches_that_share_a_step_see_each_other() {
        let place = tempfile::tempdir().unwrap();
        let mut engine = Engine::open(place.path(), &SledOptions::default()).unwrap();
        let before = engine.table.seal().number;
        let key = Bytes::from_static(b"k");
        let mut writer = Writer::new(&mut engine.table);
        for ops in [
            vec![put(&key, 20_000)],
            vec![put(&key, 30_000)],
            vec![RowOp::Delete { key: key.clone() }],
            vec![put(&key, 9)],
        ] {
            let swarm = SwarmId::new("s").unwrap();
            writer.add(&Batch { swarm, ops }).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(engine.table.seal().number, before + 1, "one step");
        assert_eq!(engine.table.seal().rows, 1);
    }
}
