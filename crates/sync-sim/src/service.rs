//! Once all has healed every agent is served again: it writes, is told so, and everybody comes to hold it.

use sync_core::{Key, Operation, Value, WriteId};
use sync_protocol::Command;

use crate::tables::{class, fights, is_decided, ttl};
use crate::workload::Asked;
use crate::world::World;

impl World {
    /// Every agent writes to a key that is its to write; what it has made.
    pub(crate) fn write_everywhere(&mut self) -> Vec<WriteId> {
        let table = self.table().clone();
        let is_plain = |key: &&Key| !is_decided(key) && !fights(key) && ttl(&table, key).is_none();
        let Some(key) = self.plan.keys.iter().find(is_plain).cloned() else {
            return Vec::new();
        };
        let agents = 0..self.replicas.len();
        agents.filter_map(|n| self.write_plainly(n, &key)).collect()
    }

    fn write_plainly(&mut self, n: usize, key: &Key) -> Option<WriteId> {
        self.next_value += 1;
        let value = Value::Int(self.next_value);
        let operation = match class(key) {
            "counter" => Operation::Add(1),
            "set" => Operation::Insert(value),
            "map" => Operation::PutField("a".to_owned(), value),
            _ => Operation::Put(value),
        };
        let command = Command::Write {
            key: key.clone(),
            operation: operation.clone(),
            metadata: None,
            level: None,
        };
        let made = self.perform(n, key.clone(), operation, command);
        self.require(made.is_some(), || {
            format!("replica {n} does not write to {key}")
        });
        made
    }

    /// Whoever has written was told what came of it.
    pub(crate) fn check_served(&mut self, made: &[WriteId]) {
        let waits = |asked: &&Asked| matches!(asked, Asked::Write(Some(id)) if made.contains(id));
        let waiting = self.asked.values().find(waits).cloned();
        self.require(waiting.is_none(), || {
            format!("nobody has answered {waiting:?}")
        });
    }
}
