//! Watching committed changes: from a hub's own process, as an agent, or from afar without a replica.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use sync_core::{
    Answer, Ask, Change, Cursor, Pattern, Reply, RequestError, Revision, Since, Watched,
};

use crate::hub::unexpected;

/// How long one question waits for a change. Shorter than routers forget idle connections.
pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// How long to wait before asking again what could not be asked.
const PAUSE: Duration = Duration::from_millis(200);

/// What a watcher learns.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum WatchEvent {
    /// One committed change. They come in the order of their revisions.
    Change(Box<Change>),
    /// The hub has not kept everything since: what follows up to `to` is the last change of each key
    /// only.
    Compacted {
        /// From after this revision; none if it is not this hub's log any more.
        from: Option<Revision>,
        /// Up to here.
        to: Revision,
    },
    /// The position is not of this hub's log: it has lost its state, or is another one. What follows
    /// starts from nothing; keys that are not in it are gone.
    Reload {
        /// Why.
        reason: String,
    },
}

/// Who asks the hub.
#[async_trait]
pub(crate) trait Asker: Send {
    /// One question.
    async fn ask(&mut self, ask: Ask) -> Reply;
}

/// A stream of changes that survives lost connections and restarts of the hub. Nothing is skipped in
/// silence. It asks when it is asked: a watcher that is slow holds up nobody.
pub struct Watch {
    asker: Box<dyn Asker>,
    pattern: Pattern,
    from: Option<Since>,
    ready: VecDeque<WatchEvent>,
    /// The position after everything in `ready`.
    to: Option<Cursor>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("pattern", &self.pattern)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl Watch {
    pub(crate) fn new(asker: Box<dyn Asker>, pattern: Pattern, from: Option<Since>) -> Self {
        Self {
            asker,
            pattern,
            from,
            ready: VecDeque::new(),
            to: None,
        }
    }

    /// Where to go on from, in a later watch, without missing anything: after the last commit whose
    /// changes were all taken. None before the hub was reached.
    pub fn cursor(&self) -> Option<Cursor> {
        match self.from {
            Some(Since::Cursor(cursor)) => Some(cursor),
            _ => None,
        }
    }

    /// The next event. Waits while there is none, and while the hub cannot be reached. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// If the hub or the agent has stopped, or the hub refuses the watch.
    pub async fn next(&mut self) -> Result<WatchEvent, RequestError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.advance(&event);
                return Ok(event);
            }
            self.ask().await?;
        }
    }

    /// The position is after all changes of a revision once the last of them was taken.
    fn advance(&mut self, taken: &WatchEvent) {
        if self.ready.is_empty() {
            self.from = self.to.take().map(Since::Cursor).or(self.from);
            return;
        }
        let revision = |event: &WatchEvent| match event {
            WatchEvent::Change(change) => change.state.revision,
            _ => None,
        };
        let (Some(at), Some(to)) = (revision(taken), self.to) else {
            return;
        };
        if self.ready.front().and_then(revision) > Some(at) {
            let cursor = Cursor { revision: at, ..to };
            self.from = Some(Since::Cursor(cursor));
        }
    }

    async fn ask(&mut self) -> Result<(), RequestError> {
        let ask = Ask::Watch {
            pattern: self.pattern.clone(),
            from: self.from,
            // From now on means from when the hub is first reached: that is asked for at once.
            wait_ms: self.from.map_or(0, |_| millis(WAIT)),
        };
        match self.asker.ask(ask).await {
            Ok(Answer::Watched(watched)) => self.take(watched),
            Ok(other) => return Err(unexpected(&other)),
            Err(error @ (RequestError::EpochMismatch { .. } | RequestError::Ahead { .. })) => {
                self.from = Some(Since::START);
                let reason = error.to_string();
                self.ready.push_back(WatchEvent::Reload { reason });
            }
            Err(
                RequestError::Unavailable { .. }
                | RequestError::ConnectionLost { .. }
                | RequestError::Deadline { .. },
            ) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn take(&mut self, watched: Watched) {
        let from = match self.from {
            Some(Since::Cursor(cursor)) => Some(cursor.revision),
            Some(Since::Revision(revision)) => Some(revision),
            None => None,
        };
        if watched.compacted {
            let to = watched.to.revision;
            self.ready.push_back(WatchEvent::Compacted { from, to });
        }
        let changes = watched.changes.into_iter().map(Box::new);
        self.ready.extend(changes.map(WatchEvent::Change));
        if self.ready.is_empty() {
            self.from = Some(Since::Cursor(watched.to));
        } else {
            self.to = Some(watched.to);
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
