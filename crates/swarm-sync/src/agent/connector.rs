//! The task that keeps an agent connected: connects, reads, and tries again with back-off.

use std::sync::Arc;

use bytes::Bytes;
use sync_core::{Connection, Hello, Link, LinkReceiver, LinkSender, Traffic, TransportError};
use sync_transport::Backoff;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Frames taken from the connection at a time.
const FRAMES_PER_TURN: usize = 256;

/// What the connector reports. Two events may wait: reading stops while the driver is behind, which
/// makes the hub wait and not this process grow.
const EVENTS_MAX: usize = 2;

/// What happened to the connection.
#[derive(Debug)]
pub(super) enum LinkEvent {
    Up {
        generation: u64,
        sender: Box<dyn LinkSender>,
    },
    Frames {
        generation: u64,
        frames: Vec<Bytes>,
    },
    Down {
        generation: u64,
        why: Why,
    },
    /// An attempt failed; the next one follows by itself.
    Failed {
        why: Why,
    },
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct Why {
    pub(super) reason: String,
    /// The two ends do not have each other, which does not pass by itself.
    pub(super) refused: bool,
}

impl From<&TransportError> for Why {
    fn from(error: &TransportError) -> Self {
        Self {
            reason: error.to_string(),
            refused: matches!(
                error,
                TransportError::Refused { .. } | TransportError::Tls { .. }
            ),
        }
    }
}

/// What the driver wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) online: bool,
    /// Connections up to this one are to be closed.
    pub(super) closed: u64,
    /// Counts the decisions about `online`: each ends a wait for the next attempt.
    decisions: u64,
}

/// The connector's handle.
#[derive(Debug)]
pub(super) struct Connector {
    wanted: watch::Sender<Wanted>,
    pub(super) events: mpsc::Receiver<LinkEvent>,
    task: tokio::task::JoinHandle<()>,
}

impl Connector {
    pub(super) fn start(link: Arc<dyn Link>, hello: Hello, online: bool) -> Self {
        let (wanted, wish) = watch::channel(Wanted {
            online,
            closed: 0,
            decisions: 0,
        });
        let (report, events) = mpsc::channel(EVENTS_MAX);
        let seed = hello.incarnation.bits();
        let task = Task {
            link,
            hello,
            wish,
            report,
            backoff: Backoff::new(seed),
            generation: 0,
        };
        Self {
            wanted,
            events,
            task: tokio::spawn(task.run()),
        }
    }

    pub(super) fn is_online(&self) -> bool {
        self.wanted.borrow().online
    }

    pub(super) fn set_online(&self, online: bool) {
        self.wanted.send_modify(|w| {
            w.online = online;
            w.decisions += 1;
        });
    }

    /// Closes one connection; the next follows unless the agent is to be offline.
    pub(super) fn close(&self, generation: u64) {
        self.wanted
            .send_modify(|w| w.closed = generation.max(w.closed));
    }

    pub(super) async fn stop(self) {
        drop((self.wanted, self.events));
        let _ = self.task.await;
    }
}

#[derive(Debug)]
struct Task {
    link: Arc<dyn Link>,
    hello: Hello,
    wish: watch::Receiver<Wanted>,
    report: mpsc::Sender<LinkEvent>,
    backoff: Backoff,
    generation: u64,
}

impl Task {
    async fn run(mut self) {
        while let Some(decisions) = self.wait_until_wanted().await {
            let attempt = self.link.connect(&self.hello).await;
            let went_on = match attempt {
                Ok(connection) => self.serve(connection).await,
                Err(error) => {
                    let why = Why::from(&error);
                    self.tell(LinkEvent::Failed { why }).await
                }
            };
            if !went_on || !self.pause(decisions).await {
                return;
            }
        }
    }

    /// The decision to be online; `None` once the driver is gone.
    async fn wait_until_wanted(&mut self) -> Option<u64> {
        let wish = self.wish.wait_for(|w| w.online).await;
        wish.ok().map(|w| w.decisions)
    }

    /// Waits out the back-off, or until the driver decides anew about being online. That it closes
    /// a connection is no reason to hurry.
    async fn pause(&mut self, decisions: u64) -> bool {
        let wait = self.backoff.next();
        tokio::select! {
            biased;
            decided = self.wish.wait_for(|w| w.decisions != decisions) => decided.is_ok(),
            () = tokio::time::sleep(wait) => true,
        }
    }

    /// Reads one connection to its end. False once the driver is gone.
    async fn serve(&mut self, connection: Connection) -> bool {
        self.generation += 1;
        let generation = self.generation;
        let Connection {
            sender,
            mut receiver,
            ..
        } = connection;
        if !self.tell(LinkEvent::Up { generation, sender }).await {
            return false;
        }
        let since = Instant::now();
        let why = self.read(&mut *receiver, generation).await;
        self.backoff.ended_after(since.elapsed());
        drop(receiver);
        let Some(why) = why else { return false };
        self.tell(LinkEvent::Down { generation, why }).await
    }

    /// Why the connection ended; `None` once the driver is gone.
    async fn read(&mut self, receiver: &mut dyn LinkReceiver, generation: u64) -> Option<Why> {
        loop {
            let unwanted = self.wish.wait_for(|w| !w.online || w.closed >= generation);
            let received = tokio::select! {
                biased;
                wish = unwanted => return wish.ok().map(|_| Why {
                    reason: "closed by this agent".to_owned(),
                    refused: false,
                }),
                received = receiver.recv(FRAMES_PER_TURN) => received,
            };
            match received {
                Ok(frames) => {
                    if !self.tell(LinkEvent::Frames { generation, frames }).await {
                        return None;
                    }
                }
                Err(error) => return Some(Why::from(&error)),
            }
        }
    }

    async fn tell(&self, event: LinkEvent) -> bool {
        self.report.send(event).await.is_ok()
    }
}

/// Adds up the bytes of successive connections.
#[derive(Debug, Default)]
pub(super) struct Meter {
    past: Traffic,
}

impl Meter {
    /// A connection has ended with this much.
    pub(super) fn add(&mut self, traffic: Traffic) {
        self.past = self.past + traffic;
    }

    /// All connections, the current one included.
    pub(super) fn total(&self, current: Option<Traffic>) -> Traffic {
        self.past + current.unwrap_or_default()
    }
}
