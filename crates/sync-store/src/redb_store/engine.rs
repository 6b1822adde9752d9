//! An open directory of redb: one table of rows and their seal.

use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::path::Path;

use bytes::Bytes;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, Table, TableDefinition};
use sync_core::id::SwarmId;
use sync_core::store::{Batch, Row, RowOp, StoreError};

use super::RedbOptions;
use crate::damage::corrupt;
use crate::directory::{Directory, EngineKind, sync_directory};
use crate::row::{
    Framed, ROW_PREFIX, SEAL_KEY, after_all, checksum_of, frame, row_key, swarm_of, swarm_prefix,
    unframe,
};
use crate::seal::{Seal, SealFile, Sealed};
use crate::thread;

/// redb's only file.
pub(super) const DATABASE_FILE: &str = "rows.redb";

/// What is to be that file.
const DATABASE_FILE_NEW: &str = "rows.redb.new";

/// Physical rows by key: those of swarms, and the seal.
pub(super) const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// How an engine gets at the files that it writes to. Tests note what is written.
pub(super) trait Files {
    fn database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError>;

    fn seal(&self, file: File) -> SealFile;
}

/// As they are.
struct PlainFiles;

impl Files for PlainFiles {
    fn database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError> {
        builder.open(path)
    }

    fn seal(&self, file: File) -> SealFile {
        SealFile::new(file)
    }
}

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
        Self::open_through(&PlainFiles, path, options)
    }

    /// The same through `files`.
    pub(super) fn open_through(
        files: &impl Files,
        path: &Path,
        options: &RedbOptions,
    ) -> Result<Self, StoreError> {
        Directory::open(path, EngineKind::Redb, |directory| {
            Self::open_redb(files, directory, options)
        })
    }

    fn open_redb(
        files: &impl Files,
        directory: Directory,
        options: &RedbOptions,
    ) -> Result<Self, StoreError> {
        let name = directory.name();
        make_database(&directory)?;
        let mut builder = Database::builder();
        builder.set_cache_size(options.cache_bytes);
        let db = files
            .database(&builder, &directory.path().join(DATABASE_FILE))
            .map_err(|e| engine(name, e.into(), "opening"))?;
        let seal = verify(name, &db)?;
        let sealed = Sealed::open(&directory, &seal, |file| files.seal(file))?;
        let mut opened = Self {
            db,
            seal,
            sealed,
            directory,
        };
        opened.sealed.write(&opened.directory, &opened.seal)?;
        Ok(opened)
    }

    /// Writes the batches and the seal over the result, as one transaction; nothing if they change
    /// nothing.
    fn write<'a>(&self, batches: impl Iterator<Item = &'a Batch>) -> Result<Seal, StoreError> {
        let name = self.directory.name();
        let failed = |e: redb::Error| engine(name, e, "writing");
        let transaction = self.db.begin_write().map_err(|e| failed(e.into()))?;
        let mut seal = self.seal;
        let mut changed = false;
        {
            let mut rows = transaction.open_table(ROWS).map_err(|e| failed(e.into()))?;
            for batch in batches {
                for op in &batch.ops {
                    changed |= apply(name, &mut rows, &mut seal, &batch.swarm, op)?;
                }
            }
            seal.number += 1;
            let framed = frame(SEAL_KEY, &seal.encode());
            rows.insert(SEAL_KEY, &framed[..])
                .map_err(|e| failed(e.into()))?;
        }
        if !changed {
            transaction.abort().map_err(|e| failed(e.into()))?;
            return Ok(self.seal);
        }
        transaction.commit().map_err(|e| failed(e.into()))?;
        Ok(seal)
    }
}

