//! The one sled tree, with a checksum on every row and a seal over all of them.

use std::ops::RangeBounds;
use std::sync::Arc;

use sled::IVec;
use sync_core::store::StoreError;

use super::keys::{CHUNK_PREFIX, COMMIT_KEY, PART_PREFIX, PHYSICAL_BYTES_MAX};
use super::value::Body;
use crate::damage::corrupt;
use crate::row::{FRAME_BYTES, ROW_PREFIX, SEAL_KEY, checksum_of, frame, unframe};
use crate::seal::Seal;

/// Most rows in one atomic step of sled. With 1,000 rows per step a bulk load was seen to grow the
/// file to 8 GiB.
const STEP_ROWS_MAX: usize = 64;

/// Most changes in one step: the seal row takes the last place.
pub(super) const STEP_CHANGES_MAX: usize = STEP_ROWS_MAX - 1;

/// A physical row whose checksum has been checked.
#[derive(Debug, Clone)]
pub(super) struct PhysicalRow {
    framed: IVec,
    checksum: u32,
}

impl PhysicalRow {
    /// The row under `key` of the directory `name`, if it carries the bytes that were written.
    pub(super) fn checked(name: &str, key: &[u8], framed: IVec) -> Result<Self, StoreError> {
        let checksum = match unframe(key, &framed) {
            Ok(checked) => checked.checksum,
            Err(reason) => return Err(corrupt(name, key, reason)),
        };
        Ok(Self { framed, checksum })
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.framed[FRAME_BYTES..]
    }
}

/// One change to one physical row; `None` removes it.
pub(super) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// The rows of a directory.
#[derive(Debug)]
pub(super) struct Table {
    /// The directory, for messages.
    pub(super) name: Arc<str>,
    db: sled::Db,
    seal: Seal,
    /// Steps until one fails, as if the process had ended before it.
    #[cfg(test)]
    pub(super) steps_left: Option<u32>,
}

impl Table {
    /// Reads the seal row. `Table::verify` must follow before anything is believed.
    pub(super) fn new(name: Arc<str>, db: sled::Db) -> Result<Self, StoreError> {
        let mut table = Self {
            name,
            db,
            seal: Seal::default(),
            #[cfg(test)]
            steps_left: None,
        };
        if let Some(row) = table.get(SEAL_KEY)? {
            table.seal = Seal::read(&table.name, row.body())?;
        }
        Ok(table)
    }

    pub(super) fn seal(&self) -> Seal {
        self.seal
    }

    /// The number for a value that needs chunks.
    pub(super) fn take_value_number(&mut self) -> u64 {
        let number = self.seal.next_value;
        self.seal.next_value += 1;
        number
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<PhysicalRow>, StoreError> {
        let found = self.db.get(key).map_err(|e| self.engine(e, "reading"))?;
        found
            .map(|framed| PhysicalRow::checked(&self.name, key, framed))
            .transpose()
    }

    /// The physical rows within `keys`, ascending.
    pub(super) fn range(
        &self,
        keys: impl RangeBounds<Vec<u8>>,
    ) -> impl Iterator<Item = Result<(IVec, PhysicalRow), StoreError>> {
        self.db.range(keys).map(|found| {
            let (key, framed) = found.map_err(|e| self.engine(e, "reading"))?;
            let row = PhysicalRow::checked(&self.name, &key, framed)?;
            Ok((key, row))
        })
    }

    /// Makes up to [`STEP_CHANGES_MAX`] changes, each to another row, as one atomic step together
    /// with the seal over the result. The operating system has them on return, the disk not yet.
    pub(super) fn step<'a>(
        &mut self,
        changes: impl IntoIterator<Item = Change<'a>>,
    ) -> Result<(), StoreError> {
        #[cfg(test)]
        self.end_if_due()?;
        let mut seal = self.seal;
        let mut batch = sled::Batch::default();
        let mut rows = 1;
        for (key, value) in changes {
            let old = self.get(key)?;
            if let Some(old) = &old {
                seal.remove(old.checksum);
            }
            match value {
                Some(framed) => {
                    debug_assert!(
                        key.len() + framed.len() <= PHYSICAL_BYTES_MAX,
                        "a physical row over the limit"
                    );
                    seal.add(checksum_of(framed));
                    batch.insert(key, framed);
                }
                None if old.is_some() => batch.remove(key),
                None => continue,
            }
            rows += 1;
        }
        if rows == 1 {
            // Removals of rows that are not there.
            return Ok(());
        }
        debug_assert!(rows <= STEP_ROWS_MAX, "{rows} rows in one step");
        seal.number += 1;
        batch.insert(SEAL_KEY, frame(SEAL_KEY, &seal.encode()));
        self.db
            .apply_batch(batch)
            .map_err(|e| self.engine(e, "writing"))?;
        self.seal = seal;
        // Not for durability. sled shortens its file on the seven threads that write its buffers. A
        // writer that makes the file longer again waits for that, with a lock that each of the seven
        // needs to end a write. Once all seven wait for the lock, nothing in the process ends again.
        // So a step begins with no buffer on its way; no more than three were seen to fill in one.
        self.flush()
    }

