//! What an agent writes.

use std::collections::BTreeMap;

use sync_core::{Ack, Key, Operation, RequestError, Value};
use sync_protocol::{Command, Outcome, Wanted};

use super::{Agent, misanswered};

impl Agent {
    /// Replaces the value of a key. Answered once it is durable in this agent's store.
    pub async fn set<K, V>(&self, key: K, value: V) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
        V: TryInto<Value>,
        V::Error: Into<RequestError>,
    {
        let value = value.try_into().map_err(Into::into)?;
        self.write(key, Operation::Put(value), None).await
    }

    /// The same with user metadata, which travels along and shows in
    /// [`StateVersion::metadata`](sync_core::StateVersion::metadata).
    pub async fn set_with<K, V>(
        &self,
        key: K,
        value: V,
        metadata: BTreeMap<String, Value>,
    ) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
        V: TryInto<Value>,
        V::Error: Into<RequestError>,
    {
        let value = value.try_into().map_err(Into::into)?;
        self.write(key, Operation::Put(value), Some(Value::Map(metadata)))
            .await
    }

    /// Removes a key. Only what this agent could see is removed: concurrent additions to a counter
    /// or a set survive.
    pub async fn delete<K>(&self, key: K) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        self.write(key, Operation::Delete, None).await
    }

    /// Adds to a counter; a negative amount subtracts.
    pub async fn add<K>(&self, key: K, amount: i64) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        self.write(key, Operation::Add(amount), None).await
    }

    /// Adds an element to a set.
    pub async fn insert<K, V>(&self, key: K, element: V) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
        V: TryInto<Value>,
        V::Error: Into<RequestError>,
    {
        let element = element.try_into().map_err(Into::into)?;
        self.write(key, Operation::Insert(element), None).await
    }

    /// Takes an element out of a set. An addition that this agent has not seen survives.
    pub async fn remove<K, V>(&self, key: K, element: V) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
        V: TryInto<Value>,
        V::Error: Into<RequestError>,
    {
        let element = element.try_into().map_err(Into::into)?;
        self.write(key, Operation::Remove(element), None).await
    }

    /// Any operation, with metadata that must be a map.
    pub async fn write<K>(
        &self,
        key: K,
        operation: Operation,
        metadata: Option<Value>,
    ) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        self.write_to(key, operation, metadata, None).await
    }

    pub(super) async fn write_to<K>(
        &self,
        key: K,
        operation: Operation,
        metadata: Option<Value>,
        level: Option<Wanted>,
    ) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        let command = Command::Write {
            key,
            operation,
            metadata,
            level,
        };
        match self.run(command).await? {
            Outcome::Written(ack) => Ok(ack),
            other => Err(misanswered(&other)),
        }
    }
}
