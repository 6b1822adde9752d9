//! What may not enter a commit: why, what its writer is told, and what is covered in its place.

use sync_core::planted::{self, Planted};
use sync_core::{
    Context, Entry, Key, MergeRule, Now, Payload, PayloadKind, Reason, Receipt, Resolver, Revision,
    Write, WriteId,
};

use super::Hub;
use super::admit::Source;
use super::commit::{Commit, receipt};
use crate::compose;
use crate::keyspace::KeyState;
use crate::millis::millis;

/// What the writes of one delta are held against, one after the other: the first of them may choose the
/// rule for the others.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    rule: Option<&'a dyn Resolver>,
    /// What held before the delta.
    before: Option<&'a dyn Resolver>,
}

impl Hub {
    /// What a delta's writes are held against.
    pub(super) fn rules_for(&self, key: &Key, held: &Entry, delta: &Entry) -> Rules<'_> {
        let stays = |id: &WriteId| !delta.context().contains(id) || delta.write(id).is_some();
        Rules {
            rule: self.resolvers.of_entry(key, held, stays),
            before: self.resolvers.of_entry(key, held, |_| true),
        }
    }

    /// Why a write may not enter a key; none if it may.
    pub(super) fn reason_against<'a>(
        &'a self,
        now: Now,
        key: &Key,
        write: &Write,
        rules: &mut Rules<'a>,
        source: Source,
    ) -> Option<Reason> {
        let kind = write.payload.kind();
        // What takes the place of all there is leaves the key under the rule it was made by.
        let same = || rules.before.filter(|r| r.holds(kind));
        let rule = rules.rule.or_else(same);
        rules.rule = rule.or_else(|| self.resolvers.of_kind(key, kind));
        let is_heeded = !planted::is(Planted::PlainWriteOnDecided);
        match rules.rule {
            Some(rule) if !rule.holds(kind) && is_heeded => {
                Some(Reason::RuleMismatch { rule: rule.rule() })
            }
            _ if source == Source::Writer => self.refuse_write(now, key, write),
            _ => None,
        }
    }

    fn refuse_write(&self, now: Now, key: &Key, write: &Write) -> Option<Reason> {
        let limits = &self.config.limits;
        let bytes = write.payload.as_bytes().len() as u64;
        let limit = compose::value_bytes_max(key, limits, self.policies());
        // What only removes has no value, and is as long as who has a part in what it removes.
        if bytes > limit && !write.payload.kind().is_absence() {
            return Some(Reason::TooLarge { bytes, limit });
        }
        if !self.clock.believes(write.stamp, now) {
            let ahead_ms = write.stamp.millis().saturating_sub(now.wall_ms);
            let limit_ms = millis(limits.drift_max);
            return Some(Reason::FutureStamp { ahead_ms, limit_ms });
        }
        None
    }

    /// Tells of what was refused once more. A disk of its agent that does not know of the refusal, an old
    /// one or a copy, pushes it again, and would take for a fact what it covers there. Had it been
    /// admitted, all of that would be known here and nothing of it live.
    pub(super) fn return_refused(
        &self,
        commit: &mut Commit,
        now: Now,
        key: &Key,
        id: &WriteId,
        pushed: &Entry,
    ) {
        let Some(held) = self.space.get(key).map(KeyState::entry) else {
            return;
        };
        let is_dead = held.context().contains(id) && held.write(id).is_none();
        if !is_dead || is_in_force(held, pushed) {
            return;
        }
        let waiting = self.receipts.get(id.writer.agent());
        let mut told = commit.receipts.iter();
        if waiting.is_some_and(|receipts| receipts.contains(id)) || told.any(|r| r.write == *id) {
            return;
        }
        let may_write = |session| self.may_write(session, key);
        let reason = if commit.origin().is_none_or(may_write) {
            self.reason_today(now, key, held, id, pushed)
        } else {
            Reason::Forbidden
        };
        commit.with_receipt(self.refused(id, key, pushed, reason));
    }

    /// Why what was refused once would be refused by what holds today, if it would.
    fn reason_today(
        &self,
        now: Now,
        key: &Key,
        held: &Entry,
        id: &WriteId,
        pushed: &Entry,
    ) -> Reason {
        if is_the_hubs(held, pushed) {
            let rule = MergeRule::Authority;
            return Reason::RuleMismatch { rule };
        }
        let mut rules = self.rules_for(key, held, pushed);
        let source = Source::Writer;
        let against = |write| {
            let reason = self.reason_against(now, key, write, &mut rules, source);
            reason.or_else(|| self.over_quota(key, write, pushed, source))
        };
        let reason = pushed.write(id).and_then(against);
        reason.unwrap_or(Reason::Unknown)
    }

    /// What the writer of a refused delta is told.
    pub(super) fn refused(
        &self,
        id: &WriteId,
        key: &Key,
        delta: &Entry,
        reason: Reason,
    ) -> Receipt {
        match delta.write(id) {
            Some(write) => receipt(id.clone(), key, write, reason),
            // It only takes away.
            None => Receipt {
                write: id.clone(),
                key: key.clone(),
                stamp: self.clock.high_water(),
                discarded: Payload::absent(),
                reason,
                revision: Revision::default(),
            },
        }
    }
}

/// Whether all that a delta does holds here.
fn is_in_force(held: &Entry, delta: &Entry) -> bool {
    let covered = |(id, _): (&WriteId, &Write)| delta.context().contains(id);
    held.context().includes(delta.context()) && !held.writes().any(covered)
}

/// What takes the place of a refused write: its own numbers count as seen, what it replaced stays. How far
/// they reach back is its writer's word, and ends nothing that is live.
pub(super) fn seen(held: Option<&Entry>, id: &WriteId, write: &Write) -> Context {
    let span = write.span(id);
    let live = held.map_or_else(Vec::new, |held| held.live_within(&span));
    let mut seen: Context = std::iter::once(span).collect();
    for id in &live {
        seen.remove_id(id);
    }
    seen
}

/// Whether a delta that a replica made does what the hub alone decides: writes as it does, or takes away
/// what it has put there.
pub(super) fn is_the_hubs(held: &Entry, delta: &Entry) -> bool {
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
pub(super) fn refuse_decreed(commit: &mut Commit, key: &Key, held: &Entry, delta: &Entry) -> Entry {
    commit.surprises(key);
    let rule = MergeRule::Authority;
    let mut spans = Context::new();
    for (id, write) in delta.writes() {
        spans.union(&seen(Some(held), id, write));
        let reason = Reason::RuleMismatch { rule };
        commit.with_receipt(receipt(id.clone(), key, write, reason));
    }
    Entry::covering(spans)
}
