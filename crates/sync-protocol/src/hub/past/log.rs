//! The end of the log of commits: the row that the next one is added to.

use sync_core::{Revision, RowOp};

use crate::rows::{self, CommitBytes};

/// Commits in one row. Commits that share a flush share the row, and one that comes alone writes those
/// before it again: enough for the one, and little for the other.
const COMMITS_PER_CHUNK: usize = 16;

/// Bytes of one row, unless it is of one key: stores cut rows at 4 KiB, and a row in pieces takes a change
/// for each. The rest is for the row's key.
const CHUNK_BYTES_MAX: usize = 3_840;

/// The row that is being filled.
#[derive(Debug, Default)]
pub(super) struct Log {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    first: Revision,
    commits: usize,
    bytes: Vec<u8>,
}

impl Log {
    /// Adds a commit, whose rows go into its batch; returns how many rows it has begun.
    pub(super) fn add(&mut self, commit: &CommitBytes, ops: &mut Vec<RowOp>) -> usize {
        let added = commit.len();
        if added > CHUNK_BYTES_MAX {
            // What comes later must not stand before it.
            self.open = None;
            let parts = commit.to_parts(CHUNK_BYTES_MAX);
            let begun = parts.len();
            ops.extend(parts);
            return begun;
        }
        let fits = |open: &Open| {
            open.commits < COMMITS_PER_CHUNK && open.bytes.len() + added <= CHUNK_BYTES_MAX
        };
        let held = self.open.take().filter(fits);
        let begun = usize::from(held.is_none());
        let mut open = held.unwrap_or_else(|| Open {
            first: commit.revision,
            commits: 0,
            bytes: Vec::with_capacity(CHUNK_BYTES_MAX),
        });
        commit.append_to(&mut open.bytes);
        open.commits += 1;
        ops.push(rows::put_chunk(open.first, &open.bytes));
        self.open = Some(open);
        begun
    }

    /// The first commit that is not in a row that is full.
    pub(super) fn open_from(&self) -> Option<Revision> {
        self.open.as_ref().map(|open| open.first)
    }
}
