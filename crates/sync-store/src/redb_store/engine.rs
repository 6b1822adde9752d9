//! An open directory of redb: one table of rows and their seal.

use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};
use sync_core::id::SwarmId;
use sync_core::store::{Batch, Row, RowOp, StoreError};

use super::RedbOptions;
use crate::damage::corrupt;
use crate::directory::{Directory, EngineKind, sync_directory};
use crate::row::{
    ROW_PREFIX, SEAL_KEY, after_all, frame, row_key, swarm_of, swarm_prefix, unframe,
};
use crate::seal::{Seal, Sealed};
use crate::thread;

/// redb's only file.
const DATABASE_FILE: &str = "rows.redb";

/// Physical rows by key: those of swarms, and the seal.
pub(super) const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// Everything that is open. Its calls block.
#[derive(Debug)]
pub(super) struct RedbEngine {
    // Fields drop in this order: redb must be gone before the lock is.
    pub(super) db: Database,
    seal: Seal,
    pub(super) sealed: Sealed,
    directory: Directory,
}

impl RedbEngine {
    /// Opens the directory and checks every row in it.
    pub(super) fn open(path: &Path, options: &RedbOptions) -> Result<Self, StoreError> {
        Directory::open(path, EngineKind::Redb, |directory| {
            Self::open_redb(directory, options)
        })
    }

    fn open_redb(directory: Directory, options: &RedbOptions) -> Result<Self, StoreError> {
        let name = directory.name();
        let db = Database::builder()
            .set_cache_size(options.cache_bytes)
            .create(directory.path().join(DATABASE_FILE))
            .map_err(|e| engine(name, e.into(), "opening"))?;
        sync_directory(directory.path()).map_err(|e| directory.io_error("fsync", &e))?;
        let seal = verify(name, &db)?;
        let sealed = Sealed::open(&directory, &seal)?;
        let mut opened = Self {
            db,
            seal,
            sealed,
            directory,
        };
        opened.write_seal()?;
        Ok(opened)
    }

    fn write_seal(&mut self) -> Result<(), StoreError> {
        if self.sealed.holds(&self.seal) {
            return Ok(());
        }
        self.sealed.write(&self.directory, &self.seal)
    }

    /// Writes the batches and the seal over the result, as one transaction.
    fn write<'a>(&self, batches: impl Iterator<Item = &'a Batch>) -> Result<Seal, StoreError> {
        let name = self.directory.name();
        let failed = |e: redb::Error| engine(name, e, "writing");
        let transaction = self.db.begin_write().map_err(|e| failed(e.into()))?;
        let mut seal = self.seal;
        {
            let mut rows = transaction.open_table(ROWS).map_err(|e| failed(e.into()))?;
            for batch in batches {
                for op in &batch.ops {
                    apply(name, &mut rows, &mut seal, &batch.swarm, op)?;
                }
            }
            seal.number += 1;
            let framed = frame(SEAL_KEY, &seal.encode());
            rows.insert(SEAL_KEY, &framed[..])
                .map_err(|e| failed(e.into()))?;
        }
        transaction.commit().map_err(|e| failed(e.into()))?;
        Ok(seal)
    }

    /// The physical rows that `visit` takes, from `from` on; it says when it has enough.
    fn visit(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let name = self.directory.name();
        let failed = |e: redb::Error| engine(name, e, "reading");
        let transaction = self.db.begin_read().map_err(|e| failed(e.into()))?;
        let rows = match transaction.open_table(ROWS) {
            Ok(rows) => rows,
            // Nothing was ever written.
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(failed(error.into())),
        };
        for found in rows.range::<&[u8]>(range).map_err(|e| failed(e.into()))? {
            let (key, framed) = found.map_err(|e| failed(e.into()))?;
            let key = key.value();
            let row = unframe(key, framed.value()).map_err(|e| corrupt(name, key, e))?;
            if !visit(key, row.body)? {
                break;
            }
        }
        Ok(())
    }
}

