//! Some commits that follow on each other, read from the log, which has the newest first.

use std::collections::BTreeMap;

use bytes::Bytes;
use sync_core::{Revision, Row};

use crate::hub::Hub;
use crate::rows::{self, Chunk, CommitHead, Record, RowError, RowRange};

/// Commits in one window, which is held in memory: two full rows of them, and what the ends cut off.
const COMMITS: u64 = 32;

/// Rows that are read at a time: as many as there are where commits are small.
const ROWS_PER_READ: usize = 4;

/// Commits that are being read.
#[derive(Debug)]
pub(super) struct Window {
    from: Revision,
    to: Revision,
    /// The row after which the next read begins.
    after: Bytes,
    commits: BTreeMap<Revision, (CommitHead, Vec<Record>)>,
}

impl Window {
    /// Those that come next after a commit, up to another one; none if none come.
    pub(super) fn next(hub: &Hub, after: Revision, to: Revision) -> Option<Self> {
        let (from, to) = hub.past.journal.next(after, to, COMMITS)?;
        Some(Self {
            from,
            to,
            after: rows::chunks_from(to),
            commits: BTreeMap::new(),
        })
    }

    /// What to read.
    pub(super) fn read(&self) -> RowRange {
        RowRange {
            after: self.after.clone(),
            limit: ROWS_PER_READ,
        }
    }

    /// Takes the rows; true once it has all of its commits.
    pub(super) fn take(&mut self, rows: &[Row]) -> Result<bool, RowError> {
        for row in rows {
            let Some(chunk) = Chunk::read(row)? else {
                return Ok(true);
            };
            for commit in chunk.commits(self.from, self.to) {
                let (revision, head, mut records) = commit?;
                if chunk.is_part() {
                    // Of a commit that fills rows the names are enough.
                    for (_, told) in &mut records {
                        *told = None;
                    }
                }
                let held = self.commits.entry(revision).or_insert((head, Vec::new()));
                held.1.append(&mut records);
            }
            // A commit may have several rows of its own, and the last one does not say so.
            if chunk.first < self.from || (chunk.first == self.from && !chunk.is_part()) {
                return Ok(true);
            }
        }
        if let Some(last) = rows.last() {
            self.after = last.key.clone();
        }
        Ok(rows.len() < ROWS_PER_READ)
    }

    /// The last of its commits.
    pub(super) fn to(&self) -> Revision {
        self.to
    }

    /// Its commits, in order.
    pub(super) fn into_commits(
        self,
    ) -> impl Iterator<Item = (Revision, (CommitHead, Vec<Record>))> {
        self.commits.into_iter()
    }
}
