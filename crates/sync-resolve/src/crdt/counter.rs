//! A counter to which every incarnation contributes one total of its own.

use sync_core::{
    Entry, Loss, MergeRule, Operation, OperationError, Payload, PayloadKind, Plan, Resolver, Value,
    WriteId, Writer,
    planted::{self, Planted},
};

use super::{delete, plan};

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
        kind == PayloadKind::Count
    }

    fn plan(
        &self,
        operation: &Operation,
        entry: &Entry,
        writer: &Writer,
    ) -> Result<Option<Plan>, OperationError> {
        let amount = match operation {
            Operation::Add(amount) => *amount,
            Operation::Delete => return Ok(delete(entry)),
            other => {
                return Err(OperationError::Rule {
                    operation: other.name(),
                    rule: self.rule(),
                });
            }
        };
        let own = || entry.writes().filter(|(id, _)| id.writer == *writer);
        // One at most, unless a peer made others up.
        let theirs = planted::is(Planted::CounterAddsTotals).then(|| entry.writes());
        let total = own()
            .chain(theirs.into_iter().flatten())
            .filter_map(|(_, write)| write.payload.total())
            .fold(0, i64::saturating_add);
        let sum = total
            .checked_add(amount)
            .ok_or(OperationError::Overflow { amount, total })?;
        let slot = own().map(|(id, write)| write.closure(id));
        Ok(Some(plan(Some(Payload::count(sum)), slot)))
    }

    fn fold(&self, entry: &Entry) -> Option<Value> {
        let totals = entry
            .writes()
            .filter_map(|(_, write)| write.payload.total());
        let sum: i128 = totals.map(i128::from).sum();
        let clamped = sum.clamp(i64::MIN.into(), i64::MAX.into());
        entry
            .is_live()
            .then(|| Value::Int(i64::try_from(clamped).unwrap_or_default()))
    }

    fn shown(&self, _entry: &Entry) -> Option<WriteId> {
        None
    }

    fn hidden(&self, _entry: &Entry) -> usize {
        0
    }

    fn losses(&self, _entry: &Entry) -> Vec<Loss> {
        Vec::new()
    }
}
