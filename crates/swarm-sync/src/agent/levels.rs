//! How far a write has got: levels to wait for, what became of it, and reads that wait for another's.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{
    Ack, Answer, Ask, Durability, Key, Operation, RequestError, Since, StateVersion, Value, WriteId,
};
use sync_protocol::{Command, Fate, Outcome, Wanted};

use super::{Agent, AgentCommand, misanswered};
use crate::hub::unexpected;

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
    /// level that was reached.
    ///
    /// # Errors
    /// [`RequestError::Unreached`] if it took too long: the write stays, and may still get there.
    /// [`RequestError::Operation`] if it lost or was refused meanwhile: it came back as a receipt, which
    /// says why. One that a function has merged is in what the hub has, and on no others by itself.
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
        let wanted = options.level.map(|level| Wanted {
            level,
            timeout: options.timeout.unwrap_or(self.default_timeout),
        });
        let metadata = options.metadata.map(Value::Map);
        self.write_to(key, operation, metadata, wanted).await
    }

    /// What is known of a write of this agent: of this run, or with a receipt that waits. Connected to
    /// the hub, it says how many other agents hold it, each at its own store's level.
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
        let command = Command::WaitForLevel {
            write,
            level,
            timeout,
        };
        match self.run(command).await? {
            Outcome::Fate(fate) => Ok(fate),
            other => Err(misanswered(&other)),
        }
    }

    /// A key once this replica holds everything up to a position: after an agent's write was acknowledged
    /// with it ([`Ack::position`]), that write or what came after it. A bare [`Revision`](crate::Revision)
    /// is taken as one of the log that this replica follows.
    ///
    /// # Errors
    /// [`RequestError::EpochMismatch`] or [`RequestError::Ahead`] if the position is of a log that the hub
    /// has lost, or of another hub's: nothing that is read here tells of it. [`RequestError::Deadline`] if it
    /// took too long, with how far the replica is.
    pub async fn read_at_least<K>(
        &self,
        key: K,
        at: impl Into<Since>,
        timeout: Duration,
    ) -> Result<Option<StateVersion>, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        let at = at.into();
        self.run(Command::WaitForPosition { at, timeout }).await?;
        self.get(key).await
    }

    /// As far as the replica knows by itself.
    async fn local_fate(&self, write: WriteId) -> Result<Fate, RequestError> {
        self.read(|done| AgentCommand::Fate { write, done }).await
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
