//! What users write, and what they read right after it.

use std::collections::BTreeSet;

use sync_core::{Ask, Body, Entry, Key, Message, Operation, Payload, PayloadKind, Value, WriteId};
use sync_protocol::{Command, KeyState};

use crate::shown::{Family, shown};
use crate::tables::{class, fights, is_decided, keeps};
use crate::workload::Asked;
use crate::world::World;

/// Fields of a map.
const FIELDS: &[&str] = &["a", "b", "c"];

impl World {
    pub(crate) fn draw_operation(&mut self, key: &Key) -> Operation {
        let class = match class(key) {
            "fight" => *self.random.pick(&["lww", "counter", "set", "map"]),
            class => class,
        };
        if self.random.chance(120) {
            return Operation::Delete;
        }
        self.next_value += 1;
        let small = Value::Int(i64::try_from(self.random.below(6)).expect("a small number"));
        let bounded = self.plan.is_bounded();
        let large = (self.plan.fights || bounded) && self.random.chance(100);
        let value = if large {
            Value::Text(format!("{:>60}", self.next_value))
        } else {
            Value::Int(self.next_value)
        };
        match class {
            "counter" => Operation::Add(i64::try_from(self.random.below(9)).expect("small") - 2),
            "set" if self.random.chance(300) => Operation::Remove(small),
            "set" => Operation::Insert(small),
            "map" => {
                let name = (*self.random.pick(FIELDS)).to_owned();
                if self.random.chance(250) {
                    Operation::UnsetField(name)
                } else {
                    Operation::PutField(name, value)
                }
            }
            _ => Operation::Put(value),
        }
    }

    pub(crate) fn write(&mut self, n: usize) {
        let key = self.random.pick(&self.plan.keys).clone();
        let operation = self.draw_operation(&key);
        let command = Command::Write {
            key: key.clone(),
            operation: operation.clone(),
            metadata: None,
            level: self.draw_level(),
        };
        self.perform(n, key, operation, command);
    }

    /// Has a replica do something to a key, and notes what it makes.
    pub(crate) fn perform(
        &mut self,
        n: usize,
        key: Key,
        operation: Operation,
        command: Command,
    ) -> Option<WriteId> {
        let now = self.clock(n);
        let replica = self.replicas[n].machine.as_ref()?;
        let before = replica
            .keyspace()
            .get(&key)
            .map(|s| s.entry().clone())
            .unwrap_or_default();
        let value = replica.get(now, &key).and_then(|state| state.value);
        let writer = replica.writer().clone();
        let table = replica.policies().clone();
        let last = before.context().last_of(&writer);
        let request = self.new_request(Asked::Write(None));
        let replica = self.replicas[n].machine.as_mut().expect("checked above");
        replica.handle_command(now, request, command);
        let entry = replica.keyspace().get(&key).map(KeyState::entry);
        let made = entry
            .and_then(|e| e.context().last_of(&writer))
            .filter(|s| Some(*s) != last);
        let made = made.map(|seq| WriteId::new(writer, seq));
        if let Some(id) = made.clone() {
            let after = entry.cloned().unwrap_or_default();
            let gone = before
                .writes()
                .map(|(id, _)| id)
                .filter(|id| after.write(id).is_none());
            let gone_now: BTreeSet<WriteId> = gone.cloned().collect();
            let expected = shown(&operation, &before, &id.writer, (&table, &key));
            let text = format!("{operation:?} of {key} replaced {gone_now:?}, shown {expected:?}");
            let fights = fights(&key);
            self.trace.say(|| format!("{id}: {text}"));
            self.require(fights || gone_now == expected, || text);
            let over = after.write(&id).map(|write| &write.over);
            let is_write = over.is_some();
            let stamp = after.write(&id).map(|write| write.stamp);
            let gone = over
                .into_iter()
                .flat_map(|o| self.ghost.replaced_before(&id, &key, o));
            let gone: BTreeSet<WriteId> = gone.chain(gone_now).collect();
            let is_new = !self.ghost.ops.contains_key(&id);
            self.require(is_new, || format!("{id} names two writes"));
            self.ghost
                .note(&id, &key, &operation, &before, gone, is_write);
            if let Some(stamp) = stamp {
                self.check_stamp(n, &id, stamp);
            }
            self.asked.insert(request, Asked::Write(Some(id)));
            self.count_write(&key, &operation, table.fingerprint());
            self.check_own_write(n, &key, &operation, value);
        }
        self.check_room(n, &operation, made.as_ref());
        self.drain_replica(n);
        self.check_read(n, &key);
        let other = self.random.pick(&self.plan.keys).clone();
        self.check_read(n, &other);
        made
    }

    fn count_write(&mut self, key: &Key, operation: &Operation, table: u64) {
        let fields = matches!(
            operation,
            Operation::PutField(..) | Operation::UnsetField(_)
        );
        if fields || (class(key) == "map" && *operation == Operation::Delete) {
            self.stats.hit("map");
        }
        if self.table().of(key).is_some() && table != self.table().fingerprint() {
            self.stats.hit("write under another table");
        }
    }

