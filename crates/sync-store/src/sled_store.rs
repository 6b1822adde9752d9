//! The durable store: sled, on its own thread, with the promises that sled does not make.

mod commit;
#[cfg(test)]
mod crash_tests;
mod directory;
mod engine;
#[cfg(test)]
mod failure_tests;
mod read;
mod redo;
mod row;
mod seal;
mod table;
mod value;
mod worker;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use sync_core::id::SwarmId;
use sync_core::store::{Batch, Durability, Row, RowOp, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use crate::memory::check_row_keys;
use engine::Engine;
use worker::{Commit, Job, PANICKED, Size, Stopped};

/// Calls that may wait for the thread; the next one waits for its place. More would not share more
/// flushes, only take more memory.
const WAITING_CALLS_MAX: usize = 256;

/// Keeps rows in a directory, in a [sled](https://docs.rs/sled/0.34.7) database;
/// [`Durability::Disk`].
///
/// # What an acknowledgement survives
///
/// An `Ok` from [`Store::commit`] means that the rows were written, that sled's file was fsynced
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
/// just missing.
///
/// # Errors
///
/// After an error from `commit` other than [`StoreError::RowKeyTooLong`] nobody knows what the disk
/// holds; every later call is [`StoreError::Closed`] with the reason, until the directory is opened
/// again. A failed scan changes nothing.
///
/// # Blocking
///
/// All of sled's calls run on one thread of the store's own. The calls of [`Store`] only wait for
/// it, so they fit any runtime. Commits that wait at the same time share one flush. A call whose
/// future is dropped may still be carried out. Dropping the store without closing it carries out
/// what is waiting and releases the directory soon after.
pub struct SledStore {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
    stopped: Stopped,
    size: Size,
    /// Closes when the thread has released everything.
    ended: watch::Receiver<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

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
        let (jobs, inbox) = mpsc::channel(WAITING_CALLS_MAX);
        let (ended_sender, ended) = watch::channel(());
        let stopped = Stopped::default();
        let size = Size::default();
        size.measure(&engine);
        let thread = thread::Builder::new()
            .name("sync-store".to_owned())
            .spawn({
                let (stopped, size) = (stopped.clone(), size.clone());
                move || worker::run(engine, inbox, &stopped, &size, ended_sender)
            })
            .map_err(|e| StoreError::Io {
                path: path.display().to_string(),
                doing: "starting the store's thread",
                reason: e.to_string(),
            })?;
        Ok(Self {
            path: path.to_owned(),
            jobs,
            stopped,
            size,
            ended,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands a job over and waits for its answer.
    async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        if self.jobs.send(job(reply)).await.is_err() {
            return Err(self.stopped.closed());
        }
        answer.await.unwrap_or_else(|_| {
            // Only a panic of the thread drops an answer. It may not have said so yet.
            self.stopped.set(PANICKED.to_owned());
            Err(self.stopped.closed())
        })
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore")
            .field("path", &self.path)
            .field("closed", &self.jobs.is_closed())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SledStore {
    async fn commit(&self, group: Vec<Batch>) -> Result<(), StoreError> {
        check_row_keys(&group)?;
        let bytes = bytes_of(&group);
        self.ask(|reply| {
            Job::Commit(Commit {
                group,
                bytes,
                reply,
            })
        })
        .await
    }

    async fn scan(
        &self,
        swarm: &SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let swarm = swarm.clone();
        let after = after.map(<[u8]>::to_vec);
        self.ask(|reply| Job::Scan {
            swarm,
            after,
            limit,
            reply,
        })
        .await
    }

    async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
        self.ask(|reply| Job::Swarms { reply }).await
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn bytes_on_disk(&self) -> Option<u64> {
        self.size.get()
    }

    async fn close(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        // If the thread has ended, or ends before it takes this, the store is as closed as it gets.
        let _ = self.jobs.send(Job::Close { reply }).await;
        let released = answer.await.unwrap_or(Ok(()));
        // Fails, which is what it waits for, when the thread is done with everything.
        let _ = self.ended.clone().changed().await;
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // Its last statement is behind it, so this does not block. A panic was reported to the
            // callers it concerned.
            let _ = thread.join();
        }
        released
    }
}

/// Roughly what a group weighs, for the bound on what shares one flush.
fn bytes_of(group: &[Batch]) -> usize {
    let ops = group.iter().flat_map(|batch| &batch.ops);
    ops.map(|op| match op {
        RowOp::Put { key, value } => key.len() + value.len(),
        RowOp::Delete { key } => key.len(),
    })
    .sum()
}
