//! What deletes that have done their work mean for a commit: those it brings are remembered, and what it
//! brings is judged by those of before.

use std::collections::BTreeSet;

use sync_core::{Context, Entry, Key, Now, OnConcurrent, Payload, Reset, Write, WriteId};

use super::Hub;
use super::commit::Commit;
use super::graves::{Case, Grave};
use crate::keyspace::KeyState;

impl Hub {
    /// Covers everything that is live of a key.
    pub(super) fn cover_all(&mut self, commit: &mut Commit, key: &Key) {
        let Some(state) = self.space.get(key).filter(|s| s.entry().is_live()) else {
            return;
        };
        let entry = state.entry();
        let spans = entry.writes().map(|(id, write)| write.span(id));
        let live: Context = spans.collect();
        let counted = Reset::of_all(entry);
        if !counted.is_empty()
            && let Some((id, write)) = entry.writes().max_by_key(|(id, w)| (w.stamp, *id))
        {
            // No write says what this removes of a counter: the last that goes stands for it.
            let deleted = Write {
                payload: Payload::reset(counted),
                ..write.clone()
            };
            let id = id.clone();
            self.bury(commit, key, &[(id, deleted)]);
        }
        self.cover(commit, key, live);
    }

    /// Remembers deletes that have done their work.
    pub(super) fn bury(&mut self, commit: &mut Commit, key: &Key, deletes: &[(WriteId, Write)]) {
        let (since, most) = (self.next_revision(), self.config.limits.graves_max);
        let (lineage, head) = (&self.lineage, self.revision);
        for (id, write) in deletes {
            let has_seen = |at| lineage.has_seen(write.seen(), at, head);
            let grave = Grave::new(id, write, since);
            let changed = self.graves.dig(key, grave, most, has_seen);
            commit.with_rows(changed);
        }
    }

    /// Notes which writes of a delta, that is not joined yet, only a forgotten delete explains.
    pub(super) fn note_orphans(&self, commit: &mut Commit, key: &Key, delta: &Entry) {
        let Some(held) = self.space.get(key).map(KeyState::entry) else {
            return;
        };
        let before = commit.orphans.get(key);
        let orphans: BTreeSet<WriteId> = self.graves.orphans(key, held, delta, before);
        if !orphans.is_empty() {
            commit
                .orphans
                .entry(key.clone())
                .or_default()
                .extend(orphans);
        }
    }

    /// Ends the writes that have come to a key and are older than a delete which they did not see.
    pub(super) fn judge(&mut self, commit: &mut Commit, now: Now, key: &Key) {
        if !self.graves.has(key) {
            return;
        }
        let Some(entry) = self.space.get(key).map(KeyState::entry) else {
            return;
        };
        let Some(rule) = self.resolvers.of_entry(key, entry, |_| true) else {
            return;
        };
        if rule.on_concurrent() != OnConcurrent::Lww {
            // A write wins over a delete that did not see it.
            return commit.with_rows(self.graves.forget(key));
        }
        let (lineage, head) = (&self.lineage, self.revision);
        let verdict = self.graves.judge(&Case {
            key,
            rule: rule.rule(),
            entry,
            stale: commit.stale(key),
            orphans: commit.orphans.get(key),
            has_seen: |write: &Write, at| lineage.has_seen(write.seen(), at, head),
        });
        commit.with_rows(verdict.rows);
        let conflicts = u32::try_from(verdict.receipts.len()).unwrap_or(u32::MAX);
        if conflicts > 0 {
            commit.count_conflicts(key, conflicts);
        }
        commit.with_receipts(verdict.receipts);
        if !verdict.ended.is_empty() {
            let mut ids = Context::new();
            for id in &verdict.ended {
                ids.insert_id(id);
            }
            self.cover(commit, key, ids);
        }
        if let Some(grave) = verdict.raised {
            self.raise(commit, now, key, grave);
        }
    }

    /// Repeats a delete of a counter, in the hub's name: what it has removed has come back with a contribution
    /// that stands for it as well.
    fn raise(&mut self, commit: &mut Commit, now: Now, key: &Key, grave: Grave) {
        let id = self.next_id(&self.writer);
        let entry = self.space.get(key).map(KeyState::entry);
        let prev = entry.and_then(|entry| entry.context().last_of(&id.writer));
        let mut over = Context::new();
        over.insert_id(&grave.delete);
        let write = Write {
            stamp: self.clock.tick(now, None),
            payload: grave.payload,
            prev: prev.unwrap_or_default(),
            over,
            note: None,
        };
        let delta = Entry::of_write(id.clone(), write);
        self.admit_own(commit, now, key, &id, delta);
        commit.surprises(key);
    }
}
