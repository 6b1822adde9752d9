//! Rows, read back.

use bytes::Bytes;
use sync_core::codec::{self, List};
use sync_core::{
    AgentId, Context, DecodeError, Entry, Incarnation, Key, Namespace, Payload, Policies, Policy,
    Receipt, Row, Segment, Seq, Write, WriteId, Writer,
};

use super::keys::outbox_numbers;
use super::{JournalRow, Meta, RowError, kind};
use crate::hub::{Answered, Grave, Lifetime, Opened, Remembered, Run, StoredVote};
use crate::replica::{Delivered, Noted, OwnVote};

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
    Fate(Noted),
    Delivered(Delivered),
    Adopted(Segment),
    Policies(Policies),
    Lifetime(Key, Lifetime),
    /// Whether it stands for many.
    Grave(Key, Grave, bool),
    /// With its number among the values of the memory.
    Memory(Namespace, Key, u64, Payload),
    /// With the number of the last value that is gone.
    Cleared(Namespace, u64),
    Poll(Opened),
    Vote(StoredVote),
    Decision(Remembered),
    OwnVote(OwnVote),
    Answered(Answered),
    /// In milliseconds.
    LongestLease(u64),
    Journal(JournalRow),
    /// Read when it is asked for.
    Past,
    /// Of the past, in a format that is not read any more.
    Outdated,
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
        kind::DELIVERED => Stored::Delivered(codec::from_bytes("delivered row", value)?),
        kind::GRAVE => {
            let (key, forgotten, grave) = codec::from_bytes("grave row", value)?;
            Stored::Grave(key, grave, forgotten)
        }
        kind::LIFETIME => {
            let (key, lifetime) = codec::from_bytes("lifetime row", value)?;
            Stored::Lifetime(key, lifetime)
        }
        kind::MEMORY => {
            let (namespace, key, number, payload) = codec::from_bytes("memory row", value)?;
            Stored::Memory(namespace, key, number, payload)
        }
        kind::CLEARED => {
            let (namespace, number) = codec::from_bytes("cleared row", value)?;
            Stored::Cleared(namespace, number)
        }
        kind::POLICIES => Stored::Policies(read_policies(value)?),
        kind::REPAIR => Stored::Repair(Segment::decode(value)?),
        kind::POLL => Stored::Poll(codec::from_bytes("poll row", value)?),
        kind::VOTE => Stored::Vote(codec::from_bytes("vote row", value)?),
        kind::DECISION => Stored::Decision(codec::from_bytes("decision row", value)?),
        kind::ANSWERED => Stored::Answered(codec::from_bytes("answer row", value)?),
        kind::LEASE => Stored::LongestLease(codec::from_bytes("lease row", value)?),
        kind::OWN_VOTE => Stored::OwnVote(codec::from_bytes("own vote row", value)?),
        // An earlier format had a row for each commit.
        kind::JOURNAL if row.key.len() > 1 => Stored::Outdated,
        kind::JOURNAL => Stored::Journal(codec::from_bytes("journal row", value)?),
        kind::CHUNK | kind::OUTDATED => Stored::Past,
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
