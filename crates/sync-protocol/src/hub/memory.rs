//! The memory provider: application data beside the synchronized state, by namespace. Of no commit, no
//! revision and no digest; persistent values are rows of the same store.

mod held;
mod space;
mod sweep;

use sync_core::codec::List;
use sync_core::{Answer, Key, MemoryAnswer, MemoryAsk, Namespace, Pattern, RequestError, Value};

use super::search::check_pattern;
use super::{Hub, ReplyTo};
use crate::compose;
use crate::rows;

pub(super) use self::held::Memory;
use self::space::Held;

impl Hub {
    pub(super) fn ask_memory(&mut self, to: ReplyTo, ask: MemoryAsk) {
        let answer = match ask {
            MemoryAsk::Store {
                namespace,
                key,
                value,
                persistent,
            } => self.store_value(&namespace, key, &value, persistent),
            MemoryAsk::Retrieve { namespace, key } => {
                let held = self.memory.get(&namespace, &key);
                let value = held.and_then(|held| held.payload.value());
                Ok(MemoryAnswer::Value(value))
            }
            MemoryAsk::Delete { namespace, key } => Ok(self.delete_value(&namespace, &key)),
            MemoryAsk::ListKeys {
                namespace,
                pattern,
                after,
            } => self.list_values(&namespace, &pattern, after.as_ref()),
            MemoryAsk::ClearNamespace(namespace) => return self.clear_namespace(to, namespace),
            MemoryAsk::Stats { after } => Ok(self.memory_stats(after.as_ref())),
        };
        self.reply(to, answer.map(Answer::Memory));
    }

    /// One value takes the place of the other, whichever of them is persistent. The answer waits for
    /// the row that says so, be it a new one or that an old one is gone.
    fn store_value(
        &mut self,
        namespace: &Namespace,
        key: Key,
        value: &Value,
        persistent: bool,
    ) -> Result<MemoryAnswer, RequestError> {
        let payload = compose::put_within(value, self.config.limits.value_bytes_max as u64);
        let payload = payload.map_err(of_memory)?;
        let held = Held {
            payload,
            persistent,
        };
        let before = self.memory.get(namespace, &key);
        if before == Some(&held) {
            return Ok(MemoryAnswer::Stored);
        }
        if persistent {
            self.check_space()?;
        }
        let had_row = before.is_some_and(|before| before.persistent);
        let limit = self.config.limits.memory_bytes_max as u64;
        let bytes = self.memory.bytes_with(namespace, &key, &held);
        if bytes > limit && bytes > self.memory.bytes() {
            return Err(RequestError::MemoryFull { bytes, limit });
        }
        let row = if persistent {
            let number = self.memory.next_number();
            Some(rows::put_memory(namespace, &key, number, &held.payload))
        } else {
            had_row.then(|| rows::delete_memory(namespace, &key))
        };
        self.memory.put(namespace, key, held);
        if let Some(row) = row {
            self.persist(vec![row]);
        }
        Ok(MemoryAnswer::Stored)
    }

    fn delete_value(&mut self, namespace: &Namespace, key: &Key) -> MemoryAnswer {
        let held = self.memory.remove(namespace, key);
        if held.as_ref().is_some_and(|held| held.persistent) {
            self.persist(vec![rows::delete_memory(namespace, key)]);
        }
        MemoryAnswer::Deleted(held.is_some())
    }

    fn list_values(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        after: Option<&Key>,
    ) -> Result<MemoryAnswer, RequestError> {
        check_pattern(pattern)?;
        let (keys, next) = self.memory.keys(namespace, pattern, after);
        let keys = List(keys);
        Ok(MemoryAnswer::Keys { keys, next })
    }

    fn memory_stats(&self, after: Option<&Namespace>) -> MemoryAnswer {
        let (namespaces, more) = self.memory.stats(after);
        MemoryAnswer::Stats {
            namespaces: List(namespaces),
            more,
            bytes: self.memory.bytes(),
            bytes_max: self.config.limits.memory_bytes_max as u64,
        }
    }
}

/// No policy holds for a value of the memory, so none can be raised.
fn of_memory(error: RequestError) -> RequestError {
    match error {
        RequestError::TooLarge { bytes, limit } => {
            RequestError::MemoryValueTooLarge { bytes, limit }
        }
        other => other,
    }
}
