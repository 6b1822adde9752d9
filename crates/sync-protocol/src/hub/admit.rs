//! What may enter a commit: each delta is joined, or comes back to its writer with the reason.

use sync_core::{
    Context, Entry, Key, MergeRule, Now, PayloadKind, Reason, Write, WriteId,
    planted::{self, Planted},
};

use super::Hub;
use super::commit::{Commit, receipt};
use crate::compose;
use crate::keyspace::{KeyState, ended};
use crate::millis::millis;

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
            return self.return_adopted(commit, key, &delta);
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

    /// Tells of a refused write once more. A disk of its agent that does not know of the refusal, an old
    /// one or a copy, pushes it again, and would take for a fact what it covers there. Had it been
    /// admitted, all of that would be known here and nothing of it live.
    pub(super) fn return_refused(&self, commit: &mut Commit, now: Now, key: &Key, pushed: &Entry) {
        let Some(held) = self.space.get(key).map(KeyState::entry) else {
            return;
        };
        let covered = |(id, _): (&WriteId, &Write)| pushed.context().contains(id);
        let in_force = held.context().includes(pushed.context()) && !held.writes().any(covered);
        if in_force || !self.is_decided(key, pushed) {
            return;
        }
        for (id, write) in pushed.writes() {
            let waiting = self.receipts.get(id.writer.agent());
            if !waiting.is_some_and(|receipts| receipts.contains(id)) {
                let reason = self.refuse_write(now, key, write);
                let reason = reason.unwrap_or(Reason::Unknown);
                commit.with_receipt(receipt(id.clone(), key, write, reason));
            }
        }
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
        let fresh = delta
            .writes()
            .filter(|(id, _)| !held.context().contains(id));
        let is_heeded = !planted::is(Planted::PlainWriteOnDecided);
        if source == Source::Writer && is_heeded && is_the_hubs(held, &delta) {
            return refuse_decreed(commit, key, &delta);
        }
        let stays = |id: &WriteId| !delta.context().contains(id) || delta.write(id).is_some();
        let mut rule = self.resolvers.of_entry(key, held, stays);
        let before = self.resolvers.of_entry(key, held, |_| true);
        let mut misfits = Vec::new();
        for (id, write) in fresh {
            let kind = write.payload.kind();
            // What takes the place of all there is leaves the key under the rule it was made by.
            let same = || before.filter(|r| r.holds(kind));
            rule = rule.or_else(|| same().or_else(|| self.resolvers.of_kind(key, kind)));
            let fits = rule.is_some_and(|r| r.holds(kind));
            let reason = match rule {
                Some(rule) if !fits && is_heeded => {
                    Some(Reason::RuleMismatch { rule: rule.rule() })
                }
                _ if source == Source::Writer => self.refuse_write(now, key, write),
                _ => None,
            };
            misfits.extend(reason.map(|reason| (id.clone(), write.clone(), reason)));
        }
        for (id, write, reason) in misfits {
            // What a refused write replaced stays; of held state only the write itself is taken out.
            match source {
                Source::Writer => {
                    let span = std::iter::once(write.span(&id));
                    delta = Entry::covering(span.collect());
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

    fn refuse_write(&self, now: Now, key: &Key, write: &Write) -> Option<Reason> {
        let limits = &self.config.limits;
        let bytes = write.payload.as_bytes().len() as u64;
        let limit = compose::value_bytes_max(key, limits, self.policies());
        if bytes > limit {
            return Some(Reason::TooLarge { bytes, limit });
        }
        if !self.clock.believes(write.stamp, now) {
            let ahead_ms = write.stamp.millis().saturating_sub(now.wall_ms);
            let limit_ms = millis(limits.drift_max);
            return Some(Reason::FutureStamp { ahead_ms, limit_ms });
        }
        None
    }
}

/// Whether a delta that a replica made does what the hub alone decides: writes as it does, or takes away
/// what it has put there.
fn is_the_hubs(held: &Entry, delta: &Entry) -> bool {
    let decided = |kind: PayloadKind| matches!(kind, PayloadKind::Decreed | PayloadKind::Claim);
    if delta.kinds().any(decided) {
        return true;
    }
    held.kinds().any(decided)
        && held
            .writes()
            .any(|(id, write)| decided(write.payload.kind()) && delta.context().contains(id))
}

/// Takes out what only the hub may do, all of it: a pushed delta is of one write at most.
fn refuse_decreed(commit: &mut Commit, key: &Key, delta: &Entry) -> Entry {
    commit.surprises(key);
    let rule = MergeRule::Authority;
    let mut spans = Context::new();
    for (id, write) in delta.writes() {
        spans.insert(write.span(id));
        let reason = Reason::RuleMismatch { rule };
        commit.with_receipt(receipt(id.clone(), key, write, reason));
    }
    Entry::covering(spans)
}
