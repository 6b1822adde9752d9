//! How machines lay their state out in a store: one row per live write, a header row per key, and
//! small rows for the rest. A commit writes only the rows it changes.
//!
//! A row key is a kind byte followed by length-prefixed names and big-endian numbers, so that rows of
//! a kind are contiguous and a key's header (`h`) is met before its writes (`w`).

use bincode::{Decode, Encode};
use bytes::Bytes;
use thiserror::Error;

use sync_core::codec::{self, List};
use sync_core::segment;
use sync_core::{
    AgentId, Context, Cursor, DecodeError, Entry, Incarnation, Key, Policies, Policy, Receipt,
    Revision, Row, RowOp, Segment, Seq, Stamp, Version, Write, WriteId, Writer,
};

use crate::hub::{Grave, Run};

/// Stored rows that are not this node's. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RowError {
    /// A row does not read as what its key says.
    #[error("the stored row {row} cannot be read: {reason}")]
    Unreadable {
        /// The row's key, escaped.
        row: String,
        /// What does not fit.
        reason: String,
    },
    /// The rows are another node's.
    #[error(
        "the stored state belongs to {held}, not to {opened}; use another directory, or start the node it belongs to"
    )]
    Owner {
        /// Whose they are.
        held: Owner,
        /// Who was to read them.
        opened: Owner,
    },
}

impl RowError {
    /// A row that does not read as what its key says.
    pub(crate) fn unreadable(row: &Row, reason: impl Into<String>) -> Self {
        Self::Unreadable {
            row: row.key.escape_ascii().to_string(),
            reason: reason.into(),
        }
    }
}

/// Whose rows they are: a directory opened by the wrong node would lock the right one out.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_enums, reason = "there are two kinds of nodes")]
pub enum Owner {
    /// The hub of the swarm.
    Hub,
    /// An agent.
    Agent(AgentId),
}

impl Owner {
    /// Refuses rows of another node.
    pub(crate) fn check(&self, opened: &Self) -> Result<(), RowError> {
        if self == opened {
            return Ok(());
        }
        let (held, opened) = (self.clone(), opened.clone());
        Err(RowError::Owner { held, opened })
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hub => f.write_str("a hub"),
            Self::Agent(agent) => write!(f, "the agent {agent}"),
        }
    }
}

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

/// A row, read.
#[derive(Debug)]
pub(crate) enum Stored {
    Meta(Meta),
    Header(Segment),
    Write(Key, WriteId, Write),
    Known(Writer, Seq),
    Run(Run),
    Member(AgentId),
    Receipt(Receipt),
    Outbox(Incarnation, Seq, Waiting),
    Repair(Segment),
    Fate(Receipt),
    Adopted(Segment),
    Policies(Policies),
    Expiry(Key, u64),
    Graves(Key, Vec<Grave>),
}

/// An outbox row's content.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) key: Key,
    pub(crate) delta: Entry,
    pub(crate) segment: Bytes,
    /// What it replaced here.
    pub(crate) replaced: Context,
}

mod kind {
    pub(super) const MEMBER: u8 = b'a';
    pub(super) const RUN: u8 = b'e';
    pub(super) const FATE: u8 = b'f';
    pub(super) const ADOPTED: u8 = b'd';
    pub(super) const GRAVES: u8 = b'g';
    pub(super) const HEADER: u8 = b'h';
    pub(super) const KNOWN: u8 = b'k';
    /// Sorts before all others: it says whose rows follow.
    pub(super) const META: u8 = b'M';
    pub(super) const OUTBOX: u8 = b'o';
    pub(super) const POLICIES: u8 = b'P';
    pub(super) const REPAIR: u8 = b'p';
    pub(super) const RECEIPT: u8 = b'r';
    pub(super) const EXPIRY: u8 = b't';
    pub(super) const WRITE: u8 = b'w';
}

pub(crate) fn put_meta(meta: &Meta) -> RowOp {
    put(vec![kind::META], codec::to_bytes(meta))
}

pub(crate) fn put_header(
    key: &Key,
    version: Version,
    revision: Revision,
    context: &Context,
) -> RowOp {
    let entry = Entry::covering(context.clone());
    put(
        header_key(key),
        segment::encode_parts(key, version, revision, &entry),
    )
}

pub(crate) fn put_write(key: &Key, id: &WriteId, write: &Write) -> RowOp {
    put(write_key(key, id), segment::encode_write(key, id, write))
}