impl thread::Engine for RedbEngine {
    fn commit<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>) -> Result<(), StoreError> {
        self.seal = self.write(batches)?;
        self.write_seal()
    }

    fn scan(
        &self,
        swarm: &SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let prefix = swarm_prefix(swarm);
        let from = after.map(|after| row_key(swarm, after));
        let from = match &from {
            Some(after) => Bound::Excluded(&after[..]),
            None => Bound::Included(&prefix[..]),
        };
        let to = after_all(&prefix);
        let mut rows = Vec::new();
        if limit == 0 {
            return Ok(rows);
        }
        self.visit((from, Bound::Excluded(&to)), |key, body| {
            rows.push(Row {
                key: Bytes::copy_from_slice(&key[prefix.len()..]),
                value: Bytes::copy_from_slice(body),
            });
            Ok(rows.len() < limit)
        })?;
        Ok(rows)
    }

    /// Costs one seek per swarm.
    fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
        let name = self.directory.name();
        let mut swarms = Vec::new();
        let mut from = vec![ROW_PREFIX];
        loop {
            let mut next = None;
            let to = [ROW_PREFIX + 1];
            let range = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
            self.visit(range, |key, _| {
                let named = swarm_of(key);
                let (swarm, bytes) =
                    named.ok_or_else(|| corrupt(name, key, "it names no swarm"))?;
                swarms.push(swarm);
                next = Some(after_all(&key[..bytes]));
                Ok(false)
            })?;
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        // By key they come shortest name first.
        swarms.sort_unstable();
        Ok(swarms)
    }

    fn bytes_on_disk(&self) -> Option<u64> {
        let file = self.directory.path().join(DATABASE_FILE);
        std::fs::metadata(file).ok().map(|file| file.len())
    }

    fn close(self) -> Result<(), StoreError> {
        let Self { db, directory, .. } = self;
        drop(db);
        directory.release()
    }
}

/// Makes one change, and keeps `seal` over the result.
fn apply(
    name: &str,
    rows: &mut Table<'_, &[u8], &[u8]>,
    seal: &mut Seal,
    swarm: &SwarmId,
    op: &RowOp,
) -> Result<(), StoreError> {
    let failed = |e: redb::StorageError| engine(name, e.into(), "writing");
    let key = row_key(swarm, op.key());
    let old = match op {
        RowOp::Put { value, .. } => {
            let framed = frame(&key, value);
            let written = unframe(&key, &framed).map_err(|e| corrupt(name, &key, e))?;
            seal.add(written.checksum);
            rows.insert(&key[..], &framed[..]).map_err(failed)?
        }
        RowOp::Delete { .. } => rows.remove(&key[..]).map_err(failed)?,
    };
    if let Some(old) = old {
        let old = unframe(&key, old.value()).map_err(|e| corrupt(name, &key, e))?;
        seal.remove(old.checksum);
    }
    Ok(())
}

/// Reads every row and compares them with the seal among them, which it returns.
fn verify(name: &str, db: &Database) -> Result<Seal, StoreError> {
    let failed = |e: redb::Error| engine(name, e, "reading");
    let transaction = db.begin_read().map_err(|e| failed(e.into()))?;
    let rows = match transaction.open_table(ROWS) {
        Ok(rows) => rows,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Seal::default()),
        Err(error) => return Err(failed(error.into())),
    };
    let (mut found, mut sealed) = (Seal::default(), None);
    for row in rows.iter().map_err(|e| failed(e.into()))? {
        let (key, framed) = row.map_err(|e| failed(e.into()))?;
        let key = key.value();
        let row = unframe(key, framed.value()).map_err(|e| corrupt(name, key, e))?;
        match key.first() {
            Some(&ROW_PREFIX) => found.add(row.checksum),
            _ if key == SEAL_KEY => sealed = Seal::decode(row.body),
            _ => return Err(corrupt(name, key, "no row of this store has such a key")),
        }
    }
    let Some(seal) = sealed else {
        return Err(corrupt(name, SEAL_KEY, "there is no seal over the rows"));
    };
    if (found.rows, found.digest) == (seal.rows, seal.digest) {
        return Ok(seal);
    }
    let reason = if found.rows == seal.rows {
        "rows differ from those it was put over".to_owned()
    } else {
        format!("it is over {} rows, {} are there", seal.rows, found.rows)
    };
    Err(corrupt(name, SEAL_KEY, reason))
}

/// An error of redb as one of ours.
fn engine(name: &str, error: redb::Error, doing: &'static str) -> StoreError {
    match error {
        redb::Error::Corrupted(reason) => StoreError::Corrupt {
            path: name.to_owned(),
            row: "unknown".to_owned(),
            reason: format!("the storage engine found damage: {reason}"),
        },
        other => StoreError::Io {
            path: name.to_owned(),
            doing,
            reason: other.to_string(),
        },
    }
}
