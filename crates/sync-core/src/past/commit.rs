//! One commit of one key, as it is remembered.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::codec::List;
use crate::cursor::Seen;
use crate::id::{AgentId, Revision, Version, WriteId};
use crate::payload::{Payload, PayloadKind};
use crate::receipt::{Reason, Receipt};
use crate::resolver::MergeRule;
use crate::stamp::Stamp;
use crate::value::Value;
use crate::write::{Metadata, Write};

/// One commit of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "what a hub remembers")]
pub struct PastCommit {
    /// The version that the key came to.
    pub version: Version,
    /// The version it had before; 0 if no commit had touched it.
    pub before: Version,
    /// The commit.
    pub revision: Revision,
    /// When, by the hub's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who brought it, or asked the hub for it; none if it came in a round from many, or is the hub's own.
    pub by: Option<AgentId>,
    /// What it did to the key.
    pub kind: PastKind,
    /// The rule that the key was under; none if nothing is live.
    pub rule: Option<MergeRule>,
    /// The value that the key came to.
    #[serde(flatten)]
    pub value: PastValue,
    /// The writes that came with it and stayed.
    pub writes: List<PastWrite>,
    /// The writes that lost with it.
    pub lost: List<PastLoss>,
    /// The writes that it knowingly replaced.
    pub replaced: List<WriteId>,
    /// How many more writes came, lost or were replaced than are named here.
    pub unnamed: u32,
}

/// What a commit did to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "what can happen to a key")]
pub enum PastKind {
    /// It has a value, which is new or may be.
    Changed,
    /// It has no value any more.
    Deleted,
    /// It has no value any more, because its lifetime has ended.
    Expired,
    /// It has no value any more, because somebody cleared it.
    Cleared,
    /// A function has made one value of several.
    Merged,
    /// It shows what it showed: what came had lost already or was refused, or it was numbered anew.
    Unchanged,
}

/// A value of the past.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "a value, or how large it was")]
pub struct PastValue {
    /// The value; none if there was none, or it is left out.
    pub value: Option<Value>,
    /// It is left out for its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omitted: Option<Omitted>,
}

/// How large a value is that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "what sizes are counted in")]
pub enum Omitted {
    /// In encoded bytes.
    Bytes(u64),
    /// In live writes that make it up.
    Parts(u64),
}

/// A write as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "what a hub remembers")]
pub struct PastWrite {
    /// Its identity, with its author.
    pub write: WriteId,
    /// When it was made.
    pub stamp: Stamp,
    /// What it did.
    pub did: Did,
    /// The field it is of, for a map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What it wrote.
    #[serde(flatten)]
    pub value: PastValue,
    /// How far its author had read the hub's log.
    pub seen: Option<Seen>,
    /// What its author has hung on it, a map: of one that was voted on, the proposal, its proposer and the
    /// voters. Left out if there is no room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// A write that lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "what a hub remembers")]
pub struct PastLoss {
    /// The write as it had come; how far its author had read is told as far as that is known.
    #[serde(flatten)]
    pub lost: PastWrite,
    /// Why it lost.
    #[serde(flatten)]
    pub why: LossReason,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "what operations come to")]
pub enum Did {
    /// Set the value of the key.
    Set,
    /// Deleted the key.
    Delete,
    /// Raised its author's contribution to a counter.
    Add,
    /// Added an element to a set.
    Insert,
    /// Set a field of a map.
    Put,
    /// Removed a field of a map.
    Unset,
    /// Removed all fields of a map.
    Clear,
    /// Claimed the key, or prolonged its claim.
    Claim,
}

/// Why a write lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "what can happen to a write")]
pub enum LossReason {
    /// A concurrent one won.
    Superseded {
        /// The winner.
        winner: WriteId,
        /// When the winner was made.
        winner_stamp: Stamp,
        /// The rule that decided.
        rule: MergeRule,
    },
    /// A function has made one value out of it and others.
    Merged {
        /// The function's name.
        by: String,
        /// The write that holds the value.
        into: WriteId,
    },
    /// It was not admitted, or nobody knows any more.
    Refused {
        /// The sentence that its author got.
        sentence: String,
    },
}

impl PastValue {
    /// A payload's value, or its size if that is over `room`.
    pub fn of(payload: &Payload, room: usize) -> Self {
        let bytes = payload.as_bytes().len();
        if bytes > room {
            return Self::omitted(Omitted::Bytes(bytes as u64));
        }
        Self::from(payload.value())
    }

    /// One that is left out.
    pub fn omitted(size: Omitted) -> Self {
        Self {
            value: None,
            omitted: Some(size),
        }
    }
}

impl From<Option<Value>> for PastValue {
    fn from(value: Option<Value>) -> Self {
        Self {
            value,
            omitted: None,
        }
    }
}

impl PastWrite {
    /// A write, without its value if that takes more than `room` bytes, and without its metadata if
    /// there is no room left for that.
    pub fn of(id: &WriteId, write: &Write, room: usize) -> Self {
        let bytes = write.payload.as_bytes().len();
        let left = room.checked_sub(bytes).unwrap_or(room);
        let metadata = write.metadata().filter(|m| m.as_bytes().len() <= left);
        Self {
            write: id.clone(),
            stamp: write.stamp,
            did: Did::of(write.payload.kind()),
            field: write.payload.field_name().map(str::to_owned),
            value: PastValue::of(&write.payload, room),
            seen: write.seen(),
            metadata: metadata.map(Metadata::value),
        }
    }
}

impl PastLoss {
    /// What a receipt tells, without the value that was lost if that takes more than `room` bytes.
    pub fn of(receipt: &Receipt, seen: Option<Seen>, room: usize) -> Self {
        Self {
            lost: PastWrite {
                write: receipt.write.clone(),
                stamp: receipt.stamp,
                did: Did::of(receipt.discarded.kind()),
                field: receipt.discarded.field_name().map(str::to_owned),
                value: PastValue::of(&receipt.discarded, room),
                seen,
                metadata: None,
            },
            why: LossReason::of(receipt),
        }
    }
}

impl Did {
    fn of(kind: PayloadKind) -> Self {
        match kind {
            PayloadKind::Put | PayloadKind::Decreed => Self::Set,
            PayloadKind::Absent | PayloadKind::Reset => Self::Delete,
            PayloadKind::Count => Self::Add,
            PayloadKind::Element => Self::Insert,
            PayloadKind::Field => Self::Put,
            PayloadKind::Unset => Self::Unset,
            PayloadKind::Cleared => Self::Clear,
            PayloadKind::Claim => Self::Claim,
        }
    }
}

impl LossReason {
    fn of(receipt: &Receipt) -> Self {
        match &receipt.reason {
            Reason::Superseded {
                winner,
                winner_stamp,
                rule,
                ..
            } => Self::Superseded {
                winner: winner.clone(),
                winner_stamp: *winner_stamp,
                rule: *rule,
            },
            Reason::Merged { by, into, .. } => Self::Merged {
                by: by.clone(),
                into: into.clone(),
            },
            _ => Self::Refused {
                sentence: receipt.to_string(),
            },
        }
    }
}
