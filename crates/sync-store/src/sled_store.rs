//! The durable store: sled, on its own thread, with the promises that sled does not make.

mod commit;
#[cfg(test)]
mod crash_tests;
mod engine;
#[cfg(test)]
mod failure_tests;
mod files;
mod keys;
mod log;
mod read;
mod redo;
mod survey;
mod table;
mod trial;
mod value;

use std::path::Path;

use sync_core::id::SwarmId;
use sync_core::store::{Batch, Durability, Row, StoreError};

use crate::thread::{EngineThread, store_by_thread};
use engine::Engine;
pub(crate) use survey::{survey, try_open};

/// Keeps rows in a directory, in a [sled](https://docs.rs/sled/0.34.7) database;
/// [`Durability::Disk`].
///
/// # What an acknowledgement survives
///
/// An `Ok` from [`Store::commit`](sync_core::store::Store::commit) means that the rows were written, that sled's file was fsynced
/// after them (sled itself does not) and that a seal over all rows was fsynced in a file of its
/// own. It survives `kill -9`. It survives a power loss, except where sled reused a part of its
/// file that was still needed; that shows when the directory is opened, see below.
///
/// A batch of any size is all or nothing: up to 63 changed rows take one atomic step of sled, more
/// go through a redo log.
///
/// # Damage
///
/// sled opens a damaged file without an error, and without the rows that were in the damaged part.
/// So every row carries a checksum, and the seal holds the number and the sum of all rows:
/// [`SledStore::open`] reads every row (about two seconds per million) and fails with
/// [`StoreError::Corrupt`] unless exactly the acknowledged rows are there, undamaged. A row is never
/// just missing. As sled writes zeroes over what comes after damage, a file with anything unreadable in it
/// is opened as a copy first; a directory that is refused stays as it is.
///
/// # Errors
///
/// After an error from `commit` other than [`StoreError::RowKeyTooLong`] nobody knows what the disk
/// holds; every later call is [`StoreError::Closed`] with the reason, until the directory is opened
/// again. A failed scan changes nothing.
///
/// # Blocking
///
/// All of sled's calls run on one thread of the store's own. The calls of [`Store`](sync_core::store::Store) only wait for
/// it, so they fit any runtime. Commits that wait at the same time share one flush. A call whose
/// future is dropped may still be carried out. Dropping the store without closing it carries out
/// what is waiting and releases the directory soon after.
#[derive(Debug)]
pub struct SledStore {
    thread: EngineThread,
}

store_by_thread!(SledStore);

/// How to open a [`SledStore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledOptions {
    cache_bytes: u64,
}

impl Default for SledOptions {
    /// A cache of 64 MiB.
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
        }
    }
}

impl SledOptions {
    /// How much memory sled's page cache may take, roughly. sled's own default would be 1 GiB.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Opens the store in the directory `path`; see [`SledStore::open`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<SledStore, StoreError> {
        SledStore::open_with(path.as_ref(), self)
    }
}

impl SledStore {
    /// Opens the store in the directory `path`, which is made (for its owner only) if it is missing.
    ///
    /// Reads every row to find damage, and completes or drops a large commit that a crash
    /// interrupted. Blocks meanwhile: on a runtime, call it through `spawn_blocking`.
    ///
    /// Fails with [`StoreError::InUse`] while another store, also of this process, has the directory;
    /// with [`StoreError::Format`] if a newer program wrote it; with [`StoreError::Corrupt`] on any
    /// damage; with [`StoreError::Io`] if the system refuses or the directory holds something else
    /// than a store, which is left alone.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        SledOptions::default().open(path)
    }

    fn open_with(path: &Path, options: &SledOptions) -> Result<Self, StoreError> {
        Self::start(path, Engine::open(path, options)?)
    }

    fn start(path: &Path, engine: Engine) -> Result<Self, StoreError> {
        let thread = EngineThread::start(path, engine)?;
        Ok(Self { thread })
    }
}