    /// sled itself, to do damage behind the table's back.
    #[cfg(test)]
    pub(super) fn raw(&self) -> &sled::Db {
        &self.db
    }

    #[cfg(test)]
    fn end_if_due(&mut self) -> Result<(), StoreError> {
        match &mut self.steps_left {
            Some(0) => Err(StoreError::Closed { reason: None }),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Hands everything to the operating system. Survives the end of the process, not yet a power
    /// loss: sled does not fsync.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(|e| self.engine(e, "flushing"))?;
        Ok(())
    }

    /// Reads every row and compares them with the seal.
    pub(super) fn verify(&self) -> Result<(), StoreError> {
        let mut found = Seal::default();
        for row in self.range(..) {
            let (key, row) = row?;
            match key.first() {
                Some(&(ROW_PREFIX | CHUNK_PREFIX | PART_PREFIX)) => found.add(row.checksum),
                _ if key == COMMIT_KEY => found.add(row.checksum),
                _ if key == SEAL_KEY => {}
                _ => return Err(self.corrupt(&key, "no row of this store has such a key")),
            }
        }
        let Some(reason) = self.seal.misfit(&found) else {
            return Ok(());
        };
        self.find_missing_chunk()?;
        if self.seal == Seal::default() {
            return Err(self.corrupt(SEAL_KEY, "there are rows but no seal over them"));
        }
        Err(self.corrupt(SEAL_KEY, reason))
    }

    /// Fails with the first row that lacks a chunk; only to give a name to damage already known.
    fn find_missing_chunk(&self) -> Result<(), StoreError> {
        for row in self.range(vec![ROW_PREFIX]..vec![ROW_PREFIX + 1]) {
            let (key, row) = row?;
            let body = Body::decode(row.body()).map_err(|e| self.corrupt(&key, e))?;
            if let Body::Chunked(chunked) = body {
                chunked.read(&self.name, &key, |chunk| self.get(chunk))?;
            }
        }
        Ok(())
    }

    /// Damage to the physical row `key`.
    pub(super) fn corrupt(&self, key: &[u8], reason: impl Into<String>) -> StoreError {
        corrupt(&self.name, key, reason)
    }

    fn engine(&self, error: sled::Error, doing: &'static str) -> StoreError {
        engine(&self.name, error, doing)
    }
}

/// An error of sled as one of ours.
pub(super) fn engine(name: &str, error: sled::Error, doing: &'static str) -> StoreError {
    match error {
        sled::Error::Corruption { at, .. } => StoreError::Corrupt {
            path: name.to_owned(),
            row: "unknown".to_owned(),
            reason: at.map_or_else(
                || "the storage engine found damage".to_owned(),
                |at| format!("the storage engine found damage at {at:?}"),
            ),
        },
        other => StoreError::Io {
            path: name.to_owned(),
            doing,
            reason: other.to_string(),
        },
    }
}
