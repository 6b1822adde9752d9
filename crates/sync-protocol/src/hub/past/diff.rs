//! What changed between two revisions: the journal names the keys, their histories the values.

use std::collections::BTreeMap;

use sync_core::codec::List;
use sync_core::{
    DiffNext, DiffPage, Key, KeyDiff, Now, PastAnswer, PastValue, RequestError, Revision, Row,
    Version,
};

use super::invalid;
use super::question::Step;
use crate::hub::Hub;
use crate::rows::{self, JournalRow, RowError, RowRange};

/// Keys in one answer, with two values of up to 4 KiB each. One commit is not cut, but read again for
/// each further page of its keys.
const KEYS_PER_PAGE: usize = 64;

/// Commits that one answer looks through: so many names are read in a few milliseconds.
const COMMITS_PER_PAGE: usize = 4_096;

/// Commits that are read at a time.
pub(super) const COMMITS_PER_READ: usize = 32;

#[derive(Debug)]
pub(super) struct DiffQuestion {
    from: Revision,
    to: Revision,
    after: Option<Key>,
    kept_after: Option<Revision>,
    /// The last commit read.
    at: Revision,
    commits: usize,
    keys: BTreeMap<Key, KeyDiff>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Commits,
    Values,
    Done,
}

impl DiffQuestion {
    pub(super) fn new(
        hub: &Hub,
        from: Revision,
        to: Revision,
        after: Option<Key>,
    ) -> Result<Self, RequestError> {
        if from > to {
            return Err(invalid(format!(
                "revision {} is after revision {}: name the earlier one first",
                from.get(),
                to.get()
            )));
        }
        let kept = hub.past.journal.kept_after(hub.revision);
        let kept_after = (from < kept).then_some(kept.min(to));
        let from = from.max(kept).min(to);
        Ok(Self {
            from,
            to,
            after,
            kept_after,
            at: from,
            commits: 0,
            keys: BTreeMap::new(),
            phase: Phase::Commits,
        })
    }

    pub(super) fn step(&mut self) -> Step {
        if self.phase == Phase::Commits {
            if !self.is_full() {
                return Step::Read(vec![rows::journal_after(self.at, COMMITS_PER_READ)]);
            }
            self.phase = Phase::Values;
            let ranges: Vec<RowRange> = self.page().flat_map(|(_, diff)| values_of(diff)).collect();
            if !ranges.is_empty() {
                return Step::Read(ranges);
            }
        }
        Step::Answer(PastAnswer::Diff(self.answer()))
    }

    /// Whether enough was read for a page, or all there is.
    fn is_full(&self) -> bool {
        self.at >= self.to || self.keys.len() >= KEYS_PER_PAGE || self.commits >= COMMITS_PER_PAGE
    }

    /// The keys of the page.
    fn page(&self) -> impl Iterator<Item = (&Key, &KeyDiff)> {
        let after = self.after.as_ref();
        let keys = self.keys.iter();
        keys.filter(move |(key, _)| after.is_none_or(|after| *key > after))
            .take(KEYS_PER_PAGE)
    }

    fn answer(&self) -> DiffPage {
        let changes: Vec<KeyDiff> = self.page().map(|(_, diff)| diff.clone()).collect();
        let last = changes.last().map(|diff| &diff.key);
        let further = last.is_some_and(|last| self.keys.keys().next_back() > Some(last));
        let (from, to) = (self.from, self.to);
        let next = if further {
            let after = last.cloned();
            Some(DiffNext { from, to, after })
        } else {
            let (from, after) = (self.at, None);
            (self.at < to).then_some(DiffNext { from, to, after })
        };
        DiffPage {
            from: self.from,
            to: self.at,
            changes: List(changes),
            next,
            kept_after: self.kept_after,
        }
    }

    pub(super) fn take(&mut self, hub: &Hub, now: Now, rows: &[Row]) -> Result<(), RowError> {
        if self.phase == Phase::Values {
            self.phase = Phase::Done;
            return self.take_values(hub, now, rows);
        }
        let kept = hub.past.journal.kept_after(hub.revision);
        if kept > self.at {
            // Commits that came since the rows were asked for have driven out some of them.
            self.begin_at(kept);
        }
        for row in rows {
            let row = rows::read_journal(row)?;
            let Some(row) = row.filter(|row| row.revision <= self.to) else {
                self.at = self.to;
                return Ok(());
            };
            if self.is_full() {
                return Ok(());
            }
            if row.revision <= self.at {
                continue;
            }
            self.at = row.revision;
            self.commits += 1;
            self.note(row);
        }
        if rows.len() < COMMITS_PER_READ {
            self.at = self.to;
        }
        Ok(())
    }

    /// The page begins later, at the first commit that is kept.
    fn begin_at(&mut self, kept: Revision) {
        let kept = kept.min(self.to);
        self.kept_after = Some(kept);
        (self.from, self.at) = (kept, kept);
        self.keys.clear();
    }

    fn note(&mut self, row: JournalRow) {
        for touched in row.keys.0 {
            let diff = self.keys.entry(touched.key.clone()).or_insert(KeyDiff {
                key: touched.key,
                before: touched.before,
                version: touched.version,
                revision: row.revision,
                commits: 0,
                kind: touched.kind,
                was: None,
                became: None,
            });
            diff.version = touched.version;
            diff.revision = row.revision;
            diff.commits += 1;
            diff.kind = touched.kind;
        }
    }

    fn take_values(&mut self, hub: &Hub, now: Now, rows: &[Row]) -> Result<(), RowError> {
        for row in rows {
            let Some((key, commit)) = rows::read_history(row)? else {
                continue;
            };
            let kept = hub.is_dropped(&key, commit.version).is_none()
                && hub.is_too_old(&key, &commit, now).is_none();
            let Some(diff) = self.keys.get_mut(&key).filter(|_| kept) else {
                continue;
            };
            if commit.version == diff.version {
                diff.became = Some(commit.value);
            } else if commit.version == diff.before {
                diff.was = Some(commit.value);
            }
        }
        for diff in self.keys.values_mut() {
            if diff.before == Version::default() {
                diff.was = Some(PastValue::default());
            }
        }
        Ok(())
    }
}

/// The rows that hold a key's value before and after.
fn values_of(diff: &KeyDiff) -> Vec<RowRange> {
    let row = |version: Version, limit| {
        let after = Version::new(version.get().saturating_sub(1));
        rows::history_after(&diff.key, after, limit)
    };
    if diff.before.next() == diff.version {
        return vec![row(diff.before, 2)];
    }
    vec![row(diff.before, 1), row(diff.version, 1)]
}
