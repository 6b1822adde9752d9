//! Deletes that have done their work. They are no longer live, but a write that their author had not seen
//! may still come, and which of the two is newer must not depend on which arrived first.

mod plot;

use std::collections::{BTreeMap, BTreeSet};

use bincode::{Decode, Encode};
use sync_core::{
    Entry, Key, MergeRule, Payload, PayloadKind, Reason, Receipt, Reset, Revision, RowOp, Stamp,
    Write, WriteId,
};

use self::plot::Plot;
use super::commit::receipt;

/// The last delete of a key, or of one field of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Grave {
    pub(crate) delete: WriteId,
    stamp: Stamp,
    pub(super) payload: Payload,
    /// The commit that covered it: who has read that far has seen it.
    since: Revision,
}

impl Grave {
    pub(super) fn new(delete: &WriteId, write: &Write, since: Revision) -> Self {
        Self {
            delete: delete.clone(),
            stamp: write.stamp,
            payload: write.payload.clone(),
            since,
        }
    }

    /// The total order of writes.
    fn age(&self) -> (Stamp, &WriteId) {
        (self.stamp, &self.delete)
    }

    /// What was deleted: the payload of a delete names it, but for how much of a counter it was.
    fn part(&self) -> Payload {
        match self.payload.kind() {
            PayloadKind::Reset => of_counter(),
            _ => self.payload.clone(),
        }
    }

    /// One for both: of the newer delete, as if it had been covered when the last of them was. Who has
    /// seen one of them need not have seen the other.
    fn together_with(mut self, other: Option<Self>) -> Self {
        let Some(mut other) = other else { return self };
        if let (Some(mut all), Some(more)) = (self.payload.as_reset(), other.payload.as_reset()) {
            all.join(more);
            self.payload = Payload::reset(all);
            other.payload = self.payload.clone();
        }
        let since = self.since.max(other.since);
        let newer = if self.age() > other.age() {
            self
        } else {
            other
        };
        Self { since, ..newer }
    }

    fn is_newer_than(&self, (id, write): Judged<'_>) -> bool {
        self.age() > (write.stamp, id)
    }
}

type Judged<'a> = (&'a WriteId, &'a Write);

/// What stands for the deletes of a counter.
fn of_counter() -> Payload {
    Payload::reset(Reset::default())
}

/// What becomes of writes that meet a grave.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Writes that are older than the delete, and end.
    pub(super) ended: Vec<WriteId>,
    /// To those who lost: the writer of such a write, or the one who had deleted.
    pub(super) receipts: Vec<Receipt>,
    /// The rows of graves that have changed.
    pub(super) rows: Vec<RowOp>,
    /// A delete whose work begins anew: what it has removed of a counter has come back as part of a later
    /// contribution.
    pub(super) raised: Option<Grave>,
}

/// What a hub knows about the writes that it judges.
pub(super) struct Case<'a, S> {
    pub(super) key: &'a Key,
    pub(super) rule: MergeRule,
    pub(super) entry: &'a Entry,
    /// The writes that came or went with the commit.
    pub(super) stale: &'a BTreeSet<WriteId>,
    /// Those that [`Graves::orphans`] has found among them.
    pub(super) orphans: Option<&'a BTreeSet<WriteId>>,
    /// Whether the author of a write had seen what was committed then.
    pub(super) has_seen: S,
}

/// The graves of a hub: at most one per key and per field.
#[derive(Debug, Default)]
pub(super) struct Graves {
    by_key: BTreeMap<Key, Plot>,
}

impl Graves {
    pub(super) fn restore(&mut self, key: Key, grave: Grave, forgotten: bool) {
        self.by_key
            .entry(key)
            .or_default()
            .restore(grave, forgotten);
    }

    /// A delete has done its work. The rows that change.
    ///
    /// What cleared a map stands for the graves of the fields whose deletes its author had seen: what is
    /// older than they are is older than that.
    pub(super) fn dig(
        &mut self,
        key: &Key,
        grave: Grave,
        most: usize,
        has_seen: impl Fn(Revision) -> bool,
    ) -> Vec<RowOp> {
        let plot = self.by_key.entry(key.clone()).or_default();
        let mut changed = Vec::new();
        if grave.payload.kind() == PayloadKind::Cleared {
            let is_void = |field: &Grave| has_seen(field.since) && field.age() < grave.age();
            changed = plot.remove_fields(key, is_void);
        }
        changed.extend(plot.dig(key, grave, most));
        changed
    }

    /// The writes of a delta, not joined yet, to fields that were there once and are not: of a delete that
    /// is forgotten that is what is left. `before` are such writes already.
    pub(super) fn orphans(
        &self,
        key: &Key,
        held: &Entry,
        delta: &Entry,
        before: Option<&BTreeSet<WriteId>>,
    ) -> BTreeSet<WriteId> {
        let plot = self.by_key.get(key);
        if plot.is_none_or(|plot| plot.forgotten().is_none()) {
            return BTreeSet::new();
        }
        let is_orphan = |write: &Write| {
            let Some(field) = write.payload.part() else {
                return false;
            };
            let counted = |id: &WriteId| before.is_some_and(|orphans| orphans.contains(id));
            let gone = held.part(&field).all(|(id, _)| counted(id));
            let mut unheard = write.over.clone();
            unheard.subtract(held.context());
            gone && unheard != write.over
        };
        let orphans = delta.writes().filter(|(_, write)| is_orphan(write));
        orphans.map(|(id, _)| id.clone()).collect()
    }

