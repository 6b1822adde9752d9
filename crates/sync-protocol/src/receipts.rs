//! The receipts that wait for one agent: at the hub until it has them, at its replica until its application
//! has dealt with them. More than the policy of their keys lets wait become one number.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};

use sync_core::{
    Pattern, Payload, Policies, Reason, Receipt, ReceiptPlace, Revision, RowOp, WriteId,
    planted::{self, Planted},
};

use crate::rows;

/// Receipts that wait for one agent under one policy, or under none, unless that policy says otherwise:
/// what a busy agent loses in a weekend away, and with small values a few dozen MiB.
pub const RECEIPTS_WAITING_MAX: u32 = 100_000;

/// Refusals that wait for one agent before the hub takes no more of its pushes: some pushes.
pub const REFUSALS_WAITING_MAX: usize = 4_096;

/// Where a receipt stands among the others: the oldest first, and of one revision a summary.
type Place = ReceiptPlace;

/// What waits for one agent. Every step costs O(log n).
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    waiting: BTreeMap<WriteId, Receipt>,
    /// All of them, the oldest first.
    order: BTreeSet<Place>,
    /// By the pattern of the policy that counts for their keys.
    lines: BTreeMap<Option<Pattern>, BTreeSet<Place>>,
    /// Those that the agent was told of and has not confirmed yet: in no line, as it may have counted each by
    /// itself. No more than one message holds.
    sent: BTreeSet<WriteId>,
    /// Writes that only a number is left of.
    dropped: u64,
    /// Whether refusals are left out of summaries, and how many there are.
    keeps_refusals: bool,
    refusals: usize,
}

impl Receipts {
    /// As a hub keeps them: a refusal is named until its writer has it, as that has to undo the write. An
    /// agent has so many as it pushes before it takes them, see [`REFUSALS_WAITING_MAX`].
    pub(crate) fn of_hub() -> Self {
        Self {
            keeps_refusals: true,
            ..Self::default()
        }
    }

    /// Whether so many refusals wait that the agent had better take them first.
    pub(crate) fn is_full_of_refusals(&self) -> bool {
        self.refusals >= REFUSALS_WAITING_MAX
    }

    /// How many refusals wait.
    pub(crate) fn refusals(&self) -> usize {
        self.refusals
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes that only a number is left of.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn get(&self, id: &WriteId) -> Option<&Receipt> {
        self.waiting.get(id)
    }

    pub(crate) fn contains(&self, id: &WriteId) -> bool {
        self.waiting.contains_key(id)
    }

    /// Whether the agent was told of that write and has not confirmed it.
    pub(crate) fn was_sent(&self, id: &WriteId) -> bool {
        self.sent.contains(id)
    }

    /// All of them, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Receipt> {
        self.after(None)
    }

    /// Those after a place, the oldest first.
    pub(crate) fn after(&self, place: Option<&Place>) -> impl Iterator<Item = &Receipt> {
        let from = place.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.order.range((from, Bound::Unbounded));
        rest.filter_map(|(_, _, id)| self.waiting.get(id))
    }

    /// What the agent is to be told next: what it was told and has not confirmed, else all, the oldest first.
    pub(crate) fn due(&self) -> impl Iterator<Item = &Receipt> {
        let again = self.sent.iter().filter_map(|id| self.waiting.get(id));
        let all = if self.sent.is_empty() { usize::MAX } else { 0 };
        again.chain(self.iter().take(all))
    }

