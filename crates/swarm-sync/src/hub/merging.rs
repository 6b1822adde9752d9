//! Runs the user's merge functions beside the hub's task: a slow one delays nobody, one that panics
//! brings nobody down, and none that waits outlives the hub.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use crate::merge::{Merge, Merges};
use crate::panicked;
use sync_core::{Key, Sibling, SwarmId, Value};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinError, JoinSet, spawn_blocking};
use tokio::time::timeout;

/// Threads for functions that block. Nothing can stop such a function, so one that never returns keeps
/// its thread; the rest of the runtime's, of which there are some hundreds, is left to others.
const THREADS_MAX: usize = 32;

/// What a function answered, and for whom.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) swarm: SwarmId,
    pub(super) ticket: u64,
    pub(super) result: Result<Value, String>,
}

/// Who waits for which function.
#[derive(Debug)]
struct Caller {
    swarm: SwarmId,
    ticket: u64,
    name: String,
}

/// The functions that are running: as many as the machines ask for, which bound it.
#[derive(Debug)]
pub(super) struct Merging {
    functions: Merges,
    deadline: Duration,
    threads: Arc<Semaphore>,
    /// A task each, so that a panic is an answer. They end with this set.
    running: JoinSet<Result<Value, String>>,
    callers: HashMap<Id, Caller>,
}

impl Merging {
    pub(super) fn new(functions: Merges, deadline: Duration) -> Self {
        Self {
            functions,
            deadline,
            threads: Arc::new(Semaphore::new(THREADS_MAX)),
            running: JoinSet::new(),
            callers: HashMap::new(),
        }
    }

    /// Starts one. Its answer comes from [`Merging::next`], whatever it does.
    pub(super) fn start(
        &mut self,
        swarm: SwarmId,
        ticket: u64,
        key: Key,
        name: String,
        siblings: Vec<Sibling>,
    ) {
        let function = self.functions.get(&name).cloned();
        let (threads, deadline) = (Arc::clone(&self.threads), self.deadline);
        let called = name.clone();
        let task = self.running.spawn(async move {
            let Some(function) = function else {
                return Err(format!(
                    "no merge function `{called}` is registered at the hub"
                ));
            };
            let thread = if function.blocks() {
                Some(thread(&called, threads, deadline).await?)
            } else {
                None
            };
            let answer = timeout(deadline, run(function, thread, key, siblings)).await;
            let late = |_| {
                let ms = deadline.as_millis();
                format!("`{called}` took longer than {ms} ms")
            };
            answer
                .map_err(late)?
                .map_err(|e| format!("`{called}`: {e}"))
        });
        let caller = Caller {
            swarm,
            ticket,
            name,
        };
        self.callers.insert(task.id(), caller);
    }

    /// The next answer; for ever if none is running.
    pub(super) async fn next(&mut self) -> Merged {
        loop {
            let (id, ended) = match self.running.join_next_with_id().await {
                Some(Ok((id, result))) => (id, Ok(result)),
                Some(Err(error)) => (error.id(), Err(error)),
                None => std::future::pending().await,
            };
            if let Some(caller) = self.callers.remove(&id) {
                let result = ended.unwrap_or_else(|error| Err(ended_badly(&caller.name, error)));
                return Merged {
                    swarm: caller.swarm,
                    ticket: caller.ticket,
                    result,
                };
            }
        }
    }

    /// Stops all that wait for something, and returns once they are gone.
    pub(super) async fn shutdown(&mut self) {
        self.running.shutdown().await;
    }
}

/// The place of a function that blocks.
async fn thread(
    name: &str,
    threads: Arc<Semaphore>,
    deadline: Duration,
) -> Result<OwnedSemaphorePermit, String> {
    let place = timeout(deadline, threads.acquire_owned()).await;
    let place = place.ok().and_then(Result::ok);
    place.ok_or_else(|| {
        format!("`{name}` blocks, and functions that have not returned hold all {THREADS_MAX} threads for that")
    })
}

/// Calls a function, on a thread apart if it has one. The thread is held as long as the function runs,
/// also when nobody waits for it any more.
async fn run(
    function: Arc<dyn Merge>,
    thread: Option<OwnedSemaphorePermit>,
    key: Key,
    siblings: Vec<Sibling>,
) -> Result<Value, String> {
    let Some(thread) = thread else {
        return function.merge(&key, &siblings).await;
    };
    let runtime = Handle::current();
    let apart = spawn_blocking(move || {
        let answer = runtime.block_on(function.merge(&key, &siblings));
        drop(thread);
        answer
    });
    apart.await.unwrap_or_else(|error| {
        error.try_into_panic().map_or_else(
            |_| Err("the runtime is shutting down".to_owned()),
            |panic| resume_unwind(panic),
        )
    })
}

fn ended_badly(name: &str, error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return format!("`{name}` was stopped");
    };
    format!("`{name}` panicked: {}", panicked::words(&*panic))
}
