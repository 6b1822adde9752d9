//! A store's own thread: an engine's calls block, so they never run on the runtime's threads.

mod worker;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use sync_core::id::SwarmId;
use sync_core::store::{Batch, Row, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use self::worker::{Commit, Job, PANICKED, Size, Stopped};
use crate::free;
use crate::memory::check_row_keys;

/// Calls that may wait for the thread; the next one waits for its place. More would not share more
/// flushes, only take more memory.
const WAITING_CALLS_MAX: usize = 256;

/// An open directory. Its calls block.
pub(crate) trait Engine: Send + Sized + 'static {
    /// Writes the batches in order; they are durable on return. After an error nobody knows what is on
    /// disk.
    fn commit<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>) -> Result<(), StoreError>;

    /// Up to `limit` rows of `swarm` after `after`, in order.
    fn scan(
        &self,
        swarm: &SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// The swarms with rows, ascending.
    fn swarms(&self) -> Result<Vec<SwarmId>, StoreError>;

    /// What its files take on disk; none if the system does not say. Asked after every commit.
    fn bytes_on_disk(&self) -> Option<u64>;

    /// Lets go of everything; on return the directory can be opened again.
    fn close(self) -> Result<(), StoreError>;
}

/// The runtime's end: hands over calls and waits for their answers.
pub(crate) struct EngineThread {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
    stopped: Stopped,
    size: Size,
    /// Closes when the thread has released everything.
    ended: watch::Receiver<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl EngineThread {
    pub(crate) fn start(path: &Path, engine: impl Engine) -> Result<Self, StoreError> {
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

    pub(crate) async fn commit(&self, group: Vec<Batch>) -> Result<(), StoreError> {
        check_row_keys(&group)?;
        let bytes = group.iter().map(Batch::bytes).sum();
        self.ask(|reply| {
            Job::Commit(Commit {
                group,
                bytes,
                reply,
            })
        })
        .await
    }

    pub(crate) async fn scan(
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

    pub(crate) async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
        self.ask(|reply| Job::Swarms { reply }).await
    }

    pub(crate) fn bytes_on_disk(&self) -> Option<u64> {
        self.size.get()
    }

    pub(crate) fn bytes_free(&self) -> Option<u64> {
        free::bytes_of(&self.path)
    }

    pub(crate) async fn close(&self) -> Result<(), StoreError> {
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

impl fmt::Debug for EngineThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineThread")
            .field("path", &self.path)
            .field("closed", &self.jobs.is_closed())
            .finish_non_exhaustive()
    }
}

/// A [`Store`](sync_core::store::Store) on disk whose field `thread` does the work.
macro_rules! store_by_thread {
    ($store:ident) => {
        #[async_trait::async_trait]
        impl sync_core::store::Store for $store {
            async fn commit(&self, group: Vec<Batch>) -> Result<(), StoreError> {
                self.thread.commit(group).await
            }

            async fn scan(
                &self,
                swarm: &SwarmId,
                after: Option<&[u8]>,
                limit: usize,
            ) -> Result<Vec<Row>, StoreError> {
                self.thread.scan(swarm, after, limit).await
            }

            async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
                self.thread.swarms().await
            }

            fn durability(&self) -> Durability {
                Durability::Disk
            }

            fn bytes_on_disk(&self) -> Option<u64> {
                self.thread.bytes_on_disk()
            }

            fn bytes_free(&self) -> Option<u64> {
                self.thread.bytes_free()
            }

            async fn close(&self) -> Result<(), StoreError> {
                self.thread.close().await
            }
        }
    };
}
pub(crate) use store_by_thread;
