//! The thread itself: takes calls, in groups where they share a flush, and answers each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use sync_core::id::SwarmId;
use sync_core::store::{Batch, Row, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Engine, WAITING_CALLS_MAX};

/// Most calls that share one flush: as many as can wait.
const GROUP_CALLS_MAX: usize = WAITING_CALLS_MAX;

/// Bytes after which a group ends, so that the first caller does not wait for everybody's.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
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
pub(super) struct Commit {
    pub(super) group: Vec<Batch>,
    pub(super) bytes: usize,
    pub(super) reply: oneshot::Sender<Result<(), StoreError>>,
}

/// Why the thread does no more work, once it does not.
#[derive(Debug, Clone, Default)]
pub(super) struct Stopped(Arc<OnceLock<String>>);

impl Stopped {
    pub(super) fn set(&self, reason: String) {
        // The first reason is the cause of the later ones.
        let _ = self.0.set(reason);
    }

    fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    /// The error for whoever comes after.
    pub(super) fn closed(&self) -> StoreError {
        StoreError::Closed {
            reason: self.0.get().cloned(),
        }
    }
}

/// What the files took on disk after the last commit, in bytes; 0 as long as nobody knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Size(Arc<AtomicU64>);

impl Size {
    pub(super) fn get(&self) -> Option<u64> {
        // It orders nothing.
        let bytes = self.0.load(Ordering::Relaxed);
        (bytes > 0).then_some(bytes)
    }

    pub(super) fn measure(&self, engine: &impl Engine) {
        if let Some(bytes) = engine.bytes_on_disk() {
            self.0.store(bytes, Ordering::Relaxed);
        }
    }
}

/// The thread's body. `_ended` is dropped when everything is released.
pub(super) fn run(
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

pub(super) const PANICKED: &str = "the storage engine panicked";

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
