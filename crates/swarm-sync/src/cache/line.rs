//! One connection to the hub for many questions at a time, made anew when it is lost.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sync_core::codec;
use sync_core::{
    AgentId, Ask, Body, Clock, Connection, Hello, Incarnation, Link, LinkSender, Now, Pieces,
    Reply, RequestError, Role, SwarmId, TransportError,
};
use sync_transport::Backoff;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::chance;
use crate::client::{Client, not_sent, take_reply};
use crate::fair::{Either, Fair};
use crate::span::millis;
use crate::watch::Asker;

/// Questions that wait to be sent; past it callers wait. While there is no connection they wait too.
const QUESTIONS_MAX: usize = 256;

/// Questions without an answer yet. More are not sent: one that is busy keeps a hub busy with less.
const PENDING_MAX: usize = 1_024;

/// Frames taken from the connection at a time.
const FRAMES_PER_TURN: usize = 64;

/// Asks through one connection. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Line {
    questions: mpsc::Sender<Question>,
    away: watch::Receiver<Option<String>>,
}

#[derive(Debug)]
struct Question {
    ask: Ask,
    done: oneshot::Sender<Answered>,
}

/// A reply, and when it was asked for.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) asked: Now,
    pub(super) reply: Reply,
}

impl Line {
    /// Goes on with the connection of `first`, and connects again until `stopped` says no more.
    pub(super) fn start(
        first: Client,
        link: Arc<dyn Link>,
        swarm: SwarmId,
        name: AgentId,
        clock: Arc<dyn Clock>,
        stopped: watch::Receiver<()>,
    ) -> (Self, JoinHandle<()>) {
        let (questions, queue) = mpsc::channel(QUESTIONS_MAX);
        let (report, away) = watch::channel(None);
        let incarnation = Incarnation::from_random(chance::fresh());
        let task = Task {
            link,
            hello: Hello::new(swarm, name, incarnation, Role::Client),
            clock,
            queue,
            report,
            backoff: Backoff::new(incarnation.bits()),
            sender: None,
            pending: BTreeMap::new(),
            pieces: Pieces::default(),
            next_request: 0,
        };
        let task = tokio::spawn(task.run(first.into_connection(), stopped));
        (Self { questions, away }, task)
    }

    /// One question. Waits while there is no connection.
    pub(super) async fn answer_to(&self, ask: Ask) -> Answered {
        let (done, answer) = oneshot::channel();
        let sent = self.questions.send(Question { ask, done }).await;
        let answered = match sent {
            Ok(()) => answer.await.ok(),
            Err(_) => None,
        };
        answered.unwrap_or_else(|| Answered {
            asked: Now::default(),
            reply: Err(RequestError::Stopped {
                reason: "the cache was shut down".to_owned(),
            }),
        })
    }

    /// Why there is no connection; none if there is one.
    pub(super) fn away(&self) -> Option<String> {
        self.away.borrow().clone()
    }
}

/// A watcher's questions take long, and are not to wait for an answer that never comes.
#[async_trait]
impl Asker for Line {
    async fn ask(&self, ask: Ask, limit: Duration) -> Reply {
        let late = |_| RequestError::Deadline {
            doing: "the hub's answer".to_owned(),
            limit_ms: millis(limit),
        };
        let answered = tokio::time::timeout(limit, self.answer_to(ask)).await;
        answered.map_err(late)?.reply
    }
}

/// What waits for an answer.
#[derive(Debug)]
struct Pending {
    asked: Now,
    done: oneshot::Sender<Answered>,
}

#[derive(Debug)]
struct Task {
    link: Arc<dyn Link>,
    hello: Hello,
    clock: Arc<dyn Clock>,
    queue: mpsc::Receiver<Question>,
    /// Why there is no connection.
    report: watch::Sender<Option<String>>,
    backoff: Backoff,
    /// Of the connection that is up.
    sender: Option<Box<dyn LinkSender>>,
    pending: BTreeMap<u64, Pending>,
    /// What has arrived of an answer; the pieces of one come without others in between.
    pieces: Pieces,
    next_request: u64,
}

