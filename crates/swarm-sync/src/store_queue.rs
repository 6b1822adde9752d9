//! From machines to the store: a bounded queue in, in which swarms take turns, one flush for whatever has
//! gathered, the newest durable batch per machine out.

mod lines;
mod room;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sync_core::{Batch, Row, Store, StoreError, SwarmId};
use sync_protocol::Token;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tracing::Instrument;

use self::lines::Lines;
use self::room::{Room, units};
use crate::{meter, spans};

/// Batches that may wait for the store. Enough to fill many groups; past it machines wait, which is
/// what bounds memory when a disk stalls.
const QUEUE_MAX: usize = 1_024;

/// Batches that share one flush at most: bounds how long the first of a group waits for the last.
const GROUP_MAX: usize = 256;

/// Bytes that share one flush, unless a single batch is larger: some tens of milliseconds of a disk, which
/// is what a swarm waits for another one.
const GROUP_BYTES_MAX: usize = 256 << 10;

/// Rows read at a time while a node opens: at a hub the last of them are of its past, up to 4 KiB each, and
/// are not taken.
const ROWS_PER_SCAN: usize = 512;

/// Something that reads the store while nobody writes. What was durable when it was asked for is there by then.
pub(crate) type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Pauses that may wait. Each can be seconds in which nobody writes.
const PAUSES_MAX: usize = 4;

/// Per swarm the newest batch that the store has finished, and how.
pub(crate) type Completions = BTreeMap<SwarmId, (Token, Result<(), String>)>;

/// How far each swarm's machine is durable. A mailbox, not a queue: a newer token replaces an older
/// one, so it cannot grow. But a token completes all before it, so none replaces a failure.
#[derive(Debug, Default)]
struct Mailbox {
    done: Mutex<Completions>,
    changed: Notify,
}

impl Mailbox {
    fn put(&self, tokens: BTreeMap<SwarmId, Token>, result: &Result<(), String>) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        for (swarm, token) in tokens {
            let failed = done.get(&swarm).is_some_and(|(_, held)| held.is_err());
            if !failed {
                done.insert(swarm, (token, result.clone()));
            }
        }
        drop(done);
        self.changed.notify_one();
    }
}

/// The queue in front of one store.
#[derive(Debug)]
pub(crate) struct StoreQueue {
    batches: mpsc::Sender<(Token, Batch)>,
    pauses: mpsc::Sender<Pause>,
    room: Arc<Room>,
    mailbox: Arc<Mailbox>,
    since: Arc<Mutex<Option<Instant>>>,
    task: JoinHandle<()>,
}

/// What writes a group, and since when it does.
struct Flush {
    store: Arc<dyn Store>,
    node: &'static str,
    since: Arc<Mutex<Option<Instant>>>,
}

impl Flush {
    async fn commit(&self, group: Vec<Batch>) -> Result<(), String> {
        let began = Instant::now();
        self.note(Some(began));
        let span = spans::commit(self.node, &group);
        let commit = async {
            let written = self.store.commit(group).await;
            spans::committed(written.is_ok());
            written
        };
        let written = commit.instrument(span).await;
        self.note(None);
        meter::flushed(self.node, began.elapsed());
        written.map_err(|e| e.to_string())
    }

