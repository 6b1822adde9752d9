//! The store for where power loss matters most: redb, on its own thread, with every row checked.

#[cfg(test)]
mod crash_tests;
mod engine;
#[cfg(test)]
mod failure_tests;
mod survey;

use std::path::Path;

use sync_core::id::SwarmId;
use sync_core::store::{Batch, Durability, Row, StoreError};

use crate::thread::{EngineThread, store_by_thread};
use engine::RedbEngine;
pub(crate) use survey::{survey, try_open};

/// Keeps rows in a directory, in a [redb](https://docs.rs/redb/4.6.0) database; [`Durability::Disk`].
///
/// # What an acknowledgement survives
///
/// `kill -9` and power loss: a group of batches is one transaction of redb, which is fsynced, and so is a
/// seal over all rows in a file of its own, before [`Store::commit`](sync_core::store::Store::commit)
/// answers. A batch of any size is all or nothing.
///
/// # Damage
///
/// redb checks the sums of its pages only after an unclean end, and then takes the commit before the
/// newest if that one does not fit. So every row carries a checksum, and the seal holds the number and the
/// sum of all rows: [`RedbStore::open`] reads every row and fails with [`StoreError::Corrupt`] unless
/// exactly the acknowledged rows are there, undamaged.
///
/// # Errors and blocking
///
/// As with [`SledStore`](crate::SledStore): after a failed commit every later call is
/// [`StoreError::Closed`]; all of redb's calls run on one thread of the store's own, and commits that wait
/// at the same time share one transaction.
#[derive(Debug)]
pub struct RedbStore {
    thread: EngineThread,
}

store_by_thread!(RedbStore);

/// How to open a [`RedbStore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedbOptions {
    cache_bytes: usize,
}

impl Default for RedbOptions {
    /// A cache of 64 MiB.
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
        }
    }
}

impl RedbOptions {
    /// How much memory redb's page cache may take, roughly. redb's own default would be 1 GiB.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Opens the store in the directory `path`; see [`RedbStore::open`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<RedbStore, StoreError> {
        let path = path.as_ref();
        RedbStore::start(path, RedbEngine::open(path, self)?)
    }
}

impl RedbStore {
    /// Opens the store in the directory `path`, which is made (for its owner only) if it is missing.
    ///
    /// Reads every row to find damage. Blocks meanwhile: on a runtime, call it through `spawn_blocking`.
    ///
    /// Fails with [`StoreError::InUse`] while another store, also of this process, has the directory;
    /// with [`StoreError::Format`] if a newer program wrote it and [`StoreError::Engine`] if it is not
    /// redb's; with [`StoreError::Corrupt`] on any damage; with [`StoreError::Io`] if the system refuses
    /// or the directory holds something else than a store, which is left alone.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        RedbOptions::default().open(path)
    }

    fn start(path: &Path, engine: RedbEngine) -> Result<Self, StoreError> {
        let thread = EngineThread::start(path, engine)?;
        Ok(Self { thread })
    }
}