impl Task {
    async fn run(mut self, first: Connection, mut stopped: watch::Receiver<()>) {
        tokio::select! {
            biased;
            // Nothing is ever said: the other end is dropped.
            _ = stopped.changed() => {}
            () = self.keep_connected(first) => {}
        }
        if let Some(mut sender) = self.sender.take() {
            sender.close().await;
        }
    }

    async fn keep_connected(&mut self, mut connection: Connection) {
        loop {
            self.report.send_replace(None);
            let since = Instant::now();
            let reason = self.serve(connection).await;
            self.lose(reason);
            self.backoff.ended_after(since.elapsed());
            connection = self.connect().await;
        }
    }

    async fn connect(&mut self) -> Connection {
        loop {
            tokio::time::sleep(self.backoff.next()).await;
            match self.link.connect(&self.hello).await {
                Ok(connection) => return connection,
                Err(error) => self.report.send_replace(Some(error.to_string())),
            };
        }
    }

    /// Serves one connection to its end, and says why it ended.
    async fn serve(&mut self, connection: Connection) -> String {
        let mut receiver = connection.receiver;
        self.sender = Some(connection.sender);
        let mut fair = Fair::default();
        loop {
            let has_room = self.has_room();
            let question = async {
                let question = if has_room {
                    self.queue.recv().await
                } else {
                    None
                };
                match question {
                    Some(question) => question,
                    // There is no room, or everybody who could ask or stop this is gone, and with them soon
                    // this task.
                    None => pending().await,
                }
            };
            let served = match fair.first(receiver.recv(FRAMES_PER_TURN), question).await {
                Either::Left(Ok(frames)) => self.take(frames),
                Either::Left(Err(error)) => Err(error.to_string()),
                Either::Right(question) => self.put(question).await,
            };
            if let Err(reason) = served {
                return reason;
            }
        }
    }

    /// Whether another question may wait for its answer.
    fn has_room(&mut self) -> bool {
        if self.pending.len() >= PENDING_MAX {
            self.pending.retain(|_, pending| !pending.done.is_closed());
        }
        self.pending.len() < PENDING_MAX
    }

    async fn put(&mut self, Question { ask, done }: Question) -> Result<(), String> {
        let Some(sender) = self.sender.as_mut().filter(|_| !done.is_closed()) else {
            return Ok(());
        };
        self.next_request += 1;
        let request = self.next_request;
        let frame = codec::encode(&Body::Request { request, ask }.into());
        // Before it is sent: an age may be more than it is, never less.
        let asked = self.clock.now();
        match sender.send(vec![frame]).await {
            Ok(()) => {
                self.pending.insert(request, Pending { asked, done });
                Ok(())
            }
            Err(error @ TransportError::FrameTooLarge { .. }) => {
                let reply = Err(not_sent(error));
                let _ = done.send(Answered { asked, reply });
                Ok(())
            }
            Err(error) => {
                self.pending.insert(request, Pending { asked, done });
                Err(error.to_string())
            }
        }
    }

    fn take(&mut self, frames: Vec<Bytes>) -> Result<(), String> {
        for frame in frames {
            let answer = take_reply(&mut self.pieces, &frame).map_err(|e| e.to_string())?;
            let Some((request, reply)) = answer else {
                continue;
            };
            if let Some(Pending { asked, done }) = self.pending.remove(&request) {
                let _ = done.send(Answered { asked, reply });
            }
        }
        Ok(())
    }

    /// Nobody waits for what a lost connection has asked.
    fn lose(&mut self, reason: String) {
        self.sender = None;
        self.pieces = Pieces::default();
        self.report.send_replace(Some(reason.clone()));
        for Pending { asked, done } in std::mem::take(&mut self.pending).into_values() {
            let reason = reason.clone();
            let reply = Err(RequestError::ConnectionLost { reason });
            let _ = done.send(Answered { asked, reply });
        }
    }
}
