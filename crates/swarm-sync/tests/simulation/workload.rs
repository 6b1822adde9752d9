//! What users do: write, read, synchronize, clear, follow deltas, take receipts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::codec::List;
use sync_core::{
    Answer, Ask, Body, Cursor, Entry, Key, Message, Operation, Payload, PayloadKind, Receipt,
    Reply, RequestError, Since, Value, WriteId,
};
use sync_protocol::{Command, KeyState, Outcome};

use crate::ghost;
use crate::world::{Event, World};

/// Per thousand actions: steps of a reader of deltas, takings of receipts, questions. What is left
/// are writes.
const DELTA_SHARE: u64 = 40;
const TAKE_SHARE: u64 = 40;
const ASK_SHARE: u64 = 30;

/// A caller that waits.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Write(Option<WriteId>),
    Clear(Vec<WriteId>),
    Round,
    Delta,
    Other,
}

/// Follows the hub's deltas as values, as a peer without a replica would.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) cursor: Option<Cursor>,
    pub(crate) held: BTreeMap<Key, Value>,
}

impl World {
    pub(crate) fn work(&mut self) {
        if !self.faulty {
            return;
        }
        let pause = self.random.between(1, self.plan.pause_us * 2);
        self.schedule(pause, Event::Work);
        let shares = [
            self.plan.round,
            self.plan.clear,
            self.plan.client,
            DELTA_SHARE,
            TAKE_SHARE,
            ASK_SHARE,
        ];
        let mut roll = self.random.below(1_000);
        let falls_into = shares.iter().position(|share| {
            let hit = roll < *share;
            roll = roll.wrapping_sub(*share);
            hit
        });
        match falls_into {
            Some(0) => self.start_round(),
            Some(1) => self.clear(),
            Some(2) => self.write_at_hub(),
            Some(3) => self.read_delta(),
            Some(4) => self.take_receipts(),
            Some(5) => self.ask_through_replica(),
            _ => {
                let n = self.random.index(self.replicas.len());
                self.write(n);
            }
        }
    }

    pub(crate) fn new_request(&mut self, asked: Asked) -> u64 {
        self.next_request += 1;
        self.asked.insert(self.next_request, asked);
        self.next_request
    }

    fn draw_operation(&mut self, key: &Key) -> Operation {
        let class = key.as_str().split('-').next().unwrap_or_default();
        let class = if class == "fight" {
            *self.random.pick(&["lww", "counter", "set"])
        } else {
            class
        };
        if self.random.chance(120) {
            return Operation::Delete;
        }
        self.next_value += 1;
        let small = Value::Int(i64::try_from(self.random.below(6)).expect("a small number"));
        match class {
            "counter" => Operation::Add(i64::try_from(self.random.below(9)).expect("small") - 2),
            "set" if self.random.chance(300) => Operation::Remove(small),
            "set" => Operation::Insert(small),
            _ if self.plan.fights && self.random.chance(100) => {
                Operation::Put(Value::Text(format!("{:>60}", self.next_value)))
            }
            _ => Operation::Put(Value::Int(self.next_value)),
        }
    }

    fn write(&mut self, n: usize) {
        let key = self.random.pick(&self.plan.keys).clone();
        let operation = self.draw_operation(&key);
        let now = self.clock(n);
        let Some(replica) = &self.replicas[n].machine else {
            return;
        };
        let before = replica
            .keyspace()
            .get(&key)
            .map(|s| s.entry().clone())
            .unwrap_or_default();
        let value = replica.get(now, &key).and_then(|state| state.value);
        let writer = replica.writer().clone();
        let last = before.context().last_of(&writer);
        let request = self.new_request(Asked::Write(None));
        let replica = self.replicas[n].machine.as_mut().expect("checked above");
        let command = Command::Write {
            key: key.clone(),
            operation: operation.clone(),
            metadata: None,
        };
        replica.handle_command(now, request, command);
        let entry = replica.keyspace().get(&key).map(KeyState::entry);
        let made = entry
            .and_then(|e| e.context().last_of(&writer))
            .filter(|s| Some(*s) != last);
        if let Some(seq) = made {
            let id = WriteId::new(writer, seq);
            let after = entry.cloned().unwrap_or_default();
            let gone = before
                .writes()
                .map(|(id, _)| id)
                .filter(|id| after.write(id).is_none());
            let gone_now: BTreeSet<WriteId> = gone.cloned().collect();
            let expected = ghost::shown(&operation, &before, &id.writer);
            let text = format!("{operation:?} of {key} replaced {gone_now:?}, shown {expected:?}");
            let fights = fights(&key);
            self.trace.say(|| format!("{id}: {text}"));
            self.require(fights || gone_now == expected, || text);
            let over = after.write(&id).map(|write| &write.over);
            let is_write = over.is_some();
            let gone = over
                .into_iter()
                .flat_map(|o| self.ghost.replaced_before(&id, &key, o));
            let gone: BTreeSet<WriteId> = gone.chain(gone_now).collect();
            self.ghost
                .note(&id, &key, &operation, &before, gone, is_write);
            self.asked.insert(request, Asked::Write(Some(id)));
            self.check_own_write(n, &key, &operation, value);
        }
        self.drain_replica(n);
        self.check_read(n, &key);
    }

