//! A store's own thread: an engine's calls block, so they never run on the runtime's threads.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use sync_core::id::SwarmId;
use sync_core::store::{Batch, Row, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use crate::memory::check_row_keys;

/// Calls that may wait for the thread; the next one waits for its place. More would not share more
/// flushes, only take more memory.
const WAITING_CALLS_MAX: usize = 256;

/// Most calls that share one flush: as many as can wait.
const GROUP_CALLS_MAX: usize = WAITING_CALLS_MAX;

/// Bytes after which a group ends, so that the first caller does not wait for everybody's.
const GROUP_BYTES_MAX: usize = 16 << 20;

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
                move || run(engine, inbox, &stopped, &size, ended_sender)
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

            async fn close(&self) -> Result<(), StoreError> {
                self.thread.close().await
            }
        }
    };
}
pub(crate) use store_by_thread;

/// What the thread is asked to do.
#[derive(Debug)]
enum Job {
    Commit(Commit),
    Scan {
        swarm: SwarmId,
        after: Option<Vec<u8>>,
        limit: usize,
        reply: oneshot::Sender<Result<Vec<Row>, StoreError>>,
    },
    Swarms {
        reply: oneshot::Sender<Result<Vec<SwarmId>, StoreError>>,
    },
    Close {
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
}

/// One call of `commit`.
#[derive(Debug)]
struct Commit {
    group: Vec<Batch>,
    bytes: usize,
    reply: oneshot::Sender<Result<(), StoreError>>,
}

/// Why the thread does no more work, once it does not.
#[derive(Debug, Clone, Default)]
struct Stopped(Arc<OnceLock<String>>);

impl Stopped {
    fn set(&self, reason: String) {
        // The first reason is the cause of the later ones.
        let _ = self.0.set(reason);
    }

    fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    /// The error for whoever comes after.
    fn closed(&self) -> StoreError {
        StoreError::Closed {
            reason: self.0.get().cloned(),
        }
    }
}

/// What the files took on disk after the last commit, in bytes; 0 as long as nobody knows.
#[derive(Debug, Clone, Default)]
struct Size(Arc<AtomicU64>);

impl Size {
    fn get(&self) -> Option<u64> {
        // It orders nothing.
        let bytes = self.0.load(Ordering::Relaxed);
        (bytes > 0).then_some(bytes)
    }

    fn measure(&self, engine: &impl Engine) {
        if let Some(bytes) = engine.bytes_on_disk() {
            self.0.store(bytes, Ordering::Relaxed);
        }
    }
}

/// The thread's body. `_ended` is dropped when everything is released.
fn run(
    engine: impl Engine,
    jobs: mpsc::Receiver<Job>,
    stopped: &Stopped,
    size: &Size,
    _ended: watch::Sender<()>,
) {
    // Engines panic on some kinds of damage. Unwinding drops `jobs`, and with it every waiting
    // caller's reply, so nobody waits for ever.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        Worker {
            engine,
            jobs,
            stopped: stopped.clone(),
            size: size.clone(),
        }
        .work();
    }));
    if outcome.is_err() {
        stopped.set(PANICKED.to_owned());
    }
}

const PANICKED: &str = "the storage engine panicked";

struct Worker<E> {
    engine: E,
    jobs: mpsc::Receiver<Job>,
    stopped: Stopped,
    size: Size,
}

impl<E: Engine> Worker<E> {
    fn work(mut self) {
        let mut held_over = None;
        let closing = loop {
            match held_over.take().or_else(|| self.jobs.blocking_recv()) {
                Some(Job::Commit(first)) => {
                    let (group, next) = self.gather(first);
                    held_over = next;
                    self.commit(group);
                }
                Some(Job::Scan {
                    swarm,
                    after,
                    limit,
                    reply,
                }) => {
                    let rows = self.read(|engine| engine.scan(&swarm, after.as_deref(), limit));
                    // A caller that went away wants no answer; so below.
                    let _ = reply.send(rows);
                }
                Some(Job::Swarms { reply }) => {
                    let _ = reply.send(self.read(Engine::swarms));
                }
                Some(Job::Close { reply }) => break Some(reply),
                // The store was dropped without having been closed.
                None => break None,
            }
        };
        self.close(closing);
    }

    /// Takes what else is waiting into one group, to share one flush. Another kind of job ends the
    /// group and comes next, so that all keep their order.
    fn gather(&mut self, first: Commit) -> (Vec<Commit>, Option<Job>) {
        let mut bytes = first.bytes;
        let mut group = vec![first];
        while group.len() < GROUP_CALLS_MAX && bytes < GROUP_BYTES_MAX {
            match self.jobs.try_recv() {
                Ok(Job::Commit(commit)) => {
                    bytes += commit.bytes;
                    group.push(commit);
                }
                Ok(other) => return (group, Some(other)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    fn commit(&mut self, group: Vec<Commit>) {
        if self.stopped.is_set() {
            for commit in group {
                let _ = commit.reply.send(Err(self.stopped.closed()));
            }
            return;
        }
        let batches = group.iter().flat_map(|commit| &commit.group);
        let written = self.engine.commit(batches);
        if let Err(error) = &written {
            // What is on disk is no longer certain: nothing may be acknowledged from here on.
            tracing::error!(%error, "the store stops");
            self.stopped.set(error.to_string());
        }
        self.size.measure(&self.engine);
        for commit in group {
            let _ = commit.reply.send(written.clone());
        }
    }

    fn read<T>(&self, read: impl FnOnce(&E) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.stopped.is_set() {
            return Err(self.stopped.closed());
        }
        read(&self.engine)
    }

    fn close(self, closing: Option<oneshot::Sender<Result<(), StoreError>>>) {
        let Self {
            engine,
            mut jobs,
            stopped,
            ..
        } = self;
        let released = engine.close();
        if let Err(error) = &released {
            tracing::warn!(%error, "the store did not close cleanly");
        }
        if let Some(reply) = closing {
            let _ = reply.send(released);
        }
        jobs.close();
        while let Some(job) = jobs.blocking_recv() {
            refuse(job, &stopped);
        }
    }
}

fn refuse(job: Job, stopped: &Stopped) {
    match job {
        Job::Commit(Commit { reply, .. }) => drop(reply.send(Err(stopped.closed()))),
        Job::Scan { reply, .. } => drop(reply.send(Err(stopped.closed()))),
        Job::Swarms { reply } => drop(reply.send(Err(stopped.closed()))),
        // Closed already, which is what was asked for.
        Job::Close { reply } => drop(reply.send(Ok(()))),
    }
}
