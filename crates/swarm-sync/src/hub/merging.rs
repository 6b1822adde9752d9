//! Runs the user's merge functions beside the hub's task: a slow one delays nobody, one that panics
//! brings nobody down.

use std::time::Duration;

use sync_core::{Key, Sibling, SwarmId, Value};
use sync_resolve::Merges;
use tokio::task::{JoinError, JoinSet};

/// What a function answered, and for whom.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) swarm: SwarmId,
    pub(super) ticket: u64,
    pub(super) result: Result<Value, String>,
}

/// The functions that are running.
#[derive(Debug)]
pub(super) struct Merging {
    functions: Merges,
    deadline: Duration,
    running: JoinSet<Merged>,
}

impl Merging {
    pub(super) fn new(functions: Merges, deadline: Duration) -> Self {
        Self {
            functions,
            deadline,
            running: JoinSet::new(),
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
        let (function, deadline) = (self.functions.get(&name).cloned(), self.deadline);
        self.running.spawn(async move {
            let result = match function {
                None => Err(format!(
                    "no merge function `{name}` is registered at the hub"
                )),
                Some(function) => {
                    let run = async move { function.merge(&key, &siblings).await };
                    // A task of its own, so that its panic is an answer.
                    let mut task = tokio::spawn(run);
                    let done = tokio::time::timeout(deadline, &mut task).await;
                    if done.is_err() {
                        task.abort();
                    }
                    let late = || format!("`{name}` took longer than {} ms", deadline.as_millis());
                    done.map_err(|_| late())
                        .and_then(|ended| ended.map_err(|e| ended_badly(&name, e)))
                        .and_then(|answer| answer.map_err(|e| format!("`{name}`: {e}")))
                }
            };
            Merged {
                swarm,
                ticket,
                result,
            }
        });
    }

    /// The next answer; for ever if none is running.
    pub(super) async fn next(&mut self) -> Merged {
        loop {
            match self.running.join_next().await {
                Some(Ok(merged)) => return merged,
                // Our own wrapper neither panics nor is aborted before its end.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

fn ended_badly(name: &str, error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return format!("`{name}` was stopped");
    };
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "`{name}` panicked: {}",
        text.unwrap_or_else(|| "no reason given".to_owned())
    )
}
