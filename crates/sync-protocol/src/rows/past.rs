//! Rows of the past: what each commit did to each key, and which keys each commit changed.

use bincode::{Decode, Encode};
use bytes::Bytes;
use sync_core::codec::{self, List};
use sync_core::{AgentId, Key, PastCommit, PastKind, Revision, Row, RowOp, Version};

use super::{RowError, delete, keys, kind, put};

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

/// Which keys a commit changed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct JournalRow {
    pub(crate) revision: Revision,
    /// The commit before it: where the two do not follow on each other, nothing was in between.
    pub(crate) after: Revision,
    /// Who has brought it, if it all came from one connection.
    pub(crate) by: Option<AgentId>,
    pub(crate) keys: List<Touched>,
}

/// A key that a commit changed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Touched {
    pub(crate) key: Key,
    pub(crate) before: Version,
    pub(crate) version: Version,
    pub(crate) kind: PastKind,
}

/// A row of a key's history. A value that is that of the one write that came is kept once.
#[derive(Encode, Decode)]
struct HistoryRow {
    key: Key,
    same: bool,
    commit: PastCommit,
}

pub(crate) fn put_history(key: &Key, mut commit: PastCommit) -> RowOp {
    let [write] = &commit.writes[..] else {
        return put_row(key, false, commit);
    };
    let same = write.value == commit.value;
    if same {
        commit.value.value = None;
    }
    put_row(key, same, commit)
}

fn put_row(key: &Key, same: bool, commit: PastCommit) -> RowOp {
    let row = keys::history(key, commit.version);
    let key = key.clone();
    put(row, codec::to_bytes(&HistoryRow { key, same, commit }))
}

pub(crate) fn delete_history(key: &Key, version: Version) -> RowOp {
    delete(keys::history(key, version))
}

/// The rows of a key's history after a version.
pub(crate) fn history_after(key: &Key, version: Version, limit: usize) -> RowRange {
    let after = keys::history(key, version).into();
    RowRange { after, limit }
}

/// A row of a history, and whose; none if it is another kind of row.
pub(crate) fn read_history(row: &Row) -> Result<Option<(Key, PastCommit)>, RowError> {
    if !is_history(row) {
        return Ok(None);
    }
    let read = codec::from_bytes("history row", &row.value);
    let HistoryRow {
        key,
        same,
        mut commit,
    } = read.map_err(|e| RowError::unreadable(row, e.to_string()))?;
    if same && let Some(write) = commit.writes.first() {
        commit.value = write.value.clone();
    }
    Ok(Some((key, commit)))
}

/// The commit before the one that a row of the journal is of.
pub(crate) fn journal_follows(row: &Row) -> Result<Revision, RowError> {
    let read = read_journal(row)?;
    let missing = || RowError::unreadable(row, "it is no row of the journal");
    read.map(|row| row.after).ok_or_else(missing)
}

/// Whether a row is of the history, and so are all after it.
pub(crate) fn is_history(row: &Row) -> bool {
    row.key.first() == Some(&kind::HISTORY)
}

pub(crate) fn put_journal(row: &JournalRow) -> RowOp {
    put(keys::journal(row.revision), codec::to_bytes(row))
}

pub(crate) fn delete_journal(revision: Revision) -> RowOp {
    delete(keys::journal(revision))
}

/// The rows of the journal after a revision.
pub(crate) fn journal_after(revision: Revision, limit: usize) -> RowRange {
    let after = keys::journal(revision).into();
    RowRange { after, limit }
}

/// A row of the journal; none if it is another kind of row.
pub(crate) fn read_journal(row: &Row) -> Result<Option<JournalRow>, RowError> {
    if row.key.first() != Some(&kind::JOURNAL) {
        return Ok(None);
    }
    let read = codec::from_bytes("journal row", &row.value);
    read.map(Some)
        .map_err(|e| RowError::unreadable(row, e.to_string()))
}