    fn write_at_hub(&mut self) {
        let key = self.random.pick(&self.plan.keys).clone();
        let operation = self.draw_operation(&key);
        let (now, client) = (self.hub_now(), self.hub.client);
        let Some(hub) = &self.hub.machine else { return };
        let before = hub
            .keyspace()
            .get(&key)
            .map(|s| s.entry().clone())
            .unwrap_or_default();
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
        let made = hub
            .keyspace()
            .get(&key)
            .and_then(|s| new_at_hub(s.entry(), &before));
        if let Some(id) = made {
            let shown = ghost::shown(&operation, &before, &id.writer);
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

    fn some_keys(&mut self) -> Vec<Key> {
        let keys = self.plan.keys.clone();
        keys.into_iter()
            .filter(|_| self.random.chance(600))
            .collect()
    }

    fn start_round(&mut self) {
        let keys = List(self.some_keys());
        let timeout_ms = self.random.chance(500).then_some(100);
        self.ask_somewhere(Asked::Round, Ask::Sync { keys, timeout_ms });
        self.stats.hit("round");
    }

    /// At the hub itself, or through a replica.
    fn ask_somewhere(&mut self, asked: Asked, ask: Ask) {
        let request = self.new_request(asked);
        if self.random.chance(500) {
            let now = self.hub_now();
            if let Some(hub) = &mut self.hub.machine {
                hub.handle_ask(now, request, ask);
                self.drain_hub();
            }
            return;
        }
        let n = self.random.index(self.replicas.len());
        let now = self.clock(n);
        if let Some(replica) = &mut self.replicas[n].machine {
            let timeout = Duration::from_millis(600);
            replica.handle_command(now, request, Command::Ask { ask, timeout });
            self.drain_replica(n);
        }
    }

    fn ask_through_replica(&mut self) {
        let key = self.random.pick(&self.plan.keys).clone();
        let ask = match self.random.below(4) {
            0 => Ask::Version(key),
            1 => Ask::Get(key),
            2 => Ask::Status,
            _ => Ask::Keys {
                pattern: "*".to_owned(),
                after: None,
            },
        };
        self.ask_somewhere(Asked::Other, ask);
    }

    fn clear(&mut self) {
        let one = self.random.chance(800);
        let key = one.then(|| self.random.pick(&self.plan.keys).clone());
        let now = self.hub_now();
        let Some(hub) = &self.hub.machine else { return };
        let keys = hub.keyspace().iter_after(None);
        let keys = keys.filter(|(held, _)| key.as_ref().is_none_or(|key| key == *held));
        let live = keys.flat_map(|(_, state)| state.entry().writes().map(|(id, _)| id.clone()));
        let live: Vec<WriteId> = live.collect();
        for id in &live {
            self.ghost.cleared.entry(id.clone()).or_default();
        }
        let request = self.new_request(Asked::Clear(live));
        let hub = self.hub.machine.as_mut().expect("checked above");
        hub.handle_ask(now, request, Ask::Clear(key));
        self.stats.hit("clear");
        self.drain_hub();
    }

    pub(crate) fn read_delta(&mut self) {
        let since = self.reader.cursor.map_or(Since::START, Since::Cursor);
        let request = self.new_request(Asked::Delta);
        let now = self.hub_now();
        if let Some(hub) = &mut self.hub.machine {
            hub.handle_ask(now, request, Ask::Delta(since));
            self.drain_hub();
        }
    }

    fn take_receipts(&mut self) {
        let n = self.random.index(self.replicas.len());
        let now = self.clock(n);
        let request = self.new_request(Asked::Other);
        let Some(replica) = &mut self.replicas[n].machine else {
            return;
        };
        let ids: Vec<WriteId> = replica.receipts().map(|r| r.write.clone()).collect();
        // Only what was shown to the caller may be taken.
        let ids: Vec<_> = ids
            .into_iter()
            .filter(|id| self.ghost.receipts.contains_key(id))
            .collect();
        let replica = self.replicas[n].machine.as_mut().expect("checked above");
        replica.handle_command(now, request, Command::TakeReceipts(ids));
        self.drain_replica(n);
    }

    /// A receipt reached the application.
    pub(crate) fn received(&mut self, n: usize, receipt: Receipt) {
        self.stats.hit(if receipt.refused() {
            "refusal"
        } else {
            "receipt"
        });
        let mine = receipt.addressee() == &self.replicas[n].agent;
        self.require(mine, || {
            format!("replica {n} got another's receipt: {receipt}")
        });
        self.trace.say(|| format!("receipt: {receipt}"));
        self.check_receipt(&receipt);
        self.ghost.receipts.insert(receipt.write.clone(), receipt);
    }

    pub(crate) fn answered_by_replica(
        &mut self,
        n: usize,
        request: u64,
        result: Result<Outcome, RequestError>,
    ) {
        let Some(asked) = self.asked.remove(&request) else {
            return self.require(false, || format!("replica {n} answered {request} twice"));
        };
        match (asked, result) {
            (Asked::Write(id), Ok(Outcome::Written(ack))) => {
                self.require(ack.write_id == id, || {
                    format!("replica {n} acknowledged {:?}, made {id:?}", ack.write_id)
                });
                if let Some(op) = id.and_then(|id| self.ghost.ops.get_mut(&id)) {
                    op.acked = true;
                    self.stats.hit("write");
                }
            }
            (asked, Ok(Outcome::Answered(answer))) => self.answered(asked, answer),
            _ => {}
        }
    }

    pub(crate) fn answered_by_hub(&mut self, request: u64, answer: Reply) {
        let Some(asked) = self.asked.remove(&request) else {
            return self.require(false, || format!("the hub answered {request} twice"));
        };
        match answer {
            Ok(answer) => self.answered(asked, answer),
            Err(RequestError::EpochMismatch { .. } | RequestError::Ahead { .. })
                if matches!(asked, Asked::Delta) =>
            {
                self.stats.hit("reader starts anew");
                self.reader = Reader::default();
            }
            Err(RequestError::NobodyConnected { .. }) => self.stats.hit("nobody connected"),
            Err(RequestError::NobodyAnswered { .. }) => self.stats.hit("nobody answered"),
            Err(_) => {}
        }
    }

    fn answered(&mut self, asked: Asked, answer: Answer) {
        match (asked, answer) {
            (Asked::Write(id), Answer::Written(ack)) => {
                self.require(ack.write_id == id, || {
                    format!("the hub acknowledged {:?}, made {id:?}", ack.write_id)
                });
                if let Some(op) = id.and_then(|id| self.ghost.ops.get_mut(&id)) {
                    op.acked = true;
                }
            }
            (Asked::Clear(ids), Answer::Cleared(_)) => {
                self.ghost
                    .cleared
                    .extend(ids.into_iter().map(|id| (id, true)));
            }
            (Asked::Round, Answer::Synced(report)) => {
                self.check_report(&report);
                self.last_report = Some(report);
            }
            (Asked::Delta, Answer::Delta(delta)) => {
                for change in delta.changes {
                    match change.value {
                        Some(value) => self.reader.held.insert(change.key, value),
                        None => self.reader.held.remove(&change.key),
                    };
                }
                self.reader.cursor = Some(delta.to);
            }
            _ => {}
        }
    }

    /// A read shows nothing that nobody wrote.
    fn check_read(&mut self, n: usize, key: &Key) {
        let now = self.clock(n);
        let replica = self.replicas[n].machine.as_ref();
        let value = replica.and_then(|r| r.get(now, key)?.value);
        let written = |payload| self.ghost.written.contains(&(key.clone(), payload));
        let known = match &value {
            Some(Value::List(items)) => items.iter().all(|item| {
                // Where rules fight, a value may still be read by the rule that has lost.
                written(Payload::element(item)) || written(Payload::put(item)) || fights(key)
            }),
            Some(Value::Int(_)) if key.as_str().starts_with("counter") || fights(key) => true,
            Some(value) => written(Payload::put(value)),
            None => true,
        };
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
        let mixed = replica.keyspace().get(key).is_some_and(|state| {
            let kinds: BTreeSet<PayloadKind> = state
                .entry()
                .writes()
                .map(|(_, w)| w.payload.kind())
                .collect();
            kinds.len() > 1
        });
        let holds = |value: &Value| match &after {
            Some(Value::List(items)) => items.contains(value),
            _ => false,
        };
        let shows = mixed
            || match operation {
                Operation::Put(value) => after.as_ref() == Some(value),
                Operation::Delete => after.is_none(),
                Operation::Insert(value) => holds(value),
                Operation::Remove(value) => !holds(value),
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

fn fights(key: &Key) -> bool {
    key.as_str().starts_with("fight")
}

/// The write that a hub just made for somebody.
fn new_at_hub(after: &Entry, before: &Entry) -> Option<WriteId> {
    let spans = after.context().spans().iter();
    let mut ids = spans.map(|span| WriteId::new(span.writer.clone(), span.last));
    ids.find(|id| !before.context().contains(id))
}