pub(crate) fn delete_write(key: &Key, id: &WriteId) -> RowOp {
    delete(write_key(key, id))
}

pub(crate) fn put_known(writer: &Writer, seq: Seq) -> RowOp {
    let id = WriteId::new(writer.clone(), seq);
    let mut key = vec![kind::KNOWN];
    push_name(&mut key, writer.agent().as_str());
    key.extend(writer.incarnation().bits().to_be_bytes());
    put(key, codec::to_bytes(&id))
}

pub(crate) fn put_run(run: &Run) -> RowOp {
    put(run_key(run), codec::to_bytes(run))
}

pub(crate) fn delete_run(run: &Run) -> RowOp {
    delete(run_key(run))
}

pub(crate) fn put_member(agent: &AgentId) -> RowOp {
    put(member_key(agent), codec::to_bytes(agent))
}

pub(crate) fn delete_member(agent: &AgentId) -> RowOp {
    delete(member_key(agent))
}

pub(crate) fn put_receipt(receipt: &Receipt) -> RowOp {
    put(receipt_key(&receipt.write), codec::to_bytes(receipt))
}

pub(crate) fn delete_receipt(write: &WriteId) -> RowOp {
    delete(receipt_key(write))
}

/// No row if nothing is left.
pub(crate) fn put_adopted(key: &Key, dead: &Context) -> RowOp {
    let row = [&[kind::ADOPTED], key.as_str().as_bytes()].concat();
    if dead.is_empty() {
        delete(row)
    } else {
        put(row, covering(key, dead))
    }
}

pub(crate) fn put_policies(policies: &Policies) -> RowOp {
    put(vec![kind::POLICIES], codec::to_bytes(&policies.to_list()))
}

/// No row if there are none.
pub(crate) fn put_graves(key: &Key, graves: List<Grave>) -> RowOp {
    let row = [&[kind::GRAVES], key.as_str().as_bytes()].concat();
    if graves.is_empty() {
        delete(row)
    } else {
        put(row, codec::to_bytes(&(key.clone(), graves)))
    }
}

/// When a key ends, in milliseconds since 1970.
pub(crate) fn put_expiry(key: &Key, end: u64) -> RowOp {
    put(expiry_key(key), codec::to_bytes(&(key.clone(), end)))
}

pub(crate) fn delete_expiry(key: &Key) -> RowOp {
    delete(expiry_key(key))
}

pub(crate) fn put_fate(fate: &Receipt) -> RowOp {
    put(fate_key(&fate.write), codec::to_bytes(fate))
}

pub(crate) fn delete_fate(write: &WriteId) -> RowOp {
    delete(fate_key(write))
}

pub(crate) fn put_outbox(
    run: Incarnation,
    seq: Seq,
    key: &Key,
    segment: &Bytes,
    replaced: &Context,
) -> RowOp {
    let pair = (segment.to_vec(), covering(key, replaced).to_vec());
    put(outbox_key(run, seq), codec::to_bytes(&pair))
}

pub(crate) fn delete_outbox(run: Incarnation, seq: Seq) -> RowOp {
    delete(outbox_key(run, seq))
}

pub(crate) fn put_repair(key: &Key, undone: &Context) -> RowOp {
    put(repair_key(key), covering(key, undone))
}

/// A set of ids, as the segment of a state that covers them.
fn covering(key: &Key, ids: &Context) -> Bytes {
    let entry = Entry::covering(ids.clone());
    segment::encode_parts(key, Version::default(), Revision::default(), &entry)
}

pub(crate) fn delete_repair(key: &Key) -> RowOp {
    delete(repair_key(key))
}

/// Reads a row back.
pub(crate) fn read(row: &Row) -> Result<Stored, RowError> {
    read_value(row)
        .map_err(|e| RowError::unreadable(row, e.to_string()))?
        .ok_or_else(|| RowError::unreadable(row, "unknown kind"))
}

