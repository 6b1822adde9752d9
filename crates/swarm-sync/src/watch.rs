//! Watching committed changes: from a hub's own process, as an agent, or from afar without a replica.

mod question;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sync_core::{
    Answer, Ask, Change, Cursor, Pattern, Reply, RequestError, Revision, Since, Watched,
};

pub(crate) use self::question::Asker;
use self::question::Question;
use crate::hub::unexpected;
use crate::span::millis;

/// How long one question waits for a change. Shorter than routers forget idle connections.
const WAIT: Duration = Duration::from_secs(20);

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
        /// From after this revision.
        from: Revision,
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

/// A stream of changes that survives lost connections and restarts of the hub. Nothing is skipped in
/// silence. It asks when it is asked: a watcher that is slow holds up nobody.
pub struct Watch {
    asker: Arc<dyn Asker>,
    pattern: Pattern,
    position: Option<Since>,
    question: Option<Question>,
    ready: VecDeque<Ready>,
    /// The last event that was taken is a change, and more of its commit are ready.
    within_commit: bool,
    away: Option<RequestError>,
    /// When the question in flight was asked.
    asked_at: Option<Instant>,
    /// Nothing was answered, and early: so many watches share the connection that they end each other's
    /// questions.
    is_crowded: bool,
}

/// An event that has arrived.
struct Ready {
    event: WatchEvent,
    /// The position once it was taken; none within a commit, which has one position.
    after: Option<Since>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("pattern", &self.pattern)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// Asks for the first time when it is first asked.
    pub(crate) fn new(asker: Arc<dyn Asker>, pattern: Pattern, from: Option<Since>) -> Self {
        Self {
            asker,
            pattern,
            position: from,
            question: None,
            ready: VecDeque::new(),
            within_commit: false,
            away: None,
            asked_at: None,
            is_crowded: false,
        }
    }

    /// One that begins now if it has no position to begin at, for an asker in this process.
    pub(crate) fn begin(asker: Arc<dyn Asker>, pattern: Pattern, from: Option<Since>) -> Self {
        let mut watch = Self::new(asker, pattern, from);
        if from.is_none() {
            watch.question = Some(watch.ask().in_line());
        }
        watch
    }

    /// Waits until the watch has begun, and says where: whatever is committed from then on is an event.
    /// At once for a watch that was given a position.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub async fn begun(&mut self) -> Result<Since, RequestError> {
        loop {
            if let Some(position) = self.position {
                return Ok(position);
            }
            self.hear_from_hub().await?;
        }
    }

    /// Where to go on from, in a later watch, without missing anything: after the last commit whose
    /// changes were all taken; before there was one, where this watch began. [`Since::START`] once
    /// [`WatchEvent::Reload`] was taken. None only as long as a watch without a position to begin at has
    /// not reached its hub.
    pub fn position(&self) -> Option<Since> {
        self.position
    }

    /// Why the hub could not be asked the last time; none while it answers. [`Watch::next`] goes on
    /// trying meanwhile.
    pub fn away(&self) -> Option<&RequestError> {
        self.away.as_ref()
    }

    /// The next event. Waits while there is none, and while the hub cannot be reached. Dropping the
    /// future loses nothing and asks nothing anew: the question stays in flight.
    ///
    /// # Errors
    /// If the hub or the agent has stopped, or the hub refuses the watch.
    pub async fn next(&mut self) -> Result<WatchEvent, RequestError> {
        loop {
            if let Some(event) = self.take() {
                return Ok(event);
            }
            self.hear_from_hub().await?;
        }
    }

    /// What remains of the commit of the last change that was taken: a commit has one position, so who
    /// wants to go on exactly from [`Watch::position`] takes it whole.
    pub fn rest_of_commit(&mut self) -> Vec<WatchEvent> {
        let mut rest = Vec::new();
        while self.within_commit
            && let Some(event) = self.take()
        {
            rest.push(event);
        }
        rest
    }

    fn take(&mut self) -> Option<WatchEvent> {
        let Ready { event, after } = self.ready.pop_front()?;
        self.within_commit = after.is_none() && matches!(event, WatchEvent::Change(_));
        self.position = after.or(self.position);
        Some(event)
    }

    async fn hear_from_hub(&mut self) -> Result<(), RequestError> {
        let reply = poll_fn(|cx| self.poll_reply(cx)).await;
        let waited = self.asked_at.take().map(|at| at.elapsed());
        self.is_crowded = waited.is_some_and(|waited| waited < WAIT / 2);
        self.hear(reply)
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        let mut question = self.question.take().unwrap_or_else(|| self.ask());
        self.asked_at.get_or_insert_with(Instant::now);
        let answered = question.poll(cx);
        if answered.is_pending() {
            self.question = Some(question);
        }
        answered
    }

    fn ask(&self) -> Question {
        let ask = Ask::Watch {
            pattern: self.pattern.clone(),
            from: self.position,
            // Where "from now on" begins is asked for at once.
            wait_ms: self.position.map_or(0, |_| millis(WAIT)),
        };
        let pause = (self.away.is_some() || self.is_crowded).then_some(PAUSE);
        Question::new(Arc::clone(&self.asker), ask, pause)
    }

    fn hear(&mut self, reply: Reply) -> Result<(), RequestError> {
        match reply {
            Ok(Answer::Watched(watched)) => {
                self.away = None;
                self.arrive(watched);
            }
            Ok(other) => return Err(unexpected(&other)),
            Err(error @ (RequestError::EpochMismatch { .. } | RequestError::Ahead { .. })) => {
                self.away = None;
                let reason = error.to_string();
                self.ready.push_back(Ready {
                    event: WatchEvent::Reload { reason },
                    after: Some(Since::START),
                });
            }
            Err(
                error @ (RequestError::Unavailable { .. }
                | RequestError::ConnectionLost { .. }
                | RequestError::Deadline { .. }),
            ) => self.away = Some(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// An answer becomes events. It is asked for when there are none, so the position is before it.
    fn arrive(&mut self, watched: Watched) {
        let to = watched.to;
        let whole = Some(Since::Cursor(to));
        let is_empty = watched.changes.is_empty();
        if watched.compacted {
            let from = self.position.map(revision_of).unwrap_or_default();
            let to = to.revision;
            let event = WatchEvent::Compacted { from, to };
            let after = whole.filter(|_| is_empty);
            self.ready.push_back(Ready { event, after });
        }
        if is_empty {
            // The first one is not to wait, nor one that the hub has more to look through for.
            self.is_crowded &= self.position.is_some() && to.revision >= to.head;
            if !watched.compacted {
                self.position = whole;
            }
            return;
        }
        self.is_crowded = false;
        let mut changes = watched.changes.into_iter().peekable();
        while let Some(change) = changes.next() {
            let at = change.state.revision;
            let after = match changes.peek() {
                None => whole,
                Some(next) if next.state.revision > at => {
                    at.map(|revision| Since::Cursor(Cursor { revision, ..to }))
                }
                Some(_) => None,
            };
            let event = WatchEvent::Change(Box::new(change));
            self.ready.push_back(Ready { event, after });
        }
    }
}

fn revision_of(position: Since) -> Revision {
    match position {
        Since::Cursor(cursor) => cursor.revision,
        Since::Revision(revision) => revision,
    }
}
