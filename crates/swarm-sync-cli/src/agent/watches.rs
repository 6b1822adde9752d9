//! Watches that a program has asked for: their events are lines of the same conversation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use swarm_sync::{Agent, Pattern, Since, Watch};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::position::since_text;

use super::answer::{self, Fields, object};
use super::request::Refused;

/// Watches at a time. Each asks the hub on its own.
const WATCHES_MAX: usize = 32;

/// All watches of a conversation.
#[derive(Debug, Clone, Default)]
pub(super) struct Watches(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    last_number: u64,
    /// None: about to be followed.
    open: BTreeMap<u64, Option<Open>>,
}

#[derive(Debug)]
struct Open {
    stop: oneshot::Sender<()>,
    /// Ends with the position to go on from.
    task: JoinHandle<Option<String>>,
}

/// A watch that was granted and is not followed yet.
#[derive(Debug)]
pub(super) struct Opened {
    number: u64,
    watch: Watch,
}

impl Watches {
    /// A watch after `from`, else after what the replica holds. It has no events before
    /// [`Watches::follow`].
    pub(super) async fn open(
        &self,
        agent: &Agent,
        pattern: Pattern,
        from: Option<Since>,
    ) -> Result<(Fields, Option<Opened>), Refused> {
        // Fixed now: what is committed while the hub is asked for the first time counts too. A replica
        // that has never been in step holds nothing yet, so that everything comes after it.
        let from = match from {
            Some(from) => from,
            None => agent.cursor().await?.map_or(Since::START, Since::Cursor),
        };
        let number = {
            let mut inner = self.inner();
            if inner.open.len() >= WATCHES_MAX {
                return Err(Refused::bad(format!(
                    "{WATCHES_MAX} watches are open, the limit; end one with `unwatch`, or use a wider pattern"
                )));
            }
            inner.last_number += 1;
            let number = inner.last_number;
            inner.open.insert(number, None);
            number
        };
        let watch = agent.watch(pattern, Some(from));
        let fields = object(json!({"watch": number, "cursor": position(&watch)}));
        Ok((fields, Some(Opened { number, watch })))
    }

    /// Sends its events from now on.
    pub(super) fn follow(&self, opened: Opened, out: mpsc::Sender<String>) {
        let (stop, stopped) = oneshot::channel();
        let number = opened.number;
        let mut inner = self.inner();
        let task = tokio::spawn(follow(opened, out, stopped, self.clone()));
        inner.open.insert(number, Some(Open { stop, task }));
    }

    /// Ends one. None of its events comes after the answer.
    pub(super) async fn close(&self, number: u64) -> Result<Fields, Refused> {
        let open = self.inner().open.remove(&number).flatten();
        let Some(Open { stop, task }) = open else {
            let message =
                format!("there is no watch {number}; `watch` is answered with its number");
            return Err(Refused::bad(message));
        };
        let _ = stop.send(());
        let cursor = task.await.ok().flatten();
        Ok(object(json!({"watch": number, "cursor": cursor})))
    }

    /// Ends all of them.
    pub(super) async fn abort(&self) {
        let open = std::mem::take(&mut self.inner().open);
        for Open { task, .. } in open.into_values().flatten() {
            task.abort();
            let _ = task.await;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn follow(
    opened: Opened,
    out: mpsc::Sender<String>,
    mut stopped: oneshot::Receiver<()>,
    watches: Watches,
) -> Option<String> {
    let Opened { number, mut watch } = opened;
    loop {
        let met = tokio::select! {
            met = watch.next() => met,
            _ = &mut stopped => {
                for event in &watch.rest_of_commit() {
                    let line = answer::watch_event(number, position(&watch), event);
                    let _ = out.send(line).await;
                }
                return position(&watch);
            }
        };
        let line = match met {
            Ok(event) => answer::watch_event(number, position(&watch), &event),
            Err(error) => {
                let position = position(&watch);
                let line = answer::watch_end(number, position.as_deref(), error);
                watches.inner().open.remove(&number);
                let _ = out.send(line).await;
                return position;
            }
        };
        // Fails only if stdout is closed, which ends the conversation.
        if out.send(line).await.is_err() {
            return None;
        }
    }
}

/// Where to go on, as `from` takes it.
fn position(watch: &Watch) -> Option<String> {
    watch.position().map(since_text)
}
