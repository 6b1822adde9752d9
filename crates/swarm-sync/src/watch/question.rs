//! A question that goes on while nobody waits for it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use sync_core::{Ask, Reply};

use super::WAIT;

/// Who asks the hub.
#[async_trait]
pub(crate) trait Asker: Send + Sync {
    /// One question; its answer takes `limit` at most.
    async fn ask(&self, ask: Ask, limit: Duration) -> Reply;
}

/// A question in flight. It belongs to the watch and not to the future that waits for its answer: one
/// that is dropped, in a `select!` say, would leave a question at the hub and ask another each time.
pub(super) struct Question(Pin<Box<dyn Future<Output = Reply> + Send>>);

impl Question {
    /// Asks after `pause`, once polled.
    pub(super) fn new(asker: Arc<dyn Asker>, ask: Ask, pause: Option<Duration>) -> Self {
        Self(Box::pin(async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            asker.ask(ask, 2 * WAIT).await
        }))
    }

    /// Polled once, now: what an asker in this process is asked that way is in line before anything that
    /// its caller does next.
    pub(super) fn in_line(self) -> Self {
        // The caller's task may have used up its turn; that is no reason to stand in line later.
        let mut question = Box::pin(tokio::task::unconstrained(self.0));
        match question
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(reply) => Self(Box::pin(std::future::ready(reply))),
            Poll::Pending => Self(question),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        self.0.as_mut().poll(cx)
    }
}