fn read_value(row: &Row) -> Result<Option<Stored>, DecodeError> {
    let value = &row.value;
    let Some(&kind) = row.key.first() else {
        return Ok(None);
    };
    Ok(Some(match kind {
        kind::META => Stored::Meta(codec::from_bytes("meta row", value)?),
        kind::HEADER => Stored::Header(Segment::decode(value)?),
        kind::WRITE => {
            let segment = Segment::decode(value)?;
            let (mut writes, _) = segment.entry.into_parts();
            let Some((id, write)) = writes.next() else {
                return Ok(None);
            };
            Stored::Write(segment.key, id, write)
        }
        kind::KNOWN => {
            let id: WriteId = codec::from_bytes("known row", value)?;
            Stored::Known(id.writer, id.seq)
        }
        kind::RUN => Stored::Run(codec::from_bytes("run row", value)?),
        kind::MEMBER => Stored::Member(codec::from_bytes("member row", value)?),
        kind::RECEIPT => Stored::Receipt(codec::from_bytes("receipt row", value)?),
        kind::OUTBOX => {
            let Some((run, seq)) = outbox_numbers(&row.key) else {
                return Ok(None);
            };
            Stored::Outbox(run, seq, read_waiting(value)?)
        }
        kind::ADOPTED => Stored::Adopted(Segment::decode(value)?),
        kind::FATE => Stored::Fate(codec::from_bytes("fate row", value)?),
        kind::GRAVES => {
            let (key, List(graves)) = codec::from_bytes("graves row", value)?;
            Stored::Graves(key, graves)
        }
        kind::EXPIRY => {
            let (key, end) = codec::from_bytes("expiry row", value)?;
            Stored::Expiry(key, end)
        }
        kind::POLICIES => Stored::Policies(read_policies(value)?),
        kind::REPAIR => Stored::Repair(Segment::decode(value)?),
        _ => return Ok(None),
    }))
}

fn read_policies(value: &Bytes) -> Result<Policies, DecodeError> {
    const WHAT: &str = "policies row";
    let List(policies): List<Policy> = codec::from_bytes(WHAT, value)?;
    Policies::new(policies).map_err(|e| DecodeError::Malformed {
        what: WHAT,
        offset: 0,
        reason: e.to_string(),
    })
}

fn read_waiting(value: &Bytes) -> Result<Waiting, DecodeError> {
    let (segment, replaced): (Vec<u8>, Vec<u8>) = codec::from_bytes("outbox row", value)?;
    let Segment { key, entry, .. } = Segment::decode(&segment)?;
    let (_, replaced) = Segment::decode(&replaced)?.entry.into_parts();
    Ok(Waiting {
        key,
        delta: entry,
        segment: segment.into(),
        replaced,
    })
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

fn push_name(key: &mut Vec<u8>, name: &str) {
    // Names have at most 1,024 bytes, checked when they were made.
    key.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    key.extend(name.as_bytes());
}

fn push_id(key: &mut Vec<u8>, id: &WriteId) {
    push_name(key, id.writer.agent().as_str());
    key.extend(id.writer.incarnation().bits().to_be_bytes());
    key.extend(id.seq.get().to_be_bytes());
}

fn header_key(key: &Key) -> Vec<u8> {
    [&[kind::HEADER], key.as_str().as_bytes()].concat()
}

fn write_key(key: &Key, id: &WriteId) -> Vec<u8> {
    let mut row = vec![kind::WRITE];
    push_name(&mut row, key.as_str());
    push_id(&mut row, id);
    row
}

fn run_key(run: &Run) -> Vec<u8> {
    let mut row = vec![kind::RUN];
    row.extend(run.ordinal.to_be_bytes());
    row.extend(run.epoch.bits().to_be_bytes());
    row
}

fn member_key(agent: &AgentId) -> Vec<u8> {
    [&[kind::MEMBER], agent.as_str().as_bytes()].concat()
}

fn receipt_key(write: &WriteId) -> Vec<u8> {
    let mut row = vec![kind::RECEIPT];
    push_id(&mut row, write);
    row
}

fn fate_key(write: &WriteId) -> Vec<u8> {
    let mut row = vec![kind::FATE];
    push_id(&mut row, write);
    row
}

fn outbox_key(run: Incarnation, seq: Seq) -> Vec<u8> {
    let mut row = vec![kind::OUTBOX];
    row.extend(run.bits().to_be_bytes());
    row.extend(seq.get().to_be_bytes());
    row
}

fn outbox_numbers(row: &[u8]) -> Option<(Incarnation, Seq)> {
    let (run, seq) = row.get(1..)?.split_at_checked(8)?;
    let run = u64::from_be_bytes(run.try_into().ok()?);
    let seq = u64::from_be_bytes(seq.try_into().ok()?);
    Some((Incarnation::from_random(run), Seq::new(seq)))
}

fn expiry_key(key: &Key) -> Vec<u8> {
    [&[kind::EXPIRY], key.as_str().as_bytes()].concat()
}

fn repair_key(key: &Key) -> Vec<u8> {
    [&[kind::REPAIR], key.as_str().as_bytes()].concat()
}