    fn note(&self, since: Option<Instant>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

impl StoreQueue {
    /// `node` says of logs and metrics whose it is.
    pub(crate) fn start(store: Arc<dyn Store>, node: &'static str) -> Self {
        let (batches, queue) = mpsc::channel(QUEUE_MAX);
        let (pauses, waiting) = mpsc::channel(PAUSES_MAX);
        let mailbox = Arc::new(Mailbox::default());
        let room = Arc::new(Room::default());
        let flush = Flush {
            store,
            node,
            since: Arc::default(),
        };
        let since = Arc::clone(&flush.since);
        let (taken, told) = (Arc::clone(&room), Arc::clone(&mailbox));
        let task = tokio::spawn(run(flush, queue, waiting, taken, told));
        Self {
            batches,
            pauses,
            room,
            mailbox,
            since,
            task,
        }
    }

    /// How long the flush under way has taken so far; none if there is none.
    pub(crate) fn flushes_for(&self) -> Option<Duration> {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed())
    }

    /// Queues a batch; waits while the queue is full.
    pub(crate) async fn commit(&self, token: Token, batch: Batch) {
        // The task gives it back.
        self.room.take(&batch).await;
        // The task ends only with this sender.
        let _ = self.batches.send((token, batch)).await;
    }

    /// Has something done between two groups. It is dropped undone if too many wait or the store has failed.
    #[cfg_attr(
        not(any(feature = "redb", feature = "sled", test)),
        expect(
            dead_code,
            reason = "there is nothing to copy without a store on files"
        )
    )]
    pub(crate) fn pause(&self, pause: Pause) {
        let _ = self.pauses.try_send(pause);
    }

    /// Whether so much of a swarm waits that the rest of it had better wait with its machine: what one swarm
    /// brings must not use up the room of the others.
    pub(crate) fn is_crowded(&self, swarm: &SwarmId) -> bool {
        self.room.is_crowded(swarm)
    }

    /// Waits until a machine is further than it was told. Cancel-safe.
    pub(crate) async fn completed(&self) -> Completions {
        loop {
            let changed = self.mailbox.changed.notified();
            let done = {
                let mut held = self
                    .mailbox
                    .done
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *held)
            };
            if !done.is_empty() {
                return done;
            }
            changed.await;
        }
    }

    /// Waits until everything queued was written.
    pub(crate) async fn close(self) {
        drop(self.batches);
        let _ = self.task.await;
    }
}

/// Commits what comes until the store fails. What was queued behind a failure is not handed over: it
/// was made on top of what is missing now, and a success would complete that, too.
async fn run(
    flush: Flush,
    mut queue: mpsc::Receiver<(Token, Batch)>,
    mut pauses: mpsc::Receiver<Pause>,
    room: Arc<Room>,
    mailbox: Arc<Mailbox>,
) {
    let mut result = Ok(());
    // It grows to what gathers: most agents write little.
    let mut arrived = Vec::new();
    let mut lines = Lines::default();
    loop {
        let mut pause = pauses.try_recv().ok();
        if pause.is_none() && lines.is_empty() {
            tokio::select! {
                biased;
                Some(asked) = pauses.recv() => pause = Some(asked),
                count = queue.recv_many(&mut arrived, QUEUE_MAX) => if count == 0 {
                    return;
                },
            }
        }
        if let Some(pause) = pause {
            if result.is_ok() {
                pause.await;
            }
            continue;
        }
        while let Ok(next) = queue.try_recv() {
            arrived.push(next);
        }
        for (token, batch) in arrived.drain(..) {
            lines.push(token, batch);
        }
        let mut tokens = BTreeMap::new();
        let mut taken = BTreeMap::new();
        let mut group = Vec::new();
        for (token, batch) in lines.next_group(GROUP_MAX, GROUP_BYTES_MAX) {
            *taken.entry(batch.swarm.clone()).or_insert(0) += units(&batch);
            tokens.insert(batch.swarm.clone(), token);
            group.push(batch);
        }
        if result.is_ok() {
            result = flush.commit(group).await;
        }
        room.give_back(taken);
        mailbox.put(tokens, &result);
    }
}

/// Reads the rows of a swarm, page by page, as long as there is anything to go on for.
pub(crate) async fn for_each_row<E: From<StoreError>>(
    store: &dyn Store,
    swarm: &SwarmId,
    mut each: impl FnMut(&Row) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut after = None;
    loop {
        let rows = store.scan(swarm, after.as_deref(), ROWS_PER_SCAN).await?;
        for row in &rows {
            if each(row)?.is_break() {
                return Ok(());
            }
        }
        if rows.len() < ROWS_PER_SCAN {
            return Ok(());
        }
        after = rows.last().map(|row| row.key.clone());
    }
}

#[cfg(test)]
mod tests;
