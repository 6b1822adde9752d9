//! From machines to the store: a bounded queue in, one flush for whatever has gathered, the newest
//! durable batch per machine out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use sync_core::{Batch, Row, Store, StoreError, SwarmId};
use sync_protocol::Token;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Batches that may wait for the store. Enough to fill many groups; past it machines wait, which is
/// what bounds memory when a disk stalls.
const QUEUE_MAX: usize = 1_024;

/// Bytes of batches that wait for the store or are being written: the same bound for few large ones.
/// Far more than a disk takes in the time of one flush.
pub(crate) const QUEUE_BYTES_MAX: usize = 32 << 20;

/// Bytes per permit of the room for batches.
const UNIT_BYTES: usize = 1 << 10;

/// Batches that share one flush at most: bounds how long the first of a group waits for the last.
const GROUP_MAX: usize = 256;

/// Rows read at a time while a node opens.
const ROWS_PER_SCAN: usize = 4_096;

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
    room: Arc<Semaphore>,
    mailbox: Arc<Mailbox>,
    task: JoinHandle<()>,
}

impl StoreQueue {
    pub(crate) fn start(store: Arc<dyn Store>) -> Self {
        let (batches, queue) = mpsc::channel(QUEUE_MAX);
        let mailbox = Arc::new(Mailbox::default());
        let room = Arc::new(Semaphore::new(QUEUE_BYTES_MAX / UNIT_BYTES));
        let task = tokio::spawn(run(store, queue, Arc::clone(&room), Arc::clone(&mailbox)));
        Self {
            batches,
            room,
            mailbox,
            task,
        }
    }

    /// Queues a batch; waits while the queue is full.
    pub(crate) async fn commit(&self, token: Token, batch: Batch) {
        if let Ok(room) = self.room.acquire_many(units(&batch)).await {
            // The task gives it back.
            room.forget();
        }
        // The task ends only with this sender.
        let _ = self.batches.send((token, batch)).await;
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
    store: Arc<dyn Store>,
    mut queue: mpsc::Receiver<(Token, Batch)>,
    room: Arc<Semaphore>,
    mailbox: Arc<Mailbox>,
) {
    let mut result = Ok(());
    // It grows to what gathers: most agents write little.
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, GROUP_MAX).await > 0 {
        let mut tokens = BTreeMap::new();
        let mut group = Vec::with_capacity(waiting.len());
        let mut taken = 0;
        for (token, batch) in waiting.drain(..) {
            taken += units(&batch) as usize;
            tokens.insert(batch.swarm.clone(), token);
            group.push(batch);
        }
        if result.is_ok() {
            result = store.commit(group).await.map_err(|e| e.to_string());
        }
        room.add_permits(taken);
        mailbox.put(tokens, &result);
    }
}

/// What a batch takes of the room: all of it, if it is larger.
fn units(batch: &Batch) -> u32 {
    let units = (1 + batch.bytes() / UNIT_BYTES).min(QUEUE_BYTES_MAX / UNIT_BYTES);
    u32::try_from(units).unwrap_or(u32::MAX)
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
