//! What the author of a write had seen: its cursor, and what others had changed by then beyond it.

use std::collections::BTreeSet;

use sync_core::codec::List;
use sync_core::{
    Key, Knew, Now, PastAnswer, PastCommit, RequestError, Revision, Row, Seen, StaleKey, WriteId,
};

use super::invalid;
use super::question::Step;
use super::scan::Scan;
use super::walk::Walk;
use crate::hub::Hub;
use crate::rows::{Origin, Record, RowError, RowRange};

/// Keys in one answer: at 1 KiB each they fit a frame.
const KEYS_PER_PAGE: usize = 512;

#[derive(Debug)]
pub(super) struct KnewQuestion {
    write: WriteId,
    after: Option<Revision>,
    walk: Walk,
    found: Option<Found>,
}

/// The write was found.
#[derive(Debug)]
struct Found {
    seen: Option<Seen>,
    comparable: bool,
    committed: Revision,
    at_ms: u64,
    kept_after: Option<Revision>,
    /// The commits that had come by then and that its author had not seen.
    scan: Scan,
    names: BTreeSet<Key>,
    stale: Vec<StaleKey>,
}

impl KnewQuestion {
    pub(super) fn new(hub: &Hub, key: Key, write: WriteId, after: Option<Revision>) -> Self {
        Self {
            write,
            after,
            walk: Walk::new(hub, key, None),
            found: None,
        }
    }

    pub(super) fn step(&mut self, hub: &Hub) -> Step {
        let Some(found) = &mut self.found else {
            return match self.walk.read() {
                Some(range) => Step::Read(vec![range]),
                None => Step::Refuse(self.not_found()),
            };
        };
        if let Some(range) = found.read(hub) {
            return Step::Read(vec![range]);
        }
        Step::Answer(PastAnswer::Knew(Box::new(Knew {
            key: self.walk.key.clone(),
            write: self.write.clone(),
            seen: found.seen,
            comparable: found.comparable,
            committed: found.committed,
            at_ms: found.at_ms,
            stale: List(std::mem::take(&mut found.stale)),
            next: (!found.scan.is_over()).then_some(found.scan.at()),
            kept_after: found.kept_after,
        })))
    }

    fn not_found(&self) -> RequestError {
        let (key, write) = (&self.walk.key, &self.write);
        let dropped = self.walk.dropped().map(|dropped| format!("; {dropped}"));
        invalid(format!(
            "no commit of {key:?} that is kept has brought the write {write}{}: look at the key's history",
            dropped.unwrap_or_default()
        ))
    }

    pub(super) fn take(&mut self, hub: &Hub, now: Now, rows: &[Row]) -> Result<(), RowError> {
        if let Some(found) = &mut self.found {
            let kept = hub.past.journal.kept_after(hub.revision);
            if kept > found.scan.at() {
                // Commits that came since the rows were asked for have driven out some of them.
                found.kept_after = Some(kept);
                found.scan.skip_to(kept);
            }
            return found.take(&self.write, rows);
        }
        for commit in self.walk.take(hub, now, rows, usize::MAX)? {
            if names(&commit, &self.write) {
                let seen = seen_in(&commit, &self.write);
                self.found = Some(Found::of(hub, &commit, seen, self.after));
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whether a commit has brought a write, or found it to have lost.
fn names(commit: &PastCommit, id: &WriteId) -> bool {
    let came = commit.writes.iter().any(|write| write.write == *id);
    came || commit.lost.iter().any(|loss| loss.lost.write == *id)
}

/// What the author of a write that a commit names had seen.
fn seen_in(commit: &PastCommit, id: &WriteId) -> Option<Seen> {
    let came = commit.writes.iter().find(|write| write.write == *id);
    let lost = commit.lost.iter().map(|loss| &loss.lost);
    came.or_else(|| lost.into_iter().find(|write| write.write == *id))?
        .seen
}

impl Found {
    fn of(hub: &Hub, commit: &PastCommit, seen: Option<Seen>, after: Option<Revision>) -> Self {
        let comparable = seen.is_some_and(|seen| {
            hub.lineage
                .has_seen(Some(seen), seen.revision, hub.revision)
        });
        let known = seen.filter(|_| comparable).map(|seen| seen.revision);
        let known = known.unwrap_or_default();
        let kept = hub.past.journal.kept_after(hub.revision);
        let last = Revision::new(commit.revision.get().saturating_sub(1));
        let from = known.max(after.unwrap_or_default()).max(kept);
        Self {
            seen,
            comparable,
            committed: commit.revision,
            at_ms: commit.at_ms,
            kept_after: (known < kept).then_some(kept),
            scan: Scan::new(from, last),
            names: BTreeSet::new(),
            stale: Vec::new(),
        }
    }

    /// The rows to read; none once there is enough for an answer, or no more.
    fn read(&mut self, hub: &Hub) -> Option<RowRange> {
        let is_full = self.stale.len() >= KEYS_PER_PAGE;
        if is_full { None } else { self.scan.read(hub) }
    }

    fn take(&mut self, write: &WriteId, rows: &[Row]) -> Result<(), RowError> {
        let (names, stale) = (&mut self.names, &mut self.stale);
        self.scan.take(rows, |revision, head, records| {
            // What its author had brought itself it knew.
            let own = matches!(&head.from, Origin::One(by) if by == write.writer.agent());
            if !own {
                note(names, stale, revision, records);
            }
            stale.len() < KEYS_PER_PAGE
        })
    }
}

/// The key that was written is told of, too: what came to it was concurrent.
fn note(
    names: &mut BTreeSet<Key>,
    stale: &mut Vec<StaleKey>,
    revision: Revision,
    records: Vec<Record>,
) {
    for (record, _) in records {
        if names.insert(record.key.clone()) {
            stale.push(StaleKey {
                key: record.key,
                revision,
                version: record.version,
            });
        }
    }
}
