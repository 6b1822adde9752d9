//! From an operation to the delta that carries it: the same at a replica and at the hub.

use sync_core::{
    Entry, HybridClock, Key, Metadata, Note, Now, Operation, OperationError, Payload, Policies,
    RequestError, Resolver, Seen, Seq, Span, Stamp, Value, Write, WriteId, Writer,
    planted::{self, Planted},
};

use crate::config::Limits;

/// Who writes, and what it knows.
#[derive(Debug)]
pub(crate) struct Author<'a> {
    pub(crate) writer: &'a Writer,
    /// The number that the write will have.
    pub(crate) seq: Seq,
    pub(crate) seen: Option<Seen>,
    pub(crate) metadata: Option<Metadata>,
}

/// What a write becomes, or `None` if the operation has nothing to do.
pub(crate) fn compose(
    rule: &dyn Resolver,
    operation: &Operation,
    entry: &Entry,
    author: Author<'_>,
    clock: &mut HybridClock,
    now: Now,
) -> Result<Option<(WriteId, Entry)>, OperationError> {
    let Some(plan) = rule.plan(operation, entry, author.writer)? else {
        return Ok(None);
    };
    let id = WriteId::new(author.writer.clone(), author.seq);
    let prev = entry.context().last_of(author.writer).unwrap_or_default();
    let Some(payload) = plan.payload else {
        let mut context = plan.over;
        context.insert(Span::new(id.writer.clone(), prev.next(), id.seq));
        return Ok(Some((id, Entry::covering(context))));
    };
    let note = Note {
        metadata: author.metadata,
        seen: author.seen,
        attempt: None,
    };
    let stamp = clock.tick(now, plan.floor);
    let by_the_wall = planted::is(Planted::StampByTheWall);
    let write = Write {
        stamp: if by_the_wall {
            Stamp::at_millis(now.wall_ms)
        } else {
            stamp
        },
        payload,
        prev,
        over: plan.over,
        note: (note != Note::default()).then(|| Box::new(note)),
    };
    Ok(Some((id.clone(), Entry::of_write(id, write))))
}

/// Refuses a value that is nested too deep or over the limit, before anything is acknowledged.
pub(crate) fn check_operation(operation: &Operation, limit: u64) -> Result<(), RequestError> {
    match operation {
        Operation::Put(value) | Operation::Insert(value) | Operation::Remove(value) => {
            put_within(value, limit).map(|_| ())
        }
        Operation::PutField(name, value) => {
            value.check_depth()?;
            check_size(&Payload::field(name, value)?, limit)
        }
        _ => Ok(()),
    }
}

/// The payload of a value; refuses one that is nested too deep or over the limit.
pub(crate) fn put_within(value: &Value, limit: u64) -> Result<Payload, RequestError> {
    value.check_depth()?;
    let payload = Payload::put(value);
    check_size(&payload, limit)?;
    Ok(payload)
}

/// Refuses a payload over the limit.
pub(crate) fn check_size(payload: &Payload, limit: u64) -> Result<(), RequestError> {
    let bytes = payload.as_bytes().len() as u64;
    if bytes > limit {
        return Err(RequestError::TooLarge { bytes, limit });
    }
    Ok(())
}

/// The largest encoded value of one write to `key`, in bytes.
pub(crate) fn value_bytes_max(key: &Key, limits: &Limits, policies: &Policies) -> u64 {
    let limit = limits.value_bytes_max as u64;
    let policy = policies.of(key).and_then(|p| p.max_value_bytes);
    policy.map_or(limit, |own| own.min(limit))
}

/// User metadata from a value that must be a map.
pub(crate) fn metadata(value: Option<Value>) -> Result<Option<Metadata>, RequestError> {
    match value {
        None => Ok(None),
        Some(Value::Map(map)) => Ok(Some(Metadata::new(map)?)),
        Some(_) => Err(RequestError::Invalid {
            reason: "metadata must be a map from names to values".to_owned(),
        }),
    }
}
