//! What the log of commits has of each, as it is encoded.

use bincode::{Decode, Encode};
use bytes::Bytes;
use sync_core::codec::{self, List};
use sync_core::{
    AgentId, Key, MergeRule, PastCommit, PastKind, PastLoss, PastValue, PastWrite, Revision, RowOp,
    Version, WriteId,
};

use super::{keys, put};

/// What holds for all keys of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct CommitHead {
    pub(crate) from: Origin,
    /// When, by the hub's clock, in milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// Where a commit comes from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Origin {
    /// From the hub, or from several at once.
    Several,
    /// All of it from this one.
    One(AgentId),
    /// From a vote on what this one had proposed, who need not have known that it was approved.
    Vote(AgentId),
}

impl Origin {
    /// In whose name it is told.
    fn by(&self) -> Option<&AgentId> {
        match self {
            Self::Several => None,
            Self::One(agent) | Self::Vote(agent) => Some(agent),
        }
    }
}

/// What a commit did to a key, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct KeyRecord {
    pub(crate) key: Key,
    pub(crate) before: Version,
    pub(crate) version: Version,
    /// The key's commit before this one; 0 if there is none.
    pub(crate) previous: Revision,
    pub(crate) kind: PastKind,
}

/// What is told of it beside its numbers. A value that is that of the one write that came is kept once.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Told {
    pub(crate) rule: Option<MergeRule>,
    value: PastValue,
    same: bool,
    writes: List<PastWrite>,
    pub(crate) lost: List<PastLoss>,
    pub(crate) replaced: List<WriteId>,
    pub(crate) unnamed: u32,
}

impl Told {
    /// With neither losses nor a rule yet.
    pub(crate) fn new(mut value: PastValue, writes: List<PastWrite>) -> Self {
        let same = matches!(&writes[..], [write] if write.value == value);
        if same {
            value.value = None;
        }
        Self {
            rule: None,
            value,
            same,
            writes,
            lost: List::default(),
            replaced: List::default(),
            unnamed: 0,
        }
    }

    /// The value that the key came to.
    pub(crate) fn value(&self) -> PastValue {
        match self.writes.first() {
            Some(write) if self.same => write.value.clone(),
            _ => self.value.clone(),
        }
    }
}

impl KeyRecord {
    /// What it is told as.
    pub(crate) fn commit(&self, revision: Revision, head: &CommitHead, told: Told) -> PastCommit {
        PastCommit {
            version: self.version,
            before: self.before,
            revision,
            at_ms: head.at_ms,
            by: head.from.by().cloned(),
            kind: self.kind,
            rule: told.rule,
            value: told.value(),
            writes: told.writes,
            lost: told.lost,
            replaced: told.replaced,
            unnamed: told.unnamed,
        }
    }

    /// Whether it only numbers the key's state anew: it stands between two commits that are told.
    pub(crate) fn is_link(&self) -> bool {
        self.version == self.before
    }
}

/// A commit as bytes: its head, and of each key two blocks, its numbers and what is told of it.
#[derive(Debug)]
pub(crate) struct CommitBytes {
    pub(crate) revision: Revision,
    bytes: Vec<u8>,
    /// Where the head ends.
    head: usize,
    /// Each with where it ends.
    keys: Vec<(Key, usize)>,
}

/// Bytes of a length before what it is of, and of a revision.
pub(super) const LENGTH_BYTES: usize = 4;
pub(super) const REVISION_BYTES: usize = 8;

/// What a commit of one key takes: it is encoded without having to move.
const ONE_KEY_BYTES: usize = 512;

impl CommitBytes {
    pub(crate) fn new(revision: Revision, head: &CommitHead) -> Self {
        let mut bytes = Vec::with_capacity(ONE_KEY_BYTES);
        push_block(&mut bytes, |bytes| codec::append_bytes(head, bytes));
        Self::of(revision, bytes)
    }

    /// With the block of a head.
    fn of(revision: Revision, bytes: Vec<u8>) -> Self {
        Self {
            revision,
            head: bytes.len(),
            bytes,
            keys: Vec::new(),
        }
    }

    /// The same commit without any keys.
    pub(super) fn emptied(revision: Revision, head: &Bytes) -> Self {
        let mut bytes = Vec::new();
        push_block(&mut bytes, |bytes| bytes.extend_from_slice(head));
        Self::of(revision, bytes)
    }

    /// Adds a key; they come in ascending order. Nothing is told of it where no history is kept.
    pub(crate) fn add(&mut self, record: &KeyRecord, told: Option<&Told>) {
        push_block(&mut self.bytes, |bytes| codec::append_bytes(record, bytes));
        push_block(&mut self.bytes, |bytes| {
            if let Some(told) = told {
                codec::append_bytes(told, bytes);
            }
        });
        self.keys.push((record.key.clone(), self.bytes.len()));
    }

    /// The same of what was read.
    pub(super) fn add_read(&mut self, key: Key, record: &Bytes, told: &[u8]) {
        for block in [&record[..], told] {
            push_block(&mut self.bytes, |bytes| bytes.extend_from_slice(block));
        }
        self.keys.push((key, self.bytes.len()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Bytes that it takes in a row.
    pub(crate) fn len(&self) -> usize {
        LENGTH_BYTES + REVISION_BYTES + self.bytes.len()
    }

    /// Puts it behind what is there.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        self.append_keys(&self.bytes[self.head..], out);
    }

    fn append_keys(&self, keys: &[u8], out: &mut Vec<u8>) {
        push_block(out, |out| {
            out.extend(self.revision.get().to_be_bytes());
            out.extend_from_slice(&self.bytes[..self.head]);
            out.extend_from_slice(keys);
        });
    }

    /// Rows of this commit alone, none of more than so many bytes unless it is of one key.
    pub(crate) fn to_parts(&self, bytes_max: usize) -> Vec<RowOp> {
        let mut rows = Vec::new();
        let mut begin = self.head;
        for (at, (key, end)) in self.keys.iter().enumerate() {
            let next = self.keys.get(at + 1).map(|(_, end)| *end);
            if next.is_some_and(|next| next - begin <= bytes_max) {
                continue;
            }
            let mut value = Vec::new();
            self.append_keys(&self.bytes[begin..*end], &mut value);
            rows.push(put(keys::part(self.revision, key), value.into()));
            begin = *end;
        }
        rows
    }
}

/// Puts bytes behind what is there, with their length before them.
fn push_block(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend([0; LENGTH_BYTES]);
    write(out);
    // One commit is far below 4 GiB: values are left out if they are large.
    let length = out.len() - begin - LENGTH_BYTES;
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out[begin..begin + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}
