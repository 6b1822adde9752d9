//! Keys by what they hold: the operations that fit, and values of the right type.

use std::collections::BTreeMap;

use sync_core::{Ack, Key, MergeRule, Operation, RequestError, StateVersion, Value};

use super::Agent;

/// A key of an agent, or why it is none: said by the first operation.
#[derive(Debug, Clone)]
struct Place {
    agent: Agent,
    key: Result<Key, RequestError>,
}

impl Place {
    fn key(&self) -> Result<Key, RequestError> {
        self.key.clone()
    }

    async fn write(&self, operation: Operation) -> Result<Ack, RequestError> {
        self.agent.write(self.key()?, operation, None).await
    }

    /// The value, of a key under the rule whose operations this handle has: another rule's value may look
    /// like one of its own.
    async fn value(&self, rule: MergeRule) -> Result<Option<Value>, RequestError> {
        let state = self.agent.get(self.key()?).await?;
        let Some((value, held)) = state.and_then(|s| Some((s.value?, s.metadata.rule))) else {
            return Ok(None);
        };
        if held == Some(rule) {
            return Ok(Some(value));
        }
        let held = held.map_or_else(|| "no rule".to_owned(), |held| format!("the rule {held}"));
        self.mistaken(rule, &format!("{} under {held}", value.kind()))
    }

    fn mistaken<T>(&self, expected: MergeRule, found: &str) -> Result<T, RequestError> {
        let key = self.key()?;
        Err(RequestError::Operation {
            reason: format!(
                "{key:?} holds no {expected} but {found}; use another key, or delete this one first"
            ),
        })
    }
}

impl Agent {
    fn place<K>(&self, key: K) -> Place
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        Place {
            agent: self.clone(),
            key: key.try_into().map_err(Into::into),
        }
    }

    /// A key that counts.
    pub fn counter<K>(&self, key: K) -> CounterOf
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        CounterOf(self.place(key))
    }

    /// A key that holds a set. (`set` is the operation on a plain value.)
    pub fn set_of<K>(&self, key: K) -> SetOf
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        SetOf(self.place(key))
    }

    /// A key that holds a map, each field of which is written by itself.
    pub fn map<K>(&self, key: K) -> MapOf
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        MapOf(self.place(key))
    }

    /// A key that holds one value.
    pub fn register<K>(&self, key: K) -> RegisterOf
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        RegisterOf(self.place(key))
    }
}

/// A counter: every agent's contribution counts once.
#[derive(Debug, Clone)]
pub struct CounterOf(Place);

impl CounterOf {
    /// Adds; a negative amount subtracts.
    pub async fn add(&self, amount: i64) -> Result<Ack, RequestError> {
        self.0.write(Operation::Add(amount)).await
    }

    /// The sum, 0 if nobody has added.
    pub async fn get(&self) -> Result<i64, RequestError> {
        match self.0.value(MergeRule::Counter).await? {
            None => Ok(0),
            Some(Value::Int(sum)) => Ok(sum),
            Some(other) => self.0.mistaken(MergeRule::Counter, other.kind()),
        }
    }

    /// Removes what this agent could see; additions it has not seen survive.
    pub async fn delete(&self) -> Result<Ack, RequestError> {
        self.0.write(Operation::Delete).await
    }
}

/// A set: an addition wins over a removal that did not see it.
#[derive(Debug, Clone)]
pub struct SetOf(Place);

impl SetOf {
    /// Adds an element.
    pub async fn insert<V>(&self, element: V) -> Result<Ack, RequestError>
    where
        V: TryInto<Value>,
        V::Error: Into<RequestError>,
    {
        let element = element.try_into().map_err(Into::into)?;
        self.0.write(Operation::Insert(element)).await
    }

    /// Takes an element out.
    pub async fn remove<V>(&self, element: V) -> Result<Ack, RequestError>
    where
        V: TryInto<Value>,
        V::Error: Into<RequestError>,
    {
        let element = element.try_into().map_err(Into::into)?;
        self.0.write(Operation::Remove(element)).await
    }

    /// The elements, in the order of their encoding. O(size).
    pub async fn elements(&self) -> Result<Vec<Value>, RequestError> {
        match self.0.value(MergeRule::Set).await? {
            None => Ok(Vec::new()),
            Some(Value::List(elements)) => Ok(elements),
            Some(other) => self.0.mistaken(MergeRule::Set, other.kind()),
        }
    }

    /// Whether it holds an element. O(size).
    pub async fn contains(&self, element: &Value) -> Result<bool, RequestError> {
        Ok(self.elements().await?.contains(element))
    }

    /// Removes what this agent could see.
    pub async fn delete(&self) -> Result<Ack, RequestError> {
        self.0.write(Operation::Delete).await
    }
}

/// A map: fields do not conflict with each other; of two values of one field the newest wins.
#[derive(Debug, Clone)]
pub struct MapOf(Place);

impl MapOf {
    /// Replaces the value of one field.
    pub async fn put<V>(&self, field: impl Into<String>, value: V) -> Result<Ack, RequestError>
    where
        V: TryInto<Value>,
        V::Error: Into<RequestError>,
    {
        let value = value.try_into().map_err(Into::into)?;
        self.0.write(Operation::PutField(field.into(), value)).await
    }

    /// Removes one field.
    pub async fn unset(&self, field: impl Into<String>) -> Result<Ack, RequestError> {
        self.0.write(Operation::UnsetField(field.into())).await
    }

    /// All fields; empty if there are none. O(size).
    pub async fn fields(&self) -> Result<BTreeMap<String, Value>, RequestError> {
        match self.0.value(MergeRule::Map).await? {
            None => Ok(BTreeMap::new()),
            Some(Value::Map(fields)) => Ok(fields),
            Some(other) => self.0.mistaken(MergeRule::Map, other.kind()),
        }
    }

    /// One field. O(size).
    pub async fn get(&self, field: &str) -> Result<Option<Value>, RequestError> {
        Ok(self.fields().await?.remove(field))
    }

    /// Removes every field there is.
    pub async fn delete(&self) -> Result<Ack, RequestError> {
        self.0.write(Operation::Delete).await
    }
}

/// A value that is replaced as a whole.
#[derive(Debug, Clone)]
pub struct RegisterOf(Place);

impl RegisterOf {
    /// Replaces the value.
    pub async fn set<V>(&self, value: V) -> Result<Ack, RequestError>
    where
        V: TryInto<Value>,
        V::Error: Into<RequestError>,
    {
        let value = value.try_into().map_err(Into::into)?;
        self.0.write(Operation::Put(value)).await
    }

    /// The value with all that is known of it: its siblings under a policy that keeps them, its version,
    /// its age.
    pub async fn get(&self) -> Result<Option<StateVersion>, RequestError> {
        self.0.agent.get(self.0.key()?).await
    }

    /// Removes the value.
    pub async fn delete(&self) -> Result<Ack, RequestError> {
        self.0.write(Operation::Delete).await
    }
}
