//! Requests start in the order in which they came; a slow one does not hold up those after it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use serde_json::Value as Json;
use swarm_sync::Agent;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinSet, unconstrained};

use super::answer;
use super::lines::Line;
use super::perform::perform;
use super::request::{self, Request};

/// Requests under way. Enough for writes to share flushes; past it no line is read.
const REQUESTS_MAX: usize = 1_024;

/// Why the conversation is over.
#[derive(Debug)]
pub(super) enum End {
    /// The end of stdin.
    Input,
    /// `quit`, to be answered last.
    Quit(Json),
    /// The system wants it, or nobody reads the answers.
    Signal,
}

/// A line, and the place that its request takes.
#[derive(Debug)]
pub(super) struct Next {
    line: Line,
    place: OwnedSemaphorePermit,
}

/// Starts requests and sends their answers.
#[derive(Debug)]
pub(super) struct Dispatcher {
    agent: Agent,
    durable: bool,
    out: mpsc::Sender<String>,
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Dispatcher {
    pub(super) fn new(agent: Agent, durable: bool, out: mpsc::Sender<String>) -> Self {
        Self {
            agent,
            durable,
            out,
            places: Arc::new(Semaphore::new(REQUESTS_MAX)),
            tasks: JoinSet::new(),
        }
    }

    /// The next line once there is a place for it; `None` at the end of the input. Cancel-safe.
    pub(super) async fn next(&mut self, input: &mut mpsc::Receiver<Line>) -> Option<Next> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let line = input.recv().await?;
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
        let mut work: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let result = match request {
                Ok(request) => perform(&agent, durable, request).await,
                Err(refused) => Err(refused),
            };
            // Fails only if stdout is closed, which ends the conversation.
            let _ = out.send(answer::line(&id, result)).await;
            drop(next.place);
        });
        // The first poll puts the request into the agent's queue, also if tokio thinks that this
        // task has run long enough; a spawned task would promise no order.
        let first = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx)));
        if unconstrained(first).await.is_pending() {
            self.tasks.spawn(work);
        }
        None
    }

    /// Waits until everything started is answered. Every request has a deadline of its own.
    pub(super) async fn drain(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Gives up what is not answered. Writes that were started become durable all the same.
    pub(super) async fn abort(&mut self) {
        self.tasks.shutdown().await;
    }
}