    /// Judges the writes that a commit added to a key and that did not see its deletes.
    pub(super) fn judge<S: Fn(&Write, Revision) -> bool>(&mut self, case: &Case<'_, S>) -> Verdict {
        let mut verdict = Verdict::default();
        let Some(plot) = self.by_key.get_mut(case.key) else {
            return verdict;
        };
        for id in case.stale {
            if let Some(write) = case.entry.write(id) {
                case.judge(plot, (id, write), &mut verdict);
            }
        }
        if plot.is_empty() {
            self.by_key.remove(case.key);
        }
        verdict
    }

    /// What was deleted under a rule that the key is no longer under. The rows that change.
    pub(super) fn forget(&mut self, key: &Key) -> Vec<RowOp> {
        let plot = self.by_key.remove(key);
        plot.map_or_else(Vec::new, |plot| plot.clear(key))
    }

    /// The delete of the whole key that was last, while it is remembered.
    pub(super) fn of_all(&self, key: &Key) -> Option<&WriteId> {
        let grave = self.by_key.get(key)?.get(&Payload::absent())?;
        Some(&grave.delete)
    }

    /// Whether a key has any.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }
}

impl<S: Fn(&Write, Revision) -> bool> Case<'_, S> {
    fn judge(&self, plot: &mut Plot, judged: Judged<'_>, verdict: &mut Verdict) {
        let (id, write) = judged;
        if write.payload.kind() == PayloadKind::Count {
            return self.raise(plot, judged, verdict);
        }
        let part = match write.payload.kind() {
            PayloadKind::Put => Some(Payload::absent()),
            PayloadKind::Field => write.payload.part(),
            _ => None,
        };
        let Some(part) = part else { return };
        let is_field = write.payload.kind() == PayloadKind::Field;
        let cleared = plot.get(&Payload::cleared()).filter(|_| is_field);
        if let Some(grave) = cleared.filter(|grave| self.ends(grave, judged)) {
            return self.end(grave, judged, verdict);
        }
        let Some(grave) = plot.get(&part) else {
            let forgotten = plot.forgotten().filter(|_| is_field);
            let orphan = self.orphans.is_some_and(|orphans| orphans.contains(id));
            if let Some(grave) = forgotten.filter(|g| orphan && self.ends(g, judged)) {
                self.end(grave, judged, verdict);
            }
            return;
        };
        if self.ends(grave, judged) {
            return self.end(grave, judged, verdict);
        }
        if grave.is_newer_than(judged) {
            return;
        }
        // What is older than the delete loses against this write from here on.
        if !self.was_seen(grave, write) {
            verdict.receipts.push(self.undone(grave, judged));
        }
        verdict.rows.extend(plot.remove(self.key, &part));
    }

    fn raise(&self, plot: &mut Plot, (id, write): Judged<'_>, verdict: &mut Verdict) {
        let grave = plot.get(&of_counter());
        let concerns = |grave: &&Grave| {
            grave
                .payload
                .as_reset()
                .is_some_and(|r| r.concerns(id, write))
        };
        let Some(grave) = grave.filter(concerns).cloned() else {
            return;
        };
        verdict.rows.extend(plot.remove(self.key, &of_counter()));
        verdict.raised = Some(grave);
    }

    fn was_seen(&self, grave: &Grave, write: &Write) -> bool {
        write.over.contains(&grave.delete) || (self.has_seen)(write, grave.since)
    }

    fn ends(&self, grave: &Grave, judged: Judged<'_>) -> bool {
        grave.is_newer_than(judged) && !self.was_seen(grave, judged.1)
    }

    fn end(&self, grave: &Grave, (id, write): Judged<'_>, verdict: &mut Verdict) {
        let reason = Reason::Superseded {
            winner: grave.delete.clone(),
            winner_stamp: grave.stamp,
            winner_value: None,
            rule: self.rule,
        };
        let told = receipt(id.clone(), self.key, write, reason);
        verdict.receipts.push(told);
        verdict.ended.push(id.clone());
    }

    /// What the one who had deleted is told when a newer write that had not seen it stands.
    fn undone(&self, grave: &Grave, (id, write): Judged<'_>) -> Receipt {
        Receipt {
            write: grave.delete.clone(),
            key: self.key.clone(),
            stamp: grave.stamp,
            discarded: grave.payload.clone(),
            reason: Reason::Superseded {
                winner: id.clone(),
                winner_stamp: write.stamp,
                winner_value: write.payload.value(),
                rule: self.rule,
            },
            // Set when the commit is numbered.
            revision: Revision::default(),
        }
    }
}
