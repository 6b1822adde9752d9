//! How far a write has got: levels to wait for, what became of it, and reads that wait for another's.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{
    Ack, Answer, Ask, Durability, Key, Operation, RequestError, Revision, StateVersion, Value,
    WriteId,
};
use sync_protocol::{Command, Fate, Outcome};
use tokio::time::Instant;

use super::{Agent, AgentCommand, misanswered};
use crate::hub::unexpected;
use crate::span::millis;

/// What a write waits for, and what hangs on it.
///
/// ```
/// use std::time::Duration;
/// use swarm_sync::{Durability, WriteOptions};
///
/// let options = WriteOptions::default()
///     .level(Durability::Replicas(2))
///     .timeout(Duration::from_secs(3));
/// ```
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    level: Option<Durability>,
    timeout: Option<Duration>,
    metadata: Option<BTreeMap<String, Value>>,
}

impl WriteOptions {
    /// Answered once the write has reached this level, beyond what the key's policy asks for.
    #[must_use]
    pub fn level(mut self, level: Durability) -> Self {
        self.level = Some(level);
        self
    }

    /// How long that may take; else as long as the agent waits by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What hangs on the write.
    #[must_use]
    pub fn metadata(mut self, metadata: BTreeMap<String, Value>) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

impl Agent {
    /// Any operation, answered once it has reached the level asked for; the acknowledgement names the
    /// level that was reached. One that lost meanwhile has reached the hub, and no more.
    ///
    /// # Errors
    /// [`RequestError::Unreached`] if it took too long: the write stays, and may still get there.
    pub async fn write_with<K>(
        &self,
        key: K,
        operation: Operation,
        options: WriteOptions,
    ) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let ack = self.write(key, operation, options.metadata.map(Value::Map));
        let mut ack = ack.await?;
        let (Some(write), Some(level)) = (ack.write_id.clone(), options.level) else {
            return Ok(ack);
        };
        let timeout = options.timeout.unwrap_or(self.default_timeout);
        let (reached, revision) = match self.wait_for(write, level, timeout).await? {
            Fate::Refused(receipt) => {
                let reason = receipt.to_string();
                return Err(RequestError::Operation { reason });
            }
            Fate::AtHub { revision, .. } => (Durability::Hub, Some(revision)),
            Fate::OnReplicas { replicas, revision } => {
                (Durability::Replicas(replicas), Some(revision))
            }
            Fate::Superseded(receipt) | Fate::Merged(receipt) => {
                (Durability::Hub, Some(receipt.revision))
            }
            Fate::Local { durability } => (durability, ack.revision),
            _ => (ack.durability, ack.revision),
        };
        ack.durability = ack.durability.max(reached);
        ack.revision = revision;
        Ok(ack)
    }

    /// What is known of a write of this agent: of this run, or with a receipt that waits. Connected to
    /// the hub, it says how many other agents hold it durably.
    pub async fn fate(&self, write: WriteId) -> Result<Fate, RequestError> {
        let fate = self.local_fate(write).await?;
        let Fate::AtHub { epoch, revision } = fate else {
            return Ok(fate);
        };
        let ask = Ask::Held {
            epoch: Some(epoch),
            revision,
            replicas: 0,
            wait_ms: 0,
        };
        Ok(match self.ask(ask, None).await {
            Ok(Answer::Held(replicas)) if replicas > 0 => Fate::OnReplicas { replicas, revision },
            Ok(Answer::Held(_)) => fate,
            Ok(other) => return Err(unexpected(&other)),
            Err(error) if passes(&error) => fate,
            Err(error) => return Err(error),
        })
    }