    pub(crate) fn write_at_hub(&mut self) {
        let key = self.random.pick(&self.plan.keys).clone();
        let operation = self.draw_operation(&key);
        let (now, client) = (self.hub_now(), self.hub.client);
        let Some(hub) = &self.hub.machine else { return };
        let before = self.at_hub(&key);
        let table = hub.policies().clone();
        let request = self.new_request(Asked::Write(None));
        let ask = Ask::Write {
            key: key.clone(),
            operation: operation.clone(),
            metadata: None,
        };
        let local = self.random.chance(300);
        let hub = self.hub.machine.as_mut().expect("checked above");
        if local {
            hub.handle_ask(now, request, ask);
        } else {
            hub.handle_message(now, client, Message::from(Body::Request { request, ask }));
        }
        self.stats.hit("client write");
        let made = new_at_hub(&self.at_hub(&key), &before);
        if let Some(id) = made {
            let shown = shown(&operation, &before, &id.writer, (&table, &key));
            self.trace
                .say(|| format!("{id}: {operation:?} of {key} replaced {shown:?}"));
            let again = self.ghost.ops.contains_key(&id);
            self.require(!again, || format!("{id} names two writes"));
            self.ghost
                .note(&id, &key, &operation, &before, shown, false);
            self.ghost.ops.get_mut(&id).expect("just noted").at_hub = true;
            self.asked.insert(request, Asked::Write(Some(id)));
        }
        self.drain_hub();
    }

    /// A read shows nothing that nobody wrote, and all of it where concurrent values are kept.
    fn check_read(&mut self, n: usize, key: &Key) {
        let now = self.clock(n);
        let Some(replica) = &self.replicas[n].machine else {
            return;
        };
        let state = replica.get(now, key);
        let value = state.as_ref().and_then(|state| state.value.clone());
        let written = |payload| self.ghost.written.contains(&(key.clone(), payload));
        let field = |name: &str, value: &Value| Payload::field(name, value).is_ok_and(written);
        // Where rules fight, a value may still be read by the rule that has lost.
        let somehow = |value: &Value| {
            let plain = written(Payload::put(value)) || written(Payload::element(value));
            fights(key) && (plain || FIELDS.iter().any(|name| field(name, value)))
        };
        let decreed = |value: &Value| is_decided(key) && written(Payload::decreed(value));
        let known = match &value {
            Some(Value::List(items)) => items
                .iter()
                .all(|item| written(Payload::element(item)) || fights(key)),
            Some(claim @ Value::Map(_)) if is_decided(key) => self.is_claim(key, claim),
            Some(Value::Map(fields)) => fields.iter().all(|(name, value)| field(name, value)),
            Some(Value::Int(_)) if class(key) == "counter" || fights(key) => true,
            Some(value) => written(Payload::put(value)) || somehow(value) || decreed(value),
            None => true,
        };
        let held = replica.keyspace().get(key).map(KeyState::entry);
        let values = held.into_iter().flat_map(Entry::writes);
        let values = values.filter(|(_, w)| w.payload.kind() == PayloadKind::Put);
        let values: Vec<&WriteId> = values.map(|(id, _)| id).collect();
        let several = keeps(replica.policies(), key) && values.len() > 1;
        let expected = if several { values } else { Vec::new() };
        let siblings = state.iter().flat_map(|state| &state.siblings);
        let shown: Vec<&WriteId> = siblings.map(|sibling| &sibling.write).collect();
        let are_several = shown.len() > 1;
        let all = shown == expected || fights(key);
        let text = format!("replica {n} shows {shown:?} of {key}, holds {expected:?}");
        self.require(all, || text);
        if are_several {
            self.stats.hit("several values shown");
        }
        self.require(known, || {
            format!("replica {n} reads {value:?} of {key}, which nobody wrote")
        });
    }

    /// A read right after a write shows it.
    fn check_own_write(
        &mut self,
        n: usize,
        key: &Key,
        operation: &Operation,
        before: Option<Value>,
    ) {
        let now = self.clock(n);
        let replica = self.replicas[n].machine.as_ref().expect("it just wrote");
        let after = replica.get(now, key).and_then(|state| state.value);
        let state = replica.keyspace().get(key);
        let mixed = state.is_some_and(|state| Family::all_of(state.entry()).len() > 1);
        let holds = |value: &Value| match &after {
            Some(Value::List(items)) => items.contains(value),
            _ => false,
        };
        let field = |name: &str| match &after {
            Some(Value::Map(fields)) => fields.get(name),
            _ => None,
        };
        let shows = mixed
            || match operation {
                Operation::Put(value) => after.as_ref() == Some(value),
                Operation::Delete => after.is_none(),
                Operation::Insert(value) => holds(value),
                Operation::Remove(value) => !holds(value),
                Operation::PutField(name, value) => field(name) == Some(value),
                Operation::UnsetField(name) => field(name).is_none(),
                Operation::Add(amount) => {
                    let sum = match before {
                        Some(Value::Int(sum)) => sum,
                        _ => 0,
                    };
                    after == Some(Value::Int(sum + amount))
                }
                _ => true,
            };
        let text = format!("{operation:?}");
        self.require(shows, || {
            format!("replica {n} reads {after:?} after {text} of {key}")
        });
    }
}

/// The write that a hub just made for somebody.
pub(crate) fn new_at_hub(after: &Entry, before: &Entry) -> Option<WriteId> {
    let spans = after.context().spans().iter();
    let mut ids = spans.map(|span| WriteId::new(span.writer.clone(), span.last));
    ids.find(|id| !before.context().contains(id))
}
