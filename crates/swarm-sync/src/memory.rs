//! The memory provider's face: application data beside the synchronized state, kept at the hub.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sync_core::{
    Answer, Ask, Key, MemoryAnswer, MemoryAsk, MemoryStats, Namespace, Pattern, RequestError, Value,
};

use crate::hub::unexpected;
use crate::watch::Asker;

/// Application data by namespace and key, for the agents of one swarm. It is at the hub and nowhere
/// else, so it needs one; it is no part of the synchronized state, and the last one who stores a value
/// has it.
#[async_trait]
pub trait MemoryProvider: fmt::Debug + Send + Sync {
    /// Puts a value in place of what is there. A `persistent` one survives a restart of the hub: `Ok`
    /// means that it is durable at the level of the hub's store. One that is not is gone after a
    /// restart, and so is the value in whose place it was put.
    ///
    /// # Errors
    /// [`RequestError::MemoryValueTooLarge`] and [`RequestError::MemoryFull`], with nothing changed. After one that
    /// says that the connection was lost or took too long it may have happened.
    async fn store(
        &self,
        namespace: &Namespace,
        key: &Key,
        value: Value,
        persistent: bool,
    ) -> Result<(), RequestError>;

    /// The value, if there is one.
    async fn retrieve(
        &self,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<Value>, RequestError>;

    /// The value, or `default` if there is none.
    async fn retrieve_or(
        &self,
        namespace: &Namespace,
        key: &Key,
        default: Value,
    ) -> Result<Value, RequestError> {
        Ok(self.retrieve(namespace, key).await?.unwrap_or(default))
    }

    /// Removes a value; false if there was none.
    async fn delete(&self, namespace: &Namespace, key: &Key) -> Result<bool, RequestError>;

    /// All keys of a namespace that match (`*` any run of characters, `?` one), ascending. They are read
    /// page by page: of what is stored or deleted meanwhile some is among them.
    async fn list_keys(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
    ) -> Result<Vec<Key>, RequestError>;

    /// Removes all values that a namespace holds; returns how many. A hub that is killed over it has
    /// removed all or none.
    async fn clear_namespace(&self, namespace: &Namespace) -> Result<u64, RequestError>;

    /// What is held, by namespace.
    async fn stats(&self) -> Result<MemoryStats, RequestError>;
}

/// The memory of a swarm, at its hub. Cheap to clone.
///
/// Got from [`StateSynchronizer::memory`](crate::StateSynchronizer::memory),
/// [`Agent::memory`](crate::Agent::memory) or [`Client::memory`](crate::Client::memory).
#[derive(Clone)]
pub struct Memory {
    asker: Arc<dyn Asker>,
    /// For whom, in words.
    of: String,
    /// How long an answer may take.
    limit: Duration,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Memory");
        shown.field("of", &self.of).finish_non_exhaustive()
    }
}

impl Memory {
    pub(crate) fn new(asker: Arc<dyn Asker>, of: impl fmt::Display, limit: Duration) -> Self {
        let of = of.to_string();
        Self { asker, of, limit }
    }

    async fn ask(&self, ask: MemoryAsk) -> Result<MemoryAnswer, RequestError> {
        match self.asker.ask(Ask::Memory(ask), self.limit).await? {
            Answer::Memory(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }
}

#[async_trait]
impl MemoryProvider for Memory {
    async fn store(
        &self,
        namespace: &Namespace,
        key: &Key,
        value: Value,
        persistent: bool,
    ) -> Result<(), RequestError> {
        // The hub is not asked with what the way to it would not take or read.
        value.check_depth()?;
        let ask = MemoryAsk::Store {
            namespace: namespace.clone(),
            key: key.clone(),
            value,
            persistent,
        };
        match self.ask(ask).await {
            Ok(MemoryAnswer::Stored) => Ok(()),
            Ok(other) => Err(misanswered(other)),
            // There is nothing else in it that could be smaller.
            Err(RequestError::RequestTooLarge { bytes, limit }) => {
                Err(RequestError::MemoryValueTooLarge { bytes, limit })
            }
            Err(error) => Err(error),
        }
    }

    async fn retrieve(
        &self,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<Value>, RequestError> {
        let (namespace, key) = (namespace.clone(), key.clone());
        match self.ask(MemoryAsk::Retrieve { namespace, key }).await? {
            MemoryAnswer::Value(value) => Ok(value),
            other => Err(misanswered(other)),
        }
    }

    async fn delete(&self, namespace: &Namespace, key: &Key) -> Result<bool, RequestError> {
        let (namespace, key) = (namespace.clone(), key.clone());
        match self.ask(MemoryAsk::Delete { namespace, key }).await? {
            MemoryAnswer::Deleted(was_there) => Ok(was_there),
            other => Err(misanswered(other)),
        }
    }

    async fn list_keys(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
    ) -> Result<Vec<Key>, RequestError> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let ask = MemoryAsk::ListKeys {
                namespace: namespace.clone(),
                pattern: pattern.clone(),
                after,
            };
            match self.ask(ask).await? {
                MemoryAnswer::Keys { keys, next } => {
                    all.extend(keys.0);
                    after = next;
                }
                other => return Err(misanswered(other)),
            }
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    async fn clear_namespace(&self, namespace: &Namespace) -> Result<u64, RequestError> {
        let ask = MemoryAsk::ClearNamespace(namespace.clone());
        match self.ask(ask).await? {
            MemoryAnswer::Cleared(count) => Ok(count),
            other => Err(misanswered(other)),
        }
    }

    async fn stats(&self) -> Result<MemoryStats, RequestError> {
        let mut stats = MemoryStats::default();
        loop {
            let after = stats.namespaces.last().map(|line| line.namespace.clone());
            match self.ask(MemoryAsk::Stats { after }).await? {
                MemoryAnswer::Stats {
                    namespaces,
                    more,
                    bytes,
                    bytes_max,
                } => {
                    let more = more && !namespaces.is_empty();
                    stats.namespaces.extend(namespaces.0);
                    (stats.bytes, stats.bytes_max) = (bytes, bytes_max);
                    if !more {
                        return Ok(stats);
                    }
                }
                other => return Err(misanswered(other)),
            }
        }
    }
}

fn misanswered(answer: MemoryAnswer) -> RequestError {
    unexpected(&Answer::Memory(answer))
}