    /// Waits until a write has reached a level, or its fate is another: it has lost, was refused or
    /// knowingly replaced.
    ///
    /// # Errors
    /// [`RequestError::Unreached`] if it took too long, with the level that was reached.
    pub async fn wait_for(
        &self,
        write: WriteId,
        level: Durability,
        timeout: Duration,
    ) -> Result<Fate, RequestError> {
        let until = Instant::now() + timeout;
        match level {
            Durability::Hub => self.committed(&write, level, timeout).await,
            Durability::Replicas(replicas) => loop {
                let left = until.saturating_duration_since(Instant::now());
                let fate = self.committed(&write, level, left).await;
                let fate = fate.map_err(|error| with_limit(error, timeout))?;
                let Fate::AtHub { epoch, revision } = fate else {
                    return Ok(fate);
                };
                let left = until.saturating_duration_since(Instant::now());
                let ask = Ask::Held {
                    epoch: Some(epoch),
                    revision,
                    replicas,
                    wait_ms: millis(left),
                };
                // The hub answers in time; what is beyond that is for the way there and back.
                let confirmed = match self.ask(ask, Some(left + self.default_timeout)).await {
                    Ok(Answer::Held(confirmed)) => confirmed,
                    Ok(other) => return Err(unexpected(&other)),
                    // The hub went away. Once it is back, the write may be at another revision.
                    Err(error) if passes(&error) => {
                        let left = until.saturating_duration_since(Instant::now());
                        if self.wait_in_step(left).await.is_ok() {
                            continue;
                        }
                        0
                    }
                    Err(error) => return Err(error),
                };
                if confirmed >= replicas {
                    let replicas = confirmed;
                    return Ok(Fate::OnReplicas { replicas, revision });
                }
                let reached = match confirmed {
                    0 => Durability::Hub,
                    some => Durability::Replicas(some),
                };
                return Err(unreached(&write, level, reached, timeout));
            },
            // What this agent has acknowledged is as durable here as it will be.
            _ => {
                self.flush(Durability::Disk, None).await?;
                self.local_fate(write).await
            }
        }
    }

    /// A key once this replica holds everything up to a revision: after an agent's write was acknowledged
    /// with it, that write or what came after it.
    ///
    /// # Errors
    /// [`RequestError::Deadline`] if that took too long, with how far the replica is.
    pub async fn read_at_least<K>(
        &self,
        key: K,
        revision: Revision,
        timeout: Duration,
    ) -> Result<Option<StateVersion>, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        self.run(Command::WaitForRevision { revision, timeout })
            .await?;
        self.get(key).await
    }

    /// As far as the replica knows by itself.
    async fn local_fate(&self, write: WriteId) -> Result<Fate, RequestError> {
        self.read(|done| AgentCommand::Fate { write, done }).await
    }

    /// The fate of a write once it waits for the hub no longer.
    async fn committed(
        &self,
        write: &WriteId,
        asked: Durability,
        timeout: Duration,
    ) -> Result<Fate, RequestError> {
        let command = Command::WaitForFate {
            write: write.clone(),
            timeout,
        };
        match self.run(command).await {
            Ok(Outcome::Fate(fate, _)) => Ok(fate),
            Ok(other) => Err(misanswered(&other)),
            Err(RequestError::Deadline { .. }) => {
                let reached = match self.local_fate(write.clone()).await? {
                    Fate::Local { durability } => durability,
                    _ => Durability::Hub,
                };
                Err(unreached(write, asked, reached, timeout))
            }
            Err(error) => Err(error),
        }
    }
}

fn unreached(
    write: &WriteId,
    asked: Durability,
    reached: Durability,
    timeout: Duration,
) -> RequestError {
    RequestError::Unreached {
        write: write.clone(),
        asked,
        reached,
        limit_ms: millis(timeout),
    }
}

/// With the time that the caller gave, of which a part was gone.
fn with_limit(error: RequestError, timeout: Duration) -> RequestError {
    match error {
        RequestError::Unreached {
            write,
            asked,
            reached,
            ..
        } => unreached(&write, asked, reached, timeout),
        other => other,
    }
}

/// Whether the hub may say something else once the agent is in step with it again.
fn passes(error: &RequestError) -> bool {
    matches!(
        error,
        RequestError::Unavailable { .. }
            | RequestError::ConnectionLost { .. }
            | RequestError::EpochMismatch { .. }
            | RequestError::Ahead { .. }
    )
}
