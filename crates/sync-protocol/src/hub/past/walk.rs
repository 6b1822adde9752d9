//! A key's commits from the newest to the oldest, without a gap: where one is missing the walk ends, and
//! says why.

use std::collections::BTreeMap;

use sync_core::{Dropped, DroppedBy, Key, Now, PastCommit, Row, Version};

use crate::hub::Hub;
use crate::rows::{self, RowError, RowRange};

/// Rows that are read at a time: with the largest there can be, about half a megabyte.
const ROWS_PER_READ: u64 = 16;

/// Where a walk is.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) key: Key,
    /// The version that comes next; 0 once there is none.
    at: Version,
    /// The version after which the rows under way begin.
    read_after: Version,
    /// Why it has ended before the first version.
    dropped: Option<Dropped>,
}

impl Walk {
    /// Begins at a version.
    pub(super) fn new(key: Key, at: Version) -> Self {
        Self {
            key,
            at,
            read_after: at,
            dropped: None,
        }
    }

    /// The rows to read for as many commits more; none if it has ended.
    pub(super) fn read(&mut self, commits: u64) -> Option<RowRange> {
        if self.has_ended() {
            return None;
        }
        let rows = commits.clamp(1, ROWS_PER_READ);
        self.read_after = Version::new(self.at.get().saturating_sub(rows));
        let limit = usize::try_from(rows).unwrap_or(usize::MAX);
        Some(rows::history_after(&self.key, self.read_after, limit))
    }

    /// Whether there is nothing further, or nothing is kept of it.
    pub(super) fn has_ended(&self) -> bool {
        self.at == Version::default() || self.dropped.is_some()
    }

    /// Where it goes on; none if it has ended.
    pub(super) fn next(&self) -> Option<Version> {
        (!self.has_ended()).then_some(self.at)
    }

    pub(super) fn dropped(&self) -> Option<Dropped> {
        self.dropped
    }

    /// The commits among the rows that come next, the newest first.
    pub(super) fn take(
        &mut self,
        hub: &Hub,
        now: Now,
        rows: &[Row],
    ) -> Result<Vec<PastCommit>, RowError> {
        let mut held = BTreeMap::new();
        for row in rows {
            if let Some((key, commit)) = rows::read_history(row)?
                && key == self.key
            {
                held.insert(commit.version, commit);
            }
        }
        let mut taken = Vec::new();
        loop {
            self.dropped = hub.is_dropped(&self.key, self.at);
            if self.has_ended() || self.at <= self.read_after {
                return Ok(taken);
            }
            let Some(commit) = held.remove(&self.at) else {
                self.end(DroppedBy::Unrecorded);
                return Ok(taken);
            };
            if let Some(age) = hub.is_too_old(&self.key, &commit, now) {
                self.end(age);
                return Ok(taken);
            }
            self.at = commit.before;
            taken.push(commit);
        }
    }

    fn end(&mut self, why: DroppedBy) {
        self.dropped = Some(Dropped { upto: self.at, why });
    }
}

impl Hub {
    /// Whether a version of a key is further back than is kept of it.
    pub(super) fn is_dropped(&self, key: &Key, version: Version) -> Option<Dropped> {
        let commits = self.commits_kept(key);
        let newest = self.space.get(key)?.version();
        let kept = version.get().saturating_add(u64::from(commits)) > newest.get();
        let why = DroppedBy::Count { commits };
        let upto = version;
        (!kept && version > Version::default()).then_some(Dropped { upto, why })
    }

    /// Whether a commit is older than is kept of its key.
    pub(super) fn is_too_old(&self, key: &Key, commit: &PastCommit, now: Now) -> Option<DroppedBy> {
        let age = self.policies().of(key)?.history.age?;
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let is_old = commit.at_ms.saturating_add(age_ms) < now.wall_ms;
        is_old.then_some(DroppedBy::Age { age_ms })
    }
}