    /// The agent is told of these. None of them goes into a summary before it has confirmed it.
    pub(crate) fn mark_sent<'a>(
        &mut self,
        told: impl Iterator<Item = &'a Receipt>,
        policies: &Policies,
    ) {
        for receipt in told {
            self.leave_line(receipt, policies);
            self.sent.insert(receipt.write.clone());
        }
    }

    /// Those of a writer's numbers.
    pub(crate) fn of(&self, ids: RangeInclusive<WriteId>) -> impl Iterator<Item = &Receipt> {
        self.waiting.range(ids).map(|(_, receipt)| receipt)
    }

    /// Takes a receipt in, in the place of an earlier one of the same write; the rows that change, and a
    /// summary that is new. What is over the bound then goes into one, the oldest first. `fresh` names a summary: an id of
    /// the same agent that no write has. One that grows gets a new name, so that nobody takes more than
    /// it was told.
    pub(crate) fn keep(
        &mut self,
        receipt: Receipt,
        policies: &Policies,
        fresh: impl FnMut() -> WriteId,
    ) -> (Vec<RowOp>, Option<Receipt>) {
        self.remove(&receipt.write, policies);
        let mut ops = vec![rows::put_receipt(&receipt)];
        let is_named = self.is_named(&receipt);
        let (pattern, limit) = bound_of(&receipt, policies);
        let place = self.insert(receipt);
        if is_named {
            return (ops, None);
        }
        self.line(pattern.as_ref()).insert(place);
        let limit = limit.saturating_sub(self.sent_of(pattern.as_ref(), limit, policies));
        let summary = self.shorten(pattern.as_ref(), limit, fresh, &mut ops);
        (ops, summary)
    }

    /// Whether it goes into no summary.
    fn is_named(&self, receipt: &Receipt) -> bool {
        self.keeps_refusals && receipt.refused()
    }

    /// Takes a stored receipt back. It is in no line before [`Receipts::regroup`].
    pub(crate) fn restore(&mut self, receipt: Receipt) {
        self.insert(receipt);
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, id: &WriteId, policies: &Policies) -> Option<Receipt> {
        let receipt = self.take_out(id)?;
        self.leave_line(&receipt, policies);
        Some(receipt)
    }

    fn leave_line(&mut self, receipt: &Receipt, policies: &Policies) {
        let (pattern, _) = bound_of(receipt, policies);
        if let Some(line) = self.lines.get_mut(&pattern) {
            line.remove(&place(receipt));
            if line.is_empty() {
                self.lines.remove(&pattern);
            }
        }
    }

    /// Puts all of them in line anew, because another table is in force; the rows that change, and the
    /// summaries that are new. O(n log n).
    pub(crate) fn regroup(
        &mut self,
        policies: &Policies,
        mut fresh: impl FnMut() -> WriteId,
    ) -> (Vec<RowOp>, Vec<Receipt>) {
        self.lines.clear();
        let mut limits = BTreeMap::new();
        for receipt in self.waiting.values() {
            let is_named = self.keeps_refusals && receipt.refused();
            if is_named || self.sent.contains(&receipt.write) {
                continue;
            }
            let (pattern, limit) = bound_of(receipt, policies);
            if let Some(line) = self.lines.get_mut(&pattern) {
                line.insert(place(receipt));
                continue;
            }
            limits.insert(pattern.clone(), limit);
            self.lines.insert(pattern, BTreeSet::from([place(receipt)]));
        }
        let mut ops = Vec::new();
        let mut summaries = Vec::new();
        for (pattern, limit) in limits {
            let limit = limit.saturating_sub(self.sent_of(pattern.as_ref(), limit, policies));
            summaries.extend(self.shorten(pattern.as_ref(), limit, &mut fresh, &mut ops));
        }
        (ops, summaries)
    }

    /// How many the agent was told of by name and has not confirmed that would stand in a line: they wait, too.
    /// Looked at only where there are enough to matter.
    fn sent_of(&self, pattern: Option<&Pattern>, limit: usize, policies: &Policies) -> usize {
        let line = self.lines.get(&pattern.cloned()).map_or(0, BTreeSet::len);
        if line + self.sent.len() <= limit {
            return 0;
        }
        let sent = self.sent.iter().filter_map(|id| self.waiting.get(id));
        let sent = sent.filter(|r| dropped(r) == 0 && !self.is_named(r));
        let of_line = |r: &&Receipt| bound_of(r, policies).0.as_ref() == pattern;
        sent.filter(of_line).count()
    }

    /// Makes one summary of the oldest of a line, so that beside it no more wait than may.
    fn shorten(
        &mut self,
        pattern: Option<&Pattern>,
        limit: usize,
        mut fresh: impl FnMut() -> WriteId,
        ops: &mut Vec<RowOp>,
    ) -> Option<Receipt> {
        let line = self.line(pattern);
        let summed = usize::from(line.first().is_some_and(|(_, whole, _)| !whole));
        let over = line.len().saturating_sub(limit + summed);
        if over == 0 || planted::is(Planted::ReceiptsWithoutBound) {
            return None;
        }
        let gone = (0..over + summed).filter_map(|_| line.pop_first());
        let gone: Vec<Place> = gone.collect();
        let gone = gone.iter().filter_map(|(_, _, id)| self.take_out(id));
        let gone: Vec<Receipt> = gone.collect();
        ops.extend(gone.iter().map(|r| rows::delete_receipt(&r.write)));
        let summary = summary(fresh(), pattern, &gone)?;
        ops.push(rows::put_receipt(&summary));
        let place = self.insert(summary.clone());
        self.line(pattern).insert(place);
        Some(summary)
    }

    fn line(&mut self, pattern: Option<&Pattern>) -> &mut BTreeSet<Place> {
        self.lines.entry(pattern.cloned()).or_default()
    }

    fn insert(&mut self, receipt: Receipt) -> Place {
        let place = place(&receipt);
        self.dropped += dropped(&receipt);
        self.refusals += usize::from(receipt.refused());
        self.order.insert(place.clone());
        self.waiting.insert(receipt.write.clone(), receipt);
        place
    }

    fn take_out(&mut self, id: &WriteId) -> Option<Receipt> {
        let receipt = self.waiting.remove(id)?;
        self.dropped -= dropped(&receipt);
        self.refusals -= usize::from(receipt.refused());
        self.order.remove(&place(&receipt));
        self.sent.remove(id);
        Some(receipt)
    }
}

