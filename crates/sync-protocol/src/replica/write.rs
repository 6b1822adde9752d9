//! Local writes: checked, joined, durable, then acknowledged and pushed.

use sync_core::{
    Ack, Context, Cursor, Durability, Entry, Key, Now, Operation, OperationError, Payload,
    RequestError, Resolver, Resolvers, RowOp, Value, WriteId, Writer,
    planted::{self, Planted},
};

use super::level::{Climb, Tells};
use super::{Outbox, Outcome, Replica, RequestId, Wanted, room};
use crate::compose::{self, Author};
use crate::config::Limits;
use crate::free::takes_away;
use crate::keyspace::{Changes, KeyState};
use crate::rows;

/// A write and its delta; none if the operation had nothing to do.
pub(super) type Made = Option<(WriteId, Entry)>;

impl Replica {
    pub(super) fn write(
        &mut self,
        now: Now,
        request: RequestId,
        key: &Key,
        operation: &Operation,
        metadata: Option<Value>,
        wanted: Option<Wanted>,
    ) {
        let possible = wanted.map_or(Ok(()), |wanted| self.check_level(wanted.level));
        let prepared = possible.and_then(|()| self.prepare(now, key, operation, metadata));
        match prepared {
            Err(error) => self.answer(request, Err(error)),
            Ok(made) => self.settle_write(now, request, key, made, Vec::new(), wanted),
        }
        self.push_pending(now);
    }

    /// Makes a write durable, in one batch with `rows`, and acknowledges it as its policy says.
    pub(super) fn settle_write(
        &mut self,
        now: Now,
        request: RequestId,
        key: &Key,
        made: Made,
        rows: Vec<RowOp>,
        wanted: Option<Wanted>,
    ) {
        let Some((id, delta)) = made else {
            if !rows.is_empty() {
                self.persist(rows);
            }
            let durability = self.config.durability;
            return self.acknowledge(request, None, durability);
        };
        let policy = self.policies().of(key).and_then(|p| p.durability);
        let level = policy.unwrap_or(self.config.durability);
        let level = wanted.map_or(level, |wanted| level.max(wanted.level));
        if level == Durability::Memory {
            // Before the batch: what is said from here on waits for it.
            self.acknowledge(request, Some(id.clone()), level);
        }
        self.keep(key, &id, delta, rows);
        self.send_ahead(key);
        match level {
            Durability::Memory => {}
            Durability::Hub if planted::is(Planted::HubLevelBeforeHub) => {
                self.acknowledge(request, Some(id), level);
            }
            Durability::Hub | Durability::Replicas(_) => {
                let timeout = wanted.map_or(self.config.ack_timeout, |wanted| wanted.timeout);
                let climb = Climb {
                    write: id,
                    level,
                    tells: Tells::Ack,
                };
                self.climb(now, request, climb, timeout);
            }
            _ => self.acknowledge(request, Some(id), self.config.durability),
        }
    }

    fn acknowledge(
        &mut self,
        request: RequestId,
        write_id: Option<WriteId>,
        durability: Durability,
    ) {
        let ack = Ack {
            write_id,
            durability,
            revision: None,
            epoch: None,
        };
        self.answer(request, Ok(Outcome::Written(ack)));
    }

