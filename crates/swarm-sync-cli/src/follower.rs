//! A watch, and how far of it was passed on.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use swarm_sync::{Cursor, RequestError, Revision, Since, Watch, WatchEvent};

use crate::position;

/// Follows a watch, so that another one can go on exactly where it ends.
#[derive(Debug)]
pub(crate) struct Follower {
    watch: Watch,
    from: Option<Since>,
    /// The commit of the last change.
    last: Option<Revision>,
}

/// The end of a watch.
#[derive(Debug)]
pub(crate) struct End {
    /// What remains of the last commit: it has one position, so it is not cut.
    pub(crate) rest: Vec<WatchEvent>,
    /// Where to go on, as [`position::parse`] takes it; none if it had no position yet.
    pub(crate) position: Option<String>,
}

impl Follower {
    /// `from` is where `watch` starts.
    pub(crate) fn new(watch: Watch, from: Option<Since>) -> Self {
        Self {
            watch,
            from,
            last: None,
        }
    }

    /// Where it starts.
    pub(crate) fn start(&self) -> Option<String> {
        self.from.map(position::since_text)
    }

    /// The next event. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<WatchEvent, RequestError> {
        let event = self.watch.next().await?;
        match &event {
            WatchEvent::Change(change) => self.last = change.state.revision.or(self.last),
            // What was passed on is of another log.
            WatchEvent::Reload { .. } => (self.from, self.last) = (Some(Since::START), None),
            _ => {}
        }
        Ok(event)
    }

    /// Where to go on: after what was passed on, whatever else has arrived.
    pub(crate) async fn end(mut self) -> End {
        let mut rest = Vec::new();
        let mut unread = false;
        while let Some(event) = self.at_once().await {
            let of_last = matches!(&event, WatchEvent::Change(change)
                if self.last.is_some() && change.state.revision == self.last);
            if of_last && !unread {
                rest.push(event);
            } else {
                unread = true;
            }
        }
        // The hub's answer has been read up to its end, so that its position is known.
        let since = match (self.watch.cursor(), self.last) {
            (Some(cursor), _) if !unread => Some(Since::Cursor(cursor)),
            (Some(cursor), Some(revision)) => Some(Since::Cursor(Cursor { revision, ..cursor })),
            _ => self.from,
        };
        let position = since.map(position::since_text);
        End { rest, position }
    }

    /// An event that has arrived already.
    async fn at_once(&mut self) -> Option<WatchEvent> {
        let mut next = pin!(self.watch.next());
        match poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await {
            Poll::Ready(Ok(event)) => Some(event),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }
}
