//! How machines lay their state out in a store: one row per live write, a header row per key, and
//! small rows for the rest. A commit writes only the rows it changes.
//!
//! A row key is a kind byte followed by length-prefixed names and big-endian numbers, so that rows of
//! a kind are contiguous and a key's header (`h`) is met before its writes (`w`).

mod authority;
mod chunk;
mod commit;
mod keys;
mod kind;
mod owner;
mod past;
mod read;
mod votes;

use bincode::{Decode, Encode};
use bytes::Bytes;
use sync_core::codec;
use sync_core::segment;
use sync_core::{
    AgentId, Context, Cursor, Entry, Incarnation, Key, Namespace, Payload, Policies, Receipt,
    Revision, RowOp, Seq, Stamp, Version, Write, WriteId, Writer,
    planted::{self, Planted},
};

pub(crate) use self::authority::{delete_answered, put_answered, put_longest_lease};
pub(crate) use self::chunk::{Chunk, Keep, Record, put_chunk};
pub(crate) use self::commit::{CommitBytes, CommitHead, KeyRecord, Origin, Told};
pub use self::owner::{Owner, RowError};
pub use self::past::RowRange;
pub(crate) use self::past::{
    JournalRow, chunk_of, chunks_from, delete_outdated, is_outdated, is_past, put_journal,
};
pub(crate) use self::read::{Stored, Waiting, read};
pub(crate) use self::votes::{
    delete_decision, delete_own_vote, delete_poll, delete_vote, put_decision, put_own_vote,
    put_poll, put_vote,
};
use crate::hub::{Grave, Lifetime, Run};
use crate::replica::{Delivered, Noted};

/// The one row that every batch of a machine renews.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Meta {
    /// Whose rows these are.
    pub(crate) owner: Owner,
    /// The greatest stamp issued or adopted: the clock's high-water mark.
    pub(crate) high_water: Stamp,
    /// At a hub its last revision.
    pub(crate) revision: Revision,
    /// At a replica its position in the hub's log.
    pub(crate) cursor: Option<Cursor>,
    /// At a replica whether it exchanges everything because a hub could not serve its cursor.
    pub(crate) reentering: bool,
}

impl Meta {
    /// What the clock of the next run goes on from.
    pub(crate) fn high_water(&self) -> Stamp {
        if planted::is(Planted::HighWaterForgotten) {
            return Stamp::default();
        }
        self.high_water
    }
}

pub(crate) fn put_meta(meta: &Meta) -> RowOp {
    put(keys::meta(), codec::to_bytes(meta))
}

pub(crate) fn put_header(
    key: &Key,
    version: Version,
    revision: Revision,
    context: &Context,
) -> RowOp {
    let entry = Entry::covering(context.clone());
    put(
        keys::header(key),
        segment::encode_parts(key, version, revision, &entry),
    )
}

pub(crate) fn put_write(key: &Key, id: &WriteId, write: &Write) -> RowOp {
    put(keys::write(key, id), segment::encode_write(key, id, write))
}

pub(crate) fn delete_write(key: &Key, id: &WriteId) -> RowOp {
    delete(keys::write(key, id))
}

pub(crate) fn put_known(writer: &Writer, seq: Seq) -> RowOp {
    let id = WriteId::new(writer.clone(), seq);
    put(keys::known(writer), codec::to_bytes(&id))
}

pub(crate) fn put_run(run: &Run) -> RowOp {
    put(keys::run(run), codec::to_bytes(run))
}

pub(crate) fn delete_run(run: &Run) -> RowOp {
    delete(keys::run(run))
}

pub(crate) fn put_member(agent: &AgentId) -> RowOp {
    put(keys::member(agent), codec::to_bytes(agent))
}

pub(crate) fn delete_member(agent: &AgentId) -> RowOp {
    delete(keys::member(agent))
}

pub(crate) fn put_receipt(receipt: &Receipt) -> RowOp {
    put(keys::receipt(&receipt.write), codec::to_bytes(receipt))
}

pub(crate) fn delete_receipt(write: &WriteId) -> RowOp {
    delete(keys::receipt(write))
}