pub(crate) fn place(receipt: &Receipt) -> Place {
    let is_summary = dropped(receipt) > 0;
    (receipt.revision, !is_summary, receipt.write.clone())
}

/// How many writes a receipt is all that is left of.
fn dropped(receipt: &Receipt) -> u64 {
    match receipt.reason {
        Reason::Dropped { count, .. } => count,
        _ => 0,
    }
}

/// The line that a receipt stands in, by its pattern, and how long that may be.
fn bound_of(receipt: &Receipt, policies: &Policies) -> (Option<Pattern>, usize) {
    let policy = match &receipt.reason {
        Reason::Dropped { pattern, .. } => {
            let same = policies
                .iter()
                .find(|p| Some(&p.pattern) == pattern.as_ref());
            let limit = limit(same.and_then(|p| p.receipts));
            return (pattern.clone(), limit);
        }
        _ => policies.of(&receipt.key),
    };
    let pattern = policy.map(|p| p.pattern.clone());
    (pattern, limit(policy.and_then(|p| p.receipts)))
}

fn limit(said: Option<u32>) -> usize {
    let limit = said.unwrap_or(RECEIPTS_WAITING_MAX);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// One receipt in the place of several.
fn summary(write: WriteId, pattern: Option<&Pattern>, of: &[Receipt]) -> Option<Receipt> {
    let newest = of.iter().max_by_key(|receipt| receipt.revision)?;
    let first = of.iter().map(first_of).min()?;
    Some(Receipt {
        write,
        key: newest.key.clone(),
        stamp: newest.stamp,
        discarded: Payload::absent(),
        reason: Reason::Dropped {
            count: of.iter().map(Receipt::count).sum(),
            pattern: pattern.cloned(),
            first,
        },
        revision: newest.revision,
    })
}

fn first_of(receipt: &Receipt) -> Revision {
    match receipt.reason {
        Reason::Dropped { first, .. } => first,
        _ => receipt.revision,
    }
}

#[cfg(test)]
mod tests;
