//! An open directory: rows, seal and handles, and what makes a commit durable.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use sync_core::store::StoreError;

use super::SledOptions;
use super::directory::Directory;
use super::redo;
use super::row::SEAL_KEY;
use super::seal::{Seal, SealFile};
use super::table::{Table, corrupt, engine};

/// Everything that is open. Its calls block.
#[derive(Debug)]
pub(super) struct Engine {
    // Fields drop in this order: sled must be gone before the lock is.
    pub(super) table: Table,
    /// Our own handle on sled's file, for the fsync that sled leaves out.
    pub(super) db: File,
    pub(super) seal_file: SealFile,
    /// What the file `seal` says.
    sealed: u64,
    directory: Directory,
}

impl Engine {
    /// Opens the directory, checks every row in it and brings it to the state between two batches.
    pub(super) fn open(path: &Path, options: &SledOptions) -> Result<Self, StoreError> {
        let directory = Directory::take(path)?;
        let name = directory.name().clone();
        // On damaged files sled panics in places. The lock is not ours to keep then, and nothing
        // that the closure touched is used again.
        catch_unwind(AssertUnwindSafe(|| Self::open_sled(directory, options))).unwrap_or_else(
            |_| {
                let reason = "the storage engine panicked while opening it";
                Err(corrupt(&name, b"unknown", reason))
            },
        )
    }

    fn open_sled(directory: Directory, options: &SledOptions) -> Result<Self, StoreError> {
        directory.wait_for_sled()?;
        directory.remove_unfinished_snapshots()?;
        let seal_file = directory.open_seal()?;
        let config = sled::Config::new()
            .path(directory.path())
            .cache_capacity(options.cache_bytes)
            // A flush belongs to a commit; a timer would only hide a missing one.
            .flush_every_ms(None);
        let db = config
            .open()
            .map_err(|e| engine(directory.name(), e, "opening"))?;
        let table = Table::new(directory.name().clone(), db)?;
        let db = directory.open_and_sync()?;
        table.verify()?;
        let (seal_file, sealed) = match seal_file {
            Some(file) => (SealFile::new(file), None),
            None if table.seal() == Seal::default() => {
                let file = SealFile::create(directory.create_seal()?)
                    .map_err(|e| directory.io_error("making the seal", &e))?;
                (file, Some(Seal::default()))
            }
            None => return Err(table.corrupt(SEAL_KEY, "the file `seal` is missing")),
        };
        let mut engine = Self {
            table,
            db,
            seal_file,
            sealed: 0,
            directory,
        };
        if sealed.is_none() {
            engine.compare_seals()?;
        }
        if redo::recover(&mut engine.table)? {
            tracing::info!(
                path = &**engine.directory.name(),
                "an interrupted large commit was brought to an end"
            );
        }
        engine.sync()?;
        Ok(engine)
    }

    /// Finds out whether sled lost its newest rows.
    fn compare_seals(&mut self) -> Result<(), StoreError> {
        let here = self.table.seal();
        let acknowledged = self
            .seal_file
            .read()
            .map_err(|e| {
                let reason = format!("the file `seal` cannot be read: {e}");
                self.table.corrupt(SEAL_KEY, reason)
            })?
            .unwrap_or_default();
        self.sealed = acknowledged.number;
        if acknowledged.number > here.number {
            let reason = format!(
                "step {} was acknowledged, the newest here is {}: the storage engine lost its newest rows",
                acknowledged.number, here.number
            );
            return Err(self.table.corrupt(SEAL_KEY, reason));
        }
        if acknowledged.number == here.number && acknowledged != here {
            let reason = "it is not the one that was acknowledged under its number";
            return Err(self.table.corrupt(SEAL_KEY, reason));
        }
        Ok(())
    }

    /// Makes everything written so far durable: sled's buffers to the system, its file to the disk,
    /// then the seal to its own file.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        let seal = self.table.seal();
        if seal.number == self.sealed {
            return Ok(());
        }
        self.table.flush()?;
        self.db
            .sync_data()
            .map_err(|e| self.directory.io_error("fdatasync", &e))?;
        self.seal_file
            .write(&seal)
            .map_err(|e| self.directory.io_error("writing the seal", &e))?;
        self.sealed = seal.number;
        Ok(())
    }

    /// Lets go of everything; on return the directory can be opened again.
    pub(super) fn close(self) -> Result<(), StoreError> {
        let Self {
            table, directory, ..
        } = self;
        drop(table);
        directory.wait_for_sled()?;
        directory.release()
    }
}
