//! What may enter a commit: each delta is joined, or comes back to its writer with the reason.

use sync_core::planted::{self, Planted};
use sync_core::{Entry, Key, Now, Reason, Write, WriteId};

use super::Hub;
use super::commit::{Commit, receipt};
use super::refusal::{is_the_hubs, refuse_decreed, seen};
use crate::keyspace::{KeyState, ended};

/// Where a delta comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Its own writer, fresh: may be refused, and then what it replaced stays.
    Writer,
    /// State that somebody held: its covers are facts, but nobody says whether they were chosen.
    Held,
    /// An operation of the hub itself.
    Here,
}

impl Hub {
    /// Joins one delta into a commit. A write that may not enter is taken out and comes back to its
    /// writer with the reason.
    pub(super) fn admit(
        &mut self,
        commit: &mut Commit,
        now: Now,
        key: &Key,
        mut delta: Entry,
        source: Source,
    ) {
        if source == Source::Writer && self.is_decided(key, &delta) {
            self.return_adopted(commit, key, &delta);
            for (id, _) in delta.writes() {
                self.return_refused(commit, now, key, id, &delta);
            }
            return;
        }
        if source == Source::Held {
            self.adopt_dead(commit, key, &delta);
            self.heed_leases(commit, now, key, &delta);
        }
        self.space.intern_entry(&mut delta);
        delta = self.refuse_misfits(commit, now, key, delta, source);
        for (_, write) in delta.writes() {
            self.clock.observe(write.stamp, now);
        }
        self.note_orphans(commit, key, &delta);
        let joined = self.space.join(key, delta.clone());
        self.id_alarms += (joined.replaced.len() + joined.outranked.len()) as u64;
        if !joined.inflated() {
            return;
        }
        if !joined.replaced.is_empty() {
            commit.surprises(key);
        }
        if source == Source::Held {
            let entry = self.space.get(key).map(KeyState::entry);
            let lost = entry.into_iter().flat_map(|entry| ended(&joined, entry));
            let unknown =
                |(id, write): &(WriteId, Write)| receipt(id.clone(), key, write, Reason::Unknown);
            commit.with_receipts(lost.map(unknown));
        }
        commit.record(key, joined, delta);
    }

    /// Whether the write of a delta is dead here. Then it was admitted once, with all that it covers, or
    /// it was refused, and what it covers at its writer must not be covered by its coming again.
    fn is_decided(&self, key: &Key, delta: &Entry) -> bool {
        let Some(held) = self.space.get(key).map(KeyState::entry) else {
            return false;
        };
        let mut writes = delta.writes();
        writes.any(|(id, _)| held.context().contains(id) && held.write(id).is_none())
    }

    /// Takes out the new writes that do not belong into the key.
    fn refuse_misfits(
        &self,
        commit: &mut Commit,
        now: Now,
        key: &Key,
        mut delta: Entry,
        source: Source,
    ) -> Entry {
        let empty = Entry::new();
        let held = self.space.get(key).map_or(&empty, |state| state.entry());
        let is_heeded = !planted::is(Planted::PlainWriteOnDecided);
        if source == Source::Writer && is_heeded && is_the_hubs(held, &delta) {
            return refuse_decreed(commit, key, held, &delta);
        }
        let mut rules = self.rules_for(key, held, &delta);
        let fresh = delta
            .writes()
            .filter(|(id, _)| !held.context().contains(id));
        let misfits = fresh.filter_map(|(id, write)| {
            let reason = self.reason_against(now, key, write, &mut rules, source);
            let reason = reason.or_else(|| self.over_quota(key, write, &delta, source))?;
            Some((id.clone(), write.clone(), reason))
        });
        let misfits: Vec<_> = misfits.collect();
        for (id, write, reason) in misfits {
            // What a refused write replaced stays; of held state only the write itself is taken out.
            match source {
                Source::Writer => {
                    delta = Entry::covering(seen(Some(held), &id, &write));
                }
                Source::Held | Source::Here => {
                    delta.withhold(&id);
                }
            }
            commit.surprises(key);
            commit.with_receipt(receipt(id, key, &write, reason));
        }
        delta
    }
}
