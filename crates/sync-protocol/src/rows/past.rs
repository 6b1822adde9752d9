//! Where what is told of the past stands in a store, and how it is found there.

use bincode::{Decode, Encode};
use bytes::Bytes;
use sync_core::codec::{self, List};
use sync_core::{Key, Revision, Row, RowOp};

use super::{delete, keys, kind, put};

/// Rows to read: up to `limit`, those after `after` only. What is beyond what is looked for may be among
/// them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a store takes")]
pub struct RowRange {
    /// The row key after which to begin.
    pub after: Bytes,
    /// How many rows at most.
    pub limit: usize,
}

/// Of which commits the log names every key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub(crate) struct JournalRow {
    /// Of all after this one.
    pub(crate) kept_after: Revision,
    /// First and last of each run of revisions without a gap. The last one goes on to where the log does.
    pub(crate) runs: List<(Revision, Revision)>,
}

/// No row if it names none.
pub(crate) fn put_journal(row: &JournalRow) -> RowOp {
    if row.runs.is_empty() {
        return delete(keys::journal());
    }
    put(keys::journal(), codec::to_bytes(row))
}

/// The row that has what a commit did to a key, if there is one: the first of the log at or before the
/// commit.
pub(crate) fn chunk_of(revision: Revision, key: &Key) -> RowRange {
    RowRange {
        after: keys::chunks_from(revision, Some(key)).into(),
        limit: 1,
    }
}

/// Where the rows of the log begin that hold commits up to a revision, the newest first.
pub(crate) fn chunks_from(revision: Revision) -> Bytes {
    keys::chunks_from(revision, None).into()
}

/// Whether a row is of the log, and so of the past are all after it.
pub(crate) fn is_past(row: &Row) -> bool {
    is_outdated(row) || row.key.first() == Some(&kind::CHUNK)
}

/// Whether a row is of the past in a format that is not read any more.
pub(crate) fn is_outdated(row: &Row) -> bool {
    row.key.first() == Some(&kind::OUTDATED)
}

pub(crate) fn delete_outdated(row: &Row) -> RowOp {
    delete(row.key.to_vec())
}
