//! Requests start in the order in which they came; a slow one does not hold up those after it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::Value as Json;
use swarm_sync::Agent;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinSet, unconstrained};
use tokio::time::timeout;

use super::answer;
use super::lines::{LINE_BYTES_MAX, Line};
use super::perform::perform;
use super::request::{self, Request};
use super::watches::Watches;

/// Requests under way. Enough for writes to share flushes; past it no line is read.
const REQUESTS_MAX: usize = 1_024;

/// Bytes of lines under way, so that many requests may wait or large ones, and not many large ones.
const BYTES_MAX: usize = 8 * LINE_BYTES_MAX;

/// After how long without a line it is taken that none waits in the pipe: nothing tells for sure.
const QUIET: Duration = Duration::from_millis(500);

/// How long lines are refused to one that sends on and on.
const REST: Duration = Duration::from_secs(2);

/// Why the conversation is over.
#[derive(Debug)]
pub(super) enum End {
    /// The end of stdin.
    Input,
    /// `quit`, to be answered last.
    Quit(Json),
    /// The system wants it, or nobody reads the answers.
    Signal,
    /// The agent stopped by itself.
    Stopped {
        reason: String,
        /// The id of a `quit` that came with it.
        quit: Option<Json>,
    },
}

/// A line, and the place that its request takes.
#[derive(Debug)]
pub(super) struct Next {
    line: Line,
    place: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// Starts requests and sends their answers.
#[derive(Debug)]
pub(super) struct Dispatcher {
    agent: Agent,
    durable: bool,
    out: mpsc::Sender<String>,
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    /// Read, but not yet in its place.
    waiting: Option<Line>,
    tasks: JoinSet<()>,
    watches: Watches,
}

impl Dispatcher {
    pub(super) fn new(agent: Agent, durable: bool, out: mpsc::Sender<String>) -> Self {
        Self {
            agent,
            durable,
            out,
            places: Arc::new(Semaphore::new(REQUESTS_MAX)),
            bytes: Arc::new(Semaphore::new(BYTES_MAX)),
            waiting: None,
            tasks: JoinSet::new(),
            watches: Watches::default(),
        }
    }

    /// The next line once there is a place for it; `None` at the end of the input. Cancel-safe.
    pub(super) async fn next(&mut self, input: &mut mpsc::Receiver<Line>) -> Option<Next> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        if self.waiting.is_none() {
            self.waiting = Some(input.recv().await?);
        }
        let held = self.waiting.as_ref().map_or(0, Line::len);
        let held = u32::try_from(held).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.bytes).acquire_many_owned(held).await;
        let place = (place, room.ok()?);
        let line = self.waiting.take()?;
        Some(Next { line, place })
    }

    /// Starts a request; says so if it is the last.
    pub(super) async fn start(&mut self, next: Next) -> Option<End> {
        let (id, request) = request::read(next.line);
        while self.tasks.try_join_next().is_some() {}
        if matches!(request, Ok(Request::Quit)) {
            return Some(End::Quit(id));
        }
        let (agent, durable, out) = (self.agent.clone(), self.durable, self.out.clone());
        let watches = self.watches.clone();
        let mut work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let mut opened = None;
            let result = match request {
                Ok(Request::Watch { pattern, from }) => watches.open(&agent, pattern, from).await,
                Ok(Request::Unwatch(number)) => watches.close(number).await.map(|f| (f, None)),
                Ok(request) => perform(&agent, durable, request).await.map(|f| (f, None)),
                Err(refused) => Err(refused),
            };
            let result = result.map(|(fields, watch)| {
                opened = watch;
                fields
            });
            // Fails only if stdout is closed, which ends the conversation.
            let _ = out.send(answer::line(&id, result)).await;
            drop(next.place);
            // Its events come after the answer that names it.
            if let Some(watch) = opened {
                watches.follow(watch, out);
            }
        });
        // The first poll puts the request into the agent's queue, also if tokio thinks that this
        // task has run long enough; a spawned task would promise no order.
        let first = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx)));
        if unconstrained(first).await.is_pending() {
            self.tasks.spawn(work);
        }
        None
    }

    /// Whether the replica is on disk.
    pub(super) fn durable(&self) -> bool {
        self.durable
    }

    /// Answers what an agent that has stopped by itself was asked and had not read yet; returns the
    /// id of a `quit` among it.
    pub(super) async fn refuse_rest(&mut self, input: &mut mpsc::Receiver<Line>) -> Option<Json> {
        let rest = async {
            while let Ok(Some(next)) = timeout(QUIET, self.next(input)).await {
                if let Some(End::Quit(id)) = self.start(next).await {
                    return Some(id);
                }
            }
            None
        };
        let quit = timeout(REST, rest).await.ok().flatten();
        self.drain().await;
        quit
    }

    /// Waits until everything started is answered. Every request has a deadline of its own.
    pub(super) async fn drain(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Gives up what is not answered, and ends the watches. Writes that were started become durable all the same.
    pub(super) async fn abort(&mut self) {
        self.tasks.shutdown().await;
        self.watches.abort().await;
    }
}
