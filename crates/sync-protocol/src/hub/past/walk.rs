//! A key's commits from the newest to the oldest, each of which names the one before it: where one is
//! missing the walk ends, and says why.

use sync_core::{Dropped, DroppedBy, Key, Now, PastCommit, Revision, Row, Version};

use crate::hub::Hub;
use crate::keyspace::KeyState;
use crate::rows::{self, Chunk, RowError, RowRange};

/// Where a walk is.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) key: Key,
    /// The version that comes next; 0 once there is none.
    at: Version,
    /// The commit that has brought it.
    commit: Revision,
    /// Newer versions are passed over.
    upto: Version,
    /// Why it has ended before the first version.
    dropped: Option<Dropped>,
}

impl Walk {
    /// Begins at a version, or else at the newest.
    pub(super) fn new(hub: &Hub, key: Key, upto: Option<Version>) -> Self {
        let state = hub.space.get(&key);
        let at = state.map(KeyState::version).unwrap_or_default();
        let commit = state.map(KeyState::revision).unwrap_or_default();
        let upto = upto.unwrap_or(at).min(at);
        let mut walk = Self {
            dropped: hub.is_dropped(&key, upto),
            key,
            at,
            commit,
            upto,
        };
        if upto == Version::default() {
            walk.at = upto;
        }
        walk
    }

    /// The row to read for the next commit; none if it has ended.
    pub(super) fn read(&self) -> Option<RowRange> {
        (!self.has_ended()).then(|| rows::chunk_of(self.commit, &self.key))
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

    /// The commits that come next and are in the row, so many at most, the newest first.
    pub(super) fn take(
        &mut self,
        hub: &Hub,
        now: Now,
        rows: &[Row],
        most: usize,
    ) -> Result<Vec<PastCommit>, RowError> {
        let mut taken = Vec::new();
        let row = rows.first().map(Chunk::read).transpose()?.flatten();
        let Some(chunk) = row else {
            self.end(DroppedBy::Unrecorded);
            return Ok(taken);
        };
        // The row that was asked for has the first one, or nothing has.
        let mut is_sought = true;
        while taken.len() < most {
            let next = self.at.min(self.upto);
            self.dropped = hub.is_dropped(&self.key, next);
            if self.has_ended() || (self.commit < chunk.first && !is_sought) {
                break;
            }
            is_sought = false;
            let found = chunk.find(self.commit, &self.key)?;
            let Some((head, (record, told))) = found.filter(|(_, (r, _))| r.version == self.at)
            else {
                self.end(DroppedBy::Unrecorded);
                break;
            };
            if let Some(age) = hub.is_too_old(&self.key, head.at_ms, now) {
                self.end(age);
                break;
            }
            if !record.is_link() {
                let Some(told) = told else {
                    self.end(DroppedBy::Unrecorded);
                    break;
                };
                if self.at <= self.upto {
                    taken.push(record.commit(self.commit, &head, told));
                }
            }
            (self.at, self.commit) = (record.before, record.previous);
        }
        Ok(taken)
    }

    fn end(&mut self, why: DroppedBy) {
        let upto = self.at.min(self.upto);
        self.dropped = Some(Dropped { upto, why });
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

    /// Whether what was committed at a time is older than is kept of its key.
    pub(super) fn is_too_old(&self, key: &Key, at_ms: u64, now: Now) -> Option<DroppedBy> {
        let age = self.policies().of(key)?.history.age?;
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let is_old = at_ms.saturating_add(age_ms) < now.wall_ms;
        is_old.then_some(DroppedBy::Age { age_ms })
    }
}
