//! What changed between two revisions: the log names the keys, with what they became, and where what they
//! were is told.

use std::collections::BTreeMap;

use sync_core::codec::List;
use sync_core::{
    DiffNext, DiffPage, Key, KeyDiff, Now, PastAnswer, PastValue, RequestError, Revision, Row,
    Version,
};

use super::invalid;
use super::question::Step;
use super::scan::Scan;
use crate::hub::Hub;
use crate::rows::{self, Chunk, CommitHead, KeyRecord, Record, RowError, RowRange, Told};

/// Keys in one answer, with two values of up to 4 KiB each. One commit is not cut, but read again for
/// each further page of its keys.
const KEYS_PER_PAGE: usize = 64;

#[derive(Debug)]
pub(super) struct DiffQuestion {
    from: Revision,
    to: Revision,
    after: Option<Key>,
    kept_after: Option<Revision>,
    scan: Scan,
    keys: BTreeMap<Key, Changed>,
    phase: Phase,
}

/// A key, and where it is told what it was and what it became.
#[derive(Debug)]
struct Changed {
    diff: KeyDiff,
    previous: Revision,
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
            scan: Scan::new(from, to),
            keys: BTreeMap::new(),
            phase: Phase::Commits,
        })
    }

    pub(super) fn step(&mut self, hub: &Hub) -> Step {
        if self.phase == Phase::Commits {
            if let Some(range) = self.read(hub) {
                return Step::Read(vec![range]);
            }
            self.phase = Phase::Values;
            let ranges: Vec<RowRange> = self.page().flat_map(values_of).collect();
            if !ranges.is_empty() {
                return Step::Read(ranges);
            }
        }
        Step::Answer(PastAnswer::Diff(self.answer()))
    }

    /// The rows to read; none once there is enough for a page, or no more.
    fn read(&mut self, hub: &Hub) -> Option<RowRange> {
        let is_full = self.keys.len() >= KEYS_PER_PAGE;
        if is_full { None } else { self.scan.read(hub) }
    }

    /// The keys of the page.
    fn page(&self) -> impl Iterator<Item = &Changed> {
        let after = self.after.as_ref();
        let keys = self.keys.values();
        keys.filter(move |changed| after.is_none_or(|after| changed.diff.key > *after))
            .take(KEYS_PER_PAGE)
    }

    fn answer(&self) -> DiffPage {
        let changes: Vec<KeyDiff> = self.page().map(|changed| changed.diff.clone()).collect();
        let last = changes.last().map(|diff| &diff.key);
        let further = last.is_some_and(|last| self.keys.keys().next_back() > Some(last));
        let (from, to) = (self.from, self.to);
        let next = if further {
            let after = last.cloned();
            Some(DiffNext { from, to, after })
        } else {
            let (from, after) = (self.scan.at(), None);
            (from < to).then_some(DiffNext { from, to, after })
        };
        DiffPage {
            from: self.from,
            to: self.scan.at(),
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
        if kept > self.scan.at() {
            // Commits that came since the rows were asked for have driven out some of them.
            self.begin_at(kept);
        }
        let keys = &mut self.keys;
        self.scan.take(rows, |revision, head, records| {
            note(keys, (hub, now), revision, head, records);
            keys.len() < KEYS_PER_PAGE
        })
    }

    /// The page begins later, at the first commit that is kept.
    fn begin_at(&mut self, kept: Revision) {
        let kept = kept.min(self.to);
        self.kept_after = Some(kept);
        self.from = kept;
        self.scan.skip_to(kept);
        self.keys.clear();
    }

    /// What each key was is in the commit before the first; what it became may be in rows that were read
    /// for their names only.
    fn take_values(&mut self, hub: &Hub, now: Now, rows: &[Row]) -> Result<(), RowError> {
        // Several keys may have asked for the same row.
        let rows: BTreeMap<_, _> = rows.iter().map(|row| (&row.key, row)).collect();
        for row in rows.into_values() {
            let Some(chunk) = Chunk::read(row)? else {
                continue;
            };
            for commit in chunk.commits(Revision::default(), self.to) {
                let (revision, head, records) = commit?;
                for (record, told) in records {
                    let Some(changed) = self.keys.get_mut(&record.key) else {
                        continue;
                    };
                    let diff = &mut changed.diff;
                    let value = hub.told_value(&record, told, &head, now);
                    if revision == diff.revision {
                        diff.became = value;
                    } else if revision == changed.previous {
                        diff.was = value;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a commit has made of its keys.
fn note(
    keys: &mut BTreeMap<Key, Changed>,
    (hub, now): (&Hub, Now),
    revision: Revision,
    head: &CommitHead,
    records: Vec<Record>,
) {
    for (record, told) in records {
        let key = record.key.clone();
        let changed = keys.entry(key).or_insert_with(|| Changed {
            diff: diff_of(&record, revision),
            previous: record.previous,
        });
        let diff = &mut changed.diff;
        diff.version = record.version;
        diff.revision = revision;
        diff.commits += 1;
        diff.kind = record.kind;
        diff.became = hub.told_value(&record, told, head, now);
    }
}

/// A key of which nothing is known but that it changes with a commit.
fn diff_of(record: &KeyRecord, revision: Revision) -> KeyDiff {
    KeyDiff {
        key: record.key.clone(),
        before: record.before,
        version: record.version,
        revision,
        commits: 0,
        kind: record.kind,
        was: (record.before == Version::default()).then(PastValue::default),
        became: None,
    }
}

/// The rows that hold what is not known yet of a key's values.
fn values_of(changed: &Changed) -> impl Iterator<Item = RowRange> {
    let diff = &changed.diff;
    let was = diff.was.is_none().then_some(changed.previous);
    let became = diff.became.is_none().then_some(diff.revision);
    let missing = was.into_iter().chain(became);
    missing.map(|revision| rows::chunk_of(revision, &diff.key))
}

impl Hub {
    /// The value that a commit left a key with, if that is told.
    fn told_value(
        &self,
        record: &KeyRecord,
        told: Option<Told>,
        head: &CommitHead,
        now: Now,
    ) -> Option<PastValue> {
        let kept = self.is_dropped(&record.key, record.version).is_none()
            && self.is_too_old(&record.key, head.at_ms, now).is_none();
        told.filter(|_| kept).map(|told| told.value())
    }
}
