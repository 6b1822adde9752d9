//! A counter to which every incarnation contributes one total of its own.

use sync_core::{
    Entry, Loss, MergeRule, Operation, OperationError, Payload, PayloadKind, Plan, Reset, Resolver,
    Value, Write, WriteId, Writer,
    planted::{self, Planted},
};

use super::plan;

/// The counter rule: 42 from one agent and 45 from another read 87, however often they are joined,
/// because each agent owns its contribution.
///
/// The sum reads exact up to the ends of `i64` and stays there beyond; contributions are kept exact.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counter;

impl Resolver for Counter {
    fn rule(&self) -> MergeRule {
        MergeRule::Counter
    }

    fn holds(&self, kind: PayloadKind) -> bool {
        matches!(kind, PayloadKind::Count | PayloadKind::Reset)
    }

    fn plan(
        &self,
        operation: &Operation,
        entry: &Entry,
        writer: &Writer,
    ) -> Result<Option<Plan>, OperationError> {
        let amount = match operation {
            Operation::Add(amount) => *amount,
            Operation::Delete => return Ok(reset(entry, writer)),
            other => {
                return Err(OperationError::Rule {
                    operation: other.name(),
                    rule: self.rule(),
                });
            }
        };
        let own = || contributions(entry).filter(|(id, ..)| id.writer == *writer);
        // One at most, unless a peer made others up.
        let theirs = planted::is(Planted::CounterAddsTotals).then(|| contributions(entry));
        let total = own()
            .chain(theirs.into_iter().flatten())
            .fold(0, |sum: i64, (.., total)| sum.saturating_add(total));
        let sum = total
            .checked_add(amount)
            .ok_or(OperationError::Overflow { amount, total })?;
        let slot = own().map(|(id, write, _)| write.closure(id));
        Ok(Some(plan(Some(Payload::count(sum)), slot)))
    }

    fn fold(&self, entry: &Entry) -> Option<Value> {
        let is_there = entry.kinds().any(|kind| kind == PayloadKind::Count);
        let deleted = Reset::of(entry);
        let shown = contributions(entry).map(|(id, write, total)| {
            i128::from(total) - i128::from(deleted.removed_from(id, write))
        });
        let sum: i128 = shown.sum();
        let clamped = sum.clamp(i64::MIN.into(), i64::MAX.into());
        is_there.then(|| Value::Int(i64::try_from(clamped).unwrap_or_default()))
    }

    fn shown(&self, _entry: &Entry) -> Option<WriteId> {
        None
    }

    fn hidden(&self, _entry: &Entry) -> usize {
        0
    }

    /// A delete is needed while a contribution stands for something that it has removed.
    fn losses(&self, entry: &Entry) -> Vec<Loss> {
        let resets = entry
            .writes()
            .filter_map(|(id, write)| Some((id, write.payload.as_reset()?)));
        let is_done = |reset: &Reset| !entry.writes().any(|(id, w)| reset.concerns(id, w));
        resets
            .filter(|(_, reset)| is_done(reset))
            .map(|(id, _)| Loss {
                loser: id.clone(),
                winner: None,
            })
            .collect()
    }
}

fn contributions(entry: &Entry) -> impl Iterator<Item = (&WriteId, &Write, i64)> {
    entry
        .writes()
        .filter_map(|(id, write)| Some((id, write, write.payload.total()?)))
}

/// Deleting covers what was shown, and says how much of it others have contributed: their next
/// contributions may stand for that as well. What an incarnation has deleted of its own it does not count
/// any more.
fn reset(entry: &Entry, writer: &Writer) -> Option<Plan> {
    let is_there = contributions(entry).next().is_some();
    let concerns_others = |(id, write): (&WriteId, &Write)| {
        id.writer != *writer || write.payload.kind() == PayloadKind::Reset
    };
    let told = entry.writes().any(concerns_others) && !planted::is(Planted::DeleteWithoutAmounts);
    let payload = told.then(|| Payload::reset(Reset::of_all(entry)));
    let closures = entry.writes().map(|(id, write)| write.closure(id));
    is_there.then(|| plan(payload, closures))
}