    /// Everything that can be refused is refused here, before any state changes.
    pub(super) fn prepare(
        &mut self,
        now: Now,
        key: &Key,
        operation: &Operation,
        metadata: Option<Value>,
    ) -> Result<Made, RequestError> {
        if self.reentering && planted::is(Planted::DeafOnceReset) {
            return Ok(None);
        }
        let limit = compose::value_bytes_max(key, &self.config.limits, self.policies());
        compose::check_operation(operation, limit)?;
        let metadata = compose::metadata(metadata)?;
        if !takes_away(operation) {
            self.free
                .check(|| format!("the agent {}", self.config.agent))?;
        }
        let (waiting, priority) = (self.outbox.bytes(), self.policies().priority_of(key));
        room::check(waiting, self.config.limits.outbox_bytes_max, priority)?;
        let empty = Entry::new();
        let entry = self.space.get(key).map_or(&empty, KeyState::entry);
        let entry = &*self.seen_part(key, entry);
        let rule = rule_of(&self.resolvers, &self.outbox, &self.me, key, entry)
            .or_else(|| self.resolvers.of_operation(key, operation));
        let Some(rule) = rule else { return Ok(None) };
        check_siblings(rule, operation, entry, &self.config.limits)?;
        let author = Author {
            writer: &self.me,
            seq: self.seq.next(),
            seen: self.cursor.as_ref().map(Cursor::seen),
            metadata,
        };
        let made = compose::compose(rule, operation, entry, author, &mut self.clock, now);
        let is_deleted = || entry.is_live() && rule.fold(entry).is_none();
        let refused = made.map_err(|error| match error {
            OperationError::Rule { operation, rule } if is_deleted() => {
                OperationError::Deleted { operation, rule }
            }
            error => self.resolvers.refusal(key, operation, error),
        });
        Ok(refused?)
    }

    fn keep(&mut self, key: &Key, id: &WriteId, delta: Entry, rows: Vec<RowOp>) {
        self.seq = id.seq;
        self.traces.wrote(id.seq, key);
        let mut changes = Changes::default();
        let joined = self.space.join(key, delta.clone());
        let mut replaced = Context::new();
        for (gone, _) in &joined.removed {
            replaced.insert_id(gone);
        }
        changes.record(key, joined);
        let run = (self.me.incarnation(), id.seq);
        let awaited = self.waiting.awaited().max(self.climbs.awaited(&self.me));
        let (row, covered) = self.outbox.push(run, key, delta, replaced, awaited);
        let mut ops = self.space.rows(&changes);
        ops.push(row);
        ops.extend(rows);
        ops.extend(
            covered
                .into_iter()
                .map(|(run, seq)| rows::delete_outbox(run, seq)),
        );
        self.persist(ops);
    }

    /// The rule of an entry, as this replica knows it.
    pub(super) fn rule_of(&self, key: &Key, entry: &Entry) -> Option<&dyn Resolver> {
        rule_of(&self.resolvers, &self.outbox, &self.me, key, entry)
    }
}

/// The rule of an entry: that of what the hub has committed, else that of own writes. Only where writes
/// of several rules met it matters which those are; else thousands that wait would be looked through at
/// each one more.
fn rule_of<'a>(
    resolvers: &'a Resolvers,
    outbox: &Outbox,
    me: &Writer,
    key: &Key,
    entry: &Entry,
) -> Option<&'a dyn Resolver> {
    let waits =
        |id: &WriteId| Outbox::key_of(me, id).is_some_and(|(run, seq)| outbox.waits(run, seq));
    let committed = || resolvers.of_entry(key, entry, |id| !waits(id));
    let agreed = resolvers.of_all(key, entry).or_else(committed);
    agreed.or_else(|| resolvers.of_entry(key, entry, |_| true))
}

/// A replica that cannot decide must not pile up concurrent values without bound.
fn check_siblings(
    rule: &dyn Resolver,
    operation: &Operation,
    entry: &Entry,
    limits: &Limits,
) -> Result<(), RequestError> {
    let hidden = match operation {
        // What other fields hide is none of this one's business.
        Operation::PutField(name, _) | Operation::UnsetField(name) => {
            Payload::unset(name).map_or(0, |field| entry.part(&field).count())
        }
        // Deleting makes fewer of them.
        Operation::Delete => 0,
        _ => rule.hidden(entry),
    };
    let limit = limits.siblings_max;
    if hidden > limit {
        let (siblings, limit) = (hidden as u64, limit as u64);
        return Err(RequestError::TooManySiblings { siblings, limit });
    }
    Ok(())
}
