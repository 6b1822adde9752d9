//! What the author of a write had seen: its cursor, and what others had changed by then beyond it.

use std::collections::BTreeSet;

use sync_core::codec::List;
use sync_core::{
    Key, Knew, Now, PastAnswer, PastCommit, RequestError, Revision, Row, Seen, StaleKey, WriteId,
};

use super::invalid;
use super::question::Step;
use super::walk::Walk;
use super::window::Window;
use crate::hub::Hub;
use crate::rows::{Record, RowError, RowRange};

/// Keys in one answer: at 1 KiB each they fit a frame.
const KEYS_PER_PAGE: usize = 512;

/// Commits that one answer looks through.
const COMMITS_PER_PAGE: usize = 4_096;

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
    /// The last commit read.
    at: Revision,
    /// The commits after it that are being read.
    window: Option<Window>,
    commits: usize,
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
            next: (!found.is_over()).then_some(found.at),
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
            if kept > found.at {
                // Commits that came since the rows were asked for have driven out some of them.
                found.kept_after = Some(kept);
                found.at = kept;
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
        let from = known.max(after.unwrap_or_default()).max(kept);
        Self {
            seen,
            comparable,
            committed: commit.revision,
            at_ms: commit.at_ms,
            kept_after: (known < kept).then_some(kept),
            at: from,
            window: None,
            commits: 0,
            names: BTreeSet::new(),
            stale: Vec::new(),
        }
    }

    /// Whether all there was before the write was committed has been read.
    fn is_over(&self) -> bool {
        self.at.next() >= self.committed
    }

    fn is_full(&self) -> bool {
        let enough = self.stale.len() >= KEYS_PER_PAGE || self.commits >= COMMITS_PER_PAGE;
        self.is_over() || enough
    }

    /// The rows to read; none once there is enough for an answer, or no more.
    fn read(&mut self, hub: &Hub) -> Option<RowRange> {
        if self.is_full() {
            return None;
        }
        if self.window.is_none() {
            let last = Revision::new(self.committed.get().saturating_sub(1));
            self.window = Window::next(hub, self.at, last);
        }
        if self.window.is_none() {
            // Nothing further came before the write.
            self.at = self.committed;
        }
        self.window.as_ref().map(Window::read)
    }

    fn take(&mut self, write: &WriteId, rows: &[Row]) -> Result<(), RowError> {
        let Some(mut window) = self.window.take() else {
            return Ok(());
        };
        if !window.take(rows)? {
            self.window = Some(window);
            return Ok(());
        }
        let to = window.to();
        for (revision, (head, records)) in window.into_commits() {
            if self.is_full() {
                return Ok(());
            }
            if revision <= self.at {
                continue;
            }
            self.commits += 1;
            self.at = revision;
            // What its author had brought itself it knew.
            if head.by.as_ref() != Some(write.writer.agent()) {
                self.note(revision, records);
            }
        }
        self.at = self.at.max(to);
        Ok(())
    }

    /// The key that was written is told of, too: what came to it was concurrent.
    fn note(&mut self, revision: Revision, records: Vec<Record>) {
        for (record, _) in records {
            if self.names.insert(record.key.clone()) {
                self.stale.push(StaleKey {
                    key: record.key,
                    revision,
                    version: record.version,
                });
            }
        }
    }
}
