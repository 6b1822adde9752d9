//! A replica as small as the rules need: it plans an operation, gives it an id and a stamp, joins
//! what results and hands out the delta.

#![allow(dead_code, reason = "each test binary uses its part of it")]

use sync_core::{
    AgentId, Context, Entry, Incarnation, Operation, OperationError, Payload, Resolver, Seq, Stamp,
    Value, Write, WriteId, Writer,
};

pub(crate) struct Replica {
    pub(crate) writer: Writer,
    pub(crate) entry: Entry,
    /// What its wall clock says; a floor lifts the stamp above it.
    pub(crate) clock: u64,
    seq: u64,
    prev: u64,
}

impl Replica {
    pub(crate) fn new(name: &str) -> Self {
        let agent = AgentId::new(name).unwrap();
        let writer = Writer::new(agent, Incarnation::from_random(1));
        Self {
            writer,
            entry: Entry::new(),
            clock: 1,
            seq: 0,
            prev: 0,
        }
    }

    /// Does `operation`; the delta of what it did, if it had anything to do.
    pub(crate) fn operate(
        &mut self,
        rule: &dyn Resolver,
        operation: &Operation,
    ) -> Result<Option<Entry>, OperationError> {
        let Some(plan) = rule.plan(operation, &self.entry, &self.writer)? else {
            return Ok(None);
        };
        let delta = match plan.payload {
            None => Entry::covering(plan.over),
            Some(payload) => {
                self.seq += 1;
                let prev = Seq::new(std::mem::replace(&mut self.prev, self.seq));
                let floor = plan.floor.map(Stamp::next).unwrap_or_default();
                let stamp = Stamp::at_millis(self.clock).max(floor);
                let id = WriteId::new(self.writer.clone(), Seq::new(self.seq));
                Entry::of_write(
                    id,
                    Write {
                        stamp,
                        payload,
                        prev,
                        over: plan.over,
                        note: None,
                    },
                )
            }
        };
        self.entry.join(delta.clone());
        Ok(Some(delta))
    }

    /// Does what must succeed and have an effect.
    pub(crate) fn must(&mut self, rule: &dyn Resolver, operation: &Operation) -> Entry {
        self.operate(rule, operation).unwrap().unwrap()
    }

    pub(crate) fn live(&self) -> Vec<WriteId> {
        self.entry.writes().map(|(id, _)| id.clone()).collect()
    }

    /// The commit by which the hub covers losers.
    pub(crate) fn cover(&mut self, losers: &[WriteId]) -> Entry {
        let mut context = Context::new();
        for id in losers {
            context.union(&self.entry.write(id).unwrap().closure(id));
        }
        let delta = Entry::covering(context);
        self.entry.join(delta.clone());
        delta
    }
}

pub(crate) fn joined(deltas: &[Entry]) -> Entry {
    deltas.iter().fold(Entry::new(), |mut sum, delta| {
        sum.join(delta.clone());
        sum
    })
}

pub(crate) fn put(text: &str) -> Operation {
    Operation::Put(Value::from(text))
}

/// A set of texts as it reads: in the order of canonical bytes.
pub(crate) fn set(elements: &[&str]) -> Value {
    let mut payloads: Vec<Payload> = elements
        .iter()
        .map(|e| Payload::element(&Value::from(*e)))
        .collect();
    payloads.sort();
    Value::List(payloads.iter().filter_map(Payload::value).collect())
}

/// A map of texts.
pub(crate) fn map(fields: &[(&str, &str)]) -> Value {
    let fields = fields.iter();
    Value::Map(
        fields
            .map(|(name, text)| ((*name).to_owned(), Value::from(*text)))
            .collect(),
    )
}

pub(crate) fn insert(element: &str) -> Operation {
    Operation::Insert(Value::from(element))
}

pub(crate) fn remove(element: &str) -> Operation {
    Operation::Remove(Value::from(element))
}

pub(crate) fn put_field(name: &str, text: &str) -> Operation {
    Operation::PutField(name.to_owned(), Value::from(text))
}

pub(crate) fn unset(name: &str) -> Operation {
    Operation::UnsetField(name.to_owned())
}

pub(crate) fn pair() -> (Replica, Replica) {
    (Replica::new("agent-1"), Replica::new("agent-2"))
}

/// Every order of a few things.
pub(crate) fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(at);
        all.extend(
            orders(&rest)
                .into_iter()
                .map(|tail| [vec![first.clone()], tail].concat()),
        );
    }
    all
}