/// No row if nothing is left.
pub(crate) fn put_adopted(key: &Key, dead: &Context) -> RowOp {
    let row = keys::adopted(key);
    if dead.is_empty() {
        delete(row)
    } else {
        put(row, covering(key, dead))
    }
}

pub(crate) fn put_policies(policies: &Policies) -> RowOp {
    put(keys::policies(), codec::to_bytes(&policies.to_list()))
}

pub(crate) fn put_grave(key: &Key, grave: &Grave) -> RowOp {
    let row = keys::grave(key, &grave.delete);
    put(row, codec::to_bytes(&(key.clone(), false, grave.clone())))
}

pub(crate) fn delete_grave(key: &Key, grave: &Grave) -> RowOp {
    delete(keys::grave(key, &grave.delete))
}

/// The one that stands for those that are not known one by one any more.
pub(crate) fn put_forgotten(key: &Key, grave: &Grave) -> RowOp {
    let row = keys::forgotten(key);
    put(row, codec::to_bytes(&(key.clone(), true, grave.clone())))
}

pub(crate) fn delete_forgotten(key: &Key) -> RowOp {
    delete(keys::forgotten(key))
}

/// No row if nothing is known of it.
pub(crate) fn put_lifetime(key: &Key, lifetime: Option<Lifetime>) -> RowOp {
    let row = keys::lifetime(key);
    match lifetime {
        Some(lifetime) => put(row, codec::to_bytes(&(key.clone(), lifetime))),
        None => delete(row),
    }
}

pub(crate) fn put_fate(noted: &Noted) -> RowOp {
    put(keys::fate(noted.write()), codec::to_bytes(noted))
}

/// What one message of the hub has told of own writes.
pub(crate) fn put_delivered(told: &Delivered) -> RowOp {
    put(keys::delivered(), codec::to_bytes(told))
}

pub(crate) fn delete_fate(write: &WriteId) -> RowOp {
    delete(keys::fate(write))
}

pub(crate) fn put_outbox(
    run: Incarnation,
    seq: Seq,
    key: &Key,
    segment: &Bytes,
    replaced: &Context,
) -> RowOp {
    let pair = (segment.to_vec(), covering(key, replaced).to_vec());
    put(keys::outbox(run, seq), codec::to_bytes(&pair))
}

pub(crate) fn delete_outbox(run: Incarnation, seq: Seq) -> RowOp {
    delete(keys::outbox(run, seq))
}

pub(crate) fn put_repair(key: &Key, undone: &Context) -> RowOp {
    put(keys::repair(key), covering(key, undone))
}

pub(crate) fn delete_repair(key: &Key) -> RowOp {
    delete(keys::repair(key))
}

/// A value of the memory, the `number`th of the persistent ones.
pub(crate) fn put_memory(
    namespace: &Namespace,
    key: &Key,
    number: u64,
    payload: &Payload,
) -> RowOp {
    let row = (namespace.clone(), key.clone(), number, payload.clone());
    put(keys::memory(namespace, key), codec::to_bytes(&row))
}

pub(crate) fn delete_memory(namespace: &Namespace, key: &Key) -> RowOp {
    delete(keys::memory(namespace, key))
}

/// What a namespace held up to the `number`th value is gone, whatever rows there still are of it.
pub(crate) fn put_cleared(namespace: &Namespace, number: u64) -> RowOp {
    let row = (namespace.clone(), number);
    put(keys::cleared(namespace), codec::to_bytes(&row))
}

pub(crate) fn delete_cleared(namespace: &Namespace) -> RowOp {
    delete(keys::cleared(namespace))
}

/// A set of ids, as the segment of a state that covers them.
fn covering(key: &Key, ids: &Context) -> Bytes {
    let entry = Entry::covering(ids.clone());
    segment::encode_parts(key, Version::default(), Revision::default(), &entry)
}

fn put(key: Vec<u8>, value: Bytes) -> RowOp {
    RowOp::Put {
        key: key.into(),
        value,
    }
}

fn delete(key: Vec<u8>) -> RowOp {
    RowOp::Delete { key: key.into() }
}