impl thread::Engine for RedbEngine {
    fn commit<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>) -> Result<(), StoreError> {
        self.seal = self.write(batches)?;
        self.sealed.write(&self.directory, &self.seal)
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
        let range = (from, Bound::Excluded(&to[..]));
        visit(self.directory.name(), &self.db, range, |key, row| {
            rows.push(Row {
                key: Bytes::copy_from_slice(&key[prefix.len()..]),
                value: Bytes::copy_from_slice(row.body),
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
            visit(name, &self.db, range, |key, _| {
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
        fs::metadata(file).ok().map(|file| file.len())
    }

    fn close(self) -> Result<(), StoreError> {
        let Self { db, directory, .. } = self;
        let closed = db
            .close()
            .map_err(|e| engine(directory.name(), e.into(), "closing"));
        let released = directory.release();
        closed.and(released)
    }
}

/// Makes the database if there is none. redb gives its file a length before it gives it its mark, and opens
/// nothing between the two, so a file gets its name when it is complete.
fn make_database(directory: &Directory) -> Result<(), StoreError> {
    let failed = |e: &io::Error| directory.io_error("making the database", e);
    let (path, new) = (
        directory.path().join(DATABASE_FILE),
        directory.path().join(DATABASE_FILE_NEW),
    );
    if path.try_exists().map_err(|e| failed(&e))? {
        return Ok(());
    }
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(&e)),
        _ => {}
    }
    let made = Database::create(&new).map_err(redb::Error::from);
    made.and_then(|db| db.close().map_err(redb::Error::from))
        .map_err(|e| engine(directory.name(), e, "making the database"))?;
    fs::rename(&new, &path)
        .and_then(|()| sync_directory(directory.path()))
        .map_err(|e| failed(&e))
}

/// Hands out the physical rows within `range`, checked, until `visit` has enough; whether there is a
/// table at all.
fn visit(
    name: &str,
    db: &Database,
    range: (Bound<&[u8]>, Bound<&[u8]>),
    mut visit: impl FnMut(&[u8], Framed<'_>) -> Result<bool, StoreError>,
) -> Result<bool, StoreError> {
    let failed = |e: redb::Error| engine(name, e, "reading");
    let transaction = db.begin_read().map_err(|e| failed(e.into()))?;
    let rows = match transaction.open_table(ROWS) {
        Ok(rows) => rows,
        // Nothing was ever written.
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(false),
        Err(error) => return Err(failed(error.into())),
    };
    for found in rows.range::<&[u8]>(range).map_err(|e| failed(e.into()))? {
        let (key, framed) = found.map_err(|e| failed(e.into()))?;
        let key = key.value();
        let row = unframe(key, framed.value()).map_err(|e| corrupt(name, key, e))?;
        if !visit(key, row)? {
            break;
        }
    }
    Ok(true)
}

/// Makes one change, and keeps `seal` over the result; whether there was anything to change.
fn apply(
    name: &str,
    rows: &mut Table<'_, &[u8], &[u8]>,
    seal: &mut Seal,
    swarm: &SwarmId,
    op: &RowOp,
) -> Result<bool, StoreError> {
    let failed = |e: redb::StorageError| engine(name, e.into(), "writing");
    let key = row_key(swarm, op.key());
    let old = match op {
        RowOp::Put { value, .. } => {
            let framed = frame(&key, value);
            seal.add(checksum_of(&framed));
            rows.insert(&key[..], &framed[..]).map_err(failed)?
        }
        RowOp::Delete { .. } => rows.remove(&key[..]).map_err(failed)?,
    };
    let changed = old.is_some() || matches!(op, RowOp::Put { .. });
    if let Some(old) = old {
        let old = unframe(&key, old.value()).map_err(|e| corrupt(name, &key, e))?;
        seal.remove(old.checksum);
    }
    Ok(changed)
}

/// Reads every row and compares them with the seal among them, which it returns.
fn verify(name: &str, db: &Database) -> Result<Seal, StoreError> {
    let (mut found, mut sealed) = (Seal::default(), None);
    let has_table = visit(
        name,
        db,
        (Bound::Unbounded, Bound::Unbounded),
        |key, row| {
            match key.first() {
                Some(&ROW_PREFIX) => found.add(row.checksum),
                _ if key == SEAL_KEY => sealed = Some(Seal::read(name, row.body)?),
                _ => return Err(corrupt(name, key, "no row of this store has such a key")),
            }
            Ok(true)
        },
    )?;
    if !has_table {
        return Ok(Seal::default());
    }
    let Some(seal) = sealed else {
        return Err(corrupt(name, SEAL_KEY, "there is no seal over the rows"));
    };
    match seal.misfit(&found) {
        None => Ok(seal),
        Some(reason) => Err(corrupt(name, SEAL_KEY, reason)),
    }
}

/// An error of redb as one of ours.
pub(super) fn engine(name: &str, error: redb::Error, doing: &'static str) -> StoreError {
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
