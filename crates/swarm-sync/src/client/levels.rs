//! Writes of a client that wait until agents hold them.

use std::time::Duration;

use sync_core::{Ack, Answer, Ask, Durability, Key, Operation, RequestError, Value, WriteId};
use tokio::time::Instant;

use super::Client;
use crate::hub::unexpected;
use crate::span::millis;

impl Client {
    /// A write decided and made durable at the hub, answered once so many agents have confirmed that they
    /// hold it, each at its own store's level. What has nothing to do waits for nobody.
    ///
    /// # Errors
    /// [`RequestError::Unreached`] if that took longer than `timeout`, or the connection was lost meanwhile:
    /// the write stays, and may still get there.
    pub async fn write_to_replicas(
        &mut self,
        key: Key,
        operation: Operation,
        metadata: Option<Value>,
        replicas: u32,
        timeout: Duration,
    ) -> Result<Ack, RequestError> {
        let begun = Instant::now();
        let ack = self.write(key, operation, metadata).await?;
        let (Some(write), Some(revision)) = (&ack.write_id, ack.revision) else {
            return Ok(ack);
        };
        let left = timeout.saturating_sub(begun.elapsed());
        // It is of this connection's hub, and so of its present run.
        let ask = Ask::Held {
            epoch: None,
            revision,
            replicas,
            wait_ms: millis(left),
        };
        // The hub answers in time; what is beyond that is for the way there and back.
        let limit = left.saturating_add(self.timeout);
        let (confirmed, limit) = match self.ask_within(ask, limit).await {
            Ok(Answer::Held(confirmed)) => (confirmed, timeout),
            // Who asked for nothing but a write is not to make it twice.
            Err(RequestError::ConnectionLost { .. } | RequestError::Deadline { .. }) => {
                (0, begun.elapsed())
            }
            Ok(other) => return Err(unexpected(&other)),
            Err(error) => return Err(unconfirmed(write, &error)),
        };
        let durability = match confirmed {
            0 => ack.durability,
            some => Durability::Replicas(some),
        };
        if confirmed < replicas {
            return Err(RequestError::Unreached {
                write: write.clone(),
                asked: Durability::Replicas(replicas),
                reached: durability,
                limit_ms: millis(limit),
            });
        }
        Ok(Ack { durability, ..ack })
    }
}

/// The write was made before that was refused.
fn unconfirmed(write: &WriteId, error: &RequestError) -> RequestError {
    RequestError::Invalid {
        reason: format!("{write} is at the hub and stays; who else holds it is not known: {error}"),
    }
}
