//! An open directory: rows, seal and handles, and what makes a commit durable.

use std::fs::File;
use std::path::Path;

use sync_core::id::SwarmId;
use sync_core::store::{Batch, Row, StoreError};

use super::SledOptions;
use super::commit::Writer;
use super::table::{Table, engine};
use super::{files, read, redo, trial};
use crate::directory::{Directory, EngineKind};
use crate::seal::{SealFile, Sealed};
use crate::thread;
use crate::thread::Engine as _;

/// Everything that is open. Its calls block.
#[derive(Debug)]
pub(super) struct Engine {
    // Fields drop in this order: sled must be gone before the lock is.
    pub(super) table: Table,
    /// Our own handle on sled's file, for the fsync that sled leaves out.
    pub(super) db: File,
    pub(super) sealed: Sealed,
    directory: Directory,
}

impl Engine {
    /// Opens the directory, checks every row in it and brings it to the state between two batches.
    pub(super) fn open(path: &Path, options: &SledOptions) -> Result<Self, StoreError> {
        Directory::open(path, EngineKind::Sled, |directory| {
            Self::open_sled(directory, options)
        })
    }

    fn open_sled(directory: Directory, options: &SledOptions) -> Result<Self, StoreError> {
        files::wait_for_sled(&directory)?;
        files::remove_unfinished_snapshots(&directory)?;
        trial::refuse_damaged(&directory, |copy| Self::open_files(copy, options)?.close())?;
        Self::open_files(directory, options)
    }

    fn open_files(directory: Directory, options: &SledOptions) -> Result<Self, StoreError> {
        let config = sled::Config::new()
            .path(directory.path())
            .cache_capacity(options.cache_bytes)
            // A flush belongs to a commit; a timer would only hide a missing one.
            .flush_every_ms(None);
        let db = config
            .open()
            .map_err(|e| engine(directory.name(), e, "opening"))?;
        let table = Table::new(directory.name().clone(), db)?;
        let db = files::open_and_sync(&directory)?;
        table.verify()?;
        let sealed = Sealed::open(&directory, &table.seal(), SealFile::new)?;
        let mut engine = Self {
            table,
            db,
            sealed,
            directory,
        };
        if redo::recover(&mut engine.table)? {
            tracing::info!(
                path = &**engine.directory.name(),
                "an interrupted large commit was brought to an end"
            );
        }
        engine.sync()?;
        Ok(engine)
    }

    /// Makes everything written so far durable: sled's buffers to the system, its file to the disk,
    /// then the seal to its own file.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        let seal = self.table.seal();
        if self.sealed.holds(&seal) {
            return Ok(());
        }
        self.table.flush()?;
        self.db
            .sync_data()
            .map_err(|e| self.directory.io_error("fdatasync", &e))?;
        self.sealed.write(&self.directory, &seal)
    }
}

impl thread::Engine for Engine {
    fn commit<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>) -> Result<(), StoreError> {
        let mut writer = Writer::new(&mut self.table);
        for batch in batches {
            writer.add(batch)?;
        }
        writer.finish()?;
        self.sync()
    }

    fn scan(
        &self,
        swarm: &SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        read::scan(&self.table, swarm, after, limit)
    }

    fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
        read::swarms(&self.table)
    }

    fn bytes_on_disk(&self) -> Option<u64> {
        // sled's other files are small, and to list them takes longer than a commit may.
        self.db.metadata().ok().map(|file| file.len())
    }

    fn close(self) -> Result<(), StoreError> {
        let Self {
            table, directory, ..
        } = self;
        drop(table);
        files::wait_for_sled(&directory)?;
        directory.release()
    }
}
