//! What the machines ask of a store, and what a store promises.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use thiserror::Error;

use bincode::{Decode, Encode};

use crate::id::SwarmId;

/// Longest row key, in bytes: room for a key of 1,024 bytes, a writer of 128 and their numbers.
pub const ROW_KEY_BYTES_MAX: usize = 1_536;

/// What an acknowledgement survives. Ordered: each level includes those before it.
/// As text: `memory`, `disk`, `hub`, `replicas(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: the process holds it in memory.
    Memory,
    /// `kill -9`, and power loss as far as the store promises it: the files have been fsynced.
    Disk,
    /// The loss of this agent's disk: the hub has committed it at its own store's level.
    Hub,
    /// The loss of the hub's disk, too: so many other agents have confirmed to hold it, each at its own
    /// store's level, be that a disk or memory.
    Replicas(u32),
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Disk => f.write_str("disk"),
            Self::Hub => f.write_str("hub"),
            Self::Replicas(count) => write!(f, "replicas({count})"),
        }
    }
}

impl Serialize for Durability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One change to one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowOp {
    /// Writes the row, replacing what was there.
    Put {
        /// The row's key, at most [`ROW_KEY_BYTES_MAX`] bytes.
        key: Bytes,
        /// Its value, of any length.
        value: Bytes,
    },
    /// Removes the row; no error if there is none.
    Delete {
        /// The row's key.
        key: Bytes,
    },
}

impl RowOp {
    /// The key of the row that changes.
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// Changes to one swarm's rows that become durable together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whose rows. Rows of different swarms never meet.
    pub swarm: SwarmId,
    /// The changes, applied in order.
    pub ops: Vec<RowOp>,
}

impl Batch {
    /// Bytes of its keys and values.
    pub fn bytes(&self) -> usize {
        let bytes = |op: &RowOp| match op {
            RowOp::Put { key, value } => key.len() + value.len(),
            RowOp::Delete { key } => key.len(),
        };
        self.ops.iter().map(bytes).sum()
    }
}

/// One row as a scan returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row's key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
}

/// Keeps rows. Implementations are checked by [`crate::testing::store_suite`].
///
/// A store holds no opinion about the protocol: rows are opaque, ordered by their key's bytes.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Commits `group` in order: each batch is all or nothing, also through a crash, and a batch is
    /// never kept without those before it. `Ok` means that every batch has reached
    /// [`Store::durability`]. Concurrent calls may share one flush.
    ///
    /// An error means that the tail of the group from some batch on may be missing; the caller must
    /// not acknowledge any of it, and the store refuses further commits if it cannot tell what is on
    /// disk.
    async fn commit(&self, group: Vec<Batch>) -> Result<(), StoreError>;

    /// Up to `limit` rows of `swarm` in ascending key order, those after `after` only. Fewer than
    /// `limit` rows mean the end. A damaged row is an error, never a missing row.
    async fn scan(
        &self,
        swarm: &SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// The swarms that have at least one row, ascending.
    async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError>;

    /// What `Ok` from [`Store::commit`] survives.
    fn durability(&self) -> Durability;

    /// Bytes that it takes on disk with all its swarms, as of the last commit; none if it keeps nothing
    /// there, or does not know. Cheap, and waits for nothing.
    fn bytes_on_disk(&self) -> Option<u64> {
        None
    }

    /// Bytes that are free for it on the disk it is on; none if it is on none, or does not know. Asked about
    /// once a second; waits for nothing but the system.
    fn bytes_free(&self) -> Option<u64> {
        None
    }

    /// Waits for commits under way and releases the files. Every later call is
    /// [`StoreError::Closed`]. Closing twice is not an error.
    async fn close(&self) -> Result<(), StoreError>;
}

/// Why a store could not do what it was asked.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the directory open. Nothing was read or changed.
    #[error("{path} is in use by another process; stop it or choose another directory")]
    InUse {
        /// The directory.
        path: String,
    },
    /// A row does not carry the bytes that were written. Nothing was changed.
    #[error(
        "{path}: row {row} is damaged: {reason}; restore the directory from a copy, or remove it and let this node catch up"
    )]
    Corrupt {
        /// The directory or name of the store.
        path: String,
        /// The row's key, escaped.
        row: String,
        /// What does not fit.
        reason: String,
    },
    /// Written by a version of the program that this one does not know. Nothing was changed.
    #[error("{path} has storage format {found}, this program reads {known}; use a newer program")]
    Format {
        /// The directory.
        path: String,
        /// The format found.
        found: u8,
        /// The one this program writes.
        known: u8,
    },
    /// Made by another kind of store. Nothing was changed.
    #[error(
        "{path} is a store of {found}, not of {wanted}; open it as one of {found}, or choose another directory"
    )]
    Engine {
        /// The directory.
        path: String,
        /// What keeps its rows.
        found: String,
        /// What was to be opened.
        wanted: &'static str,
    },
    /// A row key over the limit. The caller's fault; nothing of the group was changed.
    #[error("a row key has {bytes} bytes; the limit is {ROW_KEY_BYTES_MAX}")]
    RowKeyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The operating system refused. The store accepts no further commits after one of these.
    #[error("{path}: {doing} failed: {reason}")]
    Io {
        /// The directory.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The store was closed, or stopped after an earlier error.
    #[error("the store is closed{}", reason.as_deref().map(|r| format!(" after: {r}")).unwrap_or_default())]
    Closed {
        /// The error that stopped it, if one did.
        reason: Option<String>,
    },
}
