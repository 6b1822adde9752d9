//! Last writer wins: the greatest stamp shows, and what loses a race comes back to its writer.

use sync_core::{
    Entry, Loss, MergeRule, Operation, OperationError, Payload, PayloadKind, Plan, Resolver, Value,
    Write, WriteId, Writer,
    planted::{self, Planted},
};

/// The register rule. A write covers the value its writer could see; siblings it was never shown
/// stay live until the hub decides, so that they lose with a receipt and not silently.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lww;

/// The total order `(stamp, agent, incarnation, seq)`: no two writes tie.
pub(crate) fn newest<'a>(
    writes: impl Iterator<Item = (&'a WriteId, &'a Write)>,
) -> Option<(&'a WriteId, &'a Write)> {
    writes.max_by(|(a, x), (b, y)| (x.stamp, *a).cmp(&(y.stamp, *b)))
}

impl Resolver for Lww {
    fn rule(&self) -> MergeRule {
        MergeRule::Lww
    }

    fn holds(&self, kind: PayloadKind) -> bool {
        matches!(kind, PayloadKind::Put | PayloadKind::Absent)
    }

    fn plan(
        &self,
        operation: &Operation,
        entry: &Entry,
        _writer: &Writer,
    ) -> Result<Option<Plan>, OperationError> {
        let shown = newest(entry.writes());
        let payload = match operation {
            Operation::Put(value) => Payload::put(value),
            Operation::Delete if self.fold(entry).is_none() => return Ok(None),
            // A live absence, not a mere cover: else a hidden sibling would reappear.
            Operation::Delete => Payload::absent(),
            other => {
                return Err(OperationError::Rule {
                    operation: other.name(),
                    rule: self.rule(),
                });
            }
        };
        let mut over = entry.context().clone();
        for (id, _) in entry.writes() {
            let is_hidden = shown.is_some_and(|(visible, _)| visible != id);
            if is_hidden && !planted::is(Planted::CoversTheUnseen) {
                over.remove_id(id);
            }
        }
        let floor = entry.writes().map(|(_, write)| write.stamp).max();
        Ok(Some(Plan {
            payload: Some(payload),
            over,
            floor,
        }))
    }

    fn fold(&self, entry: &Entry) -> Option<Value> {
        newest(entry.writes())?.1.payload.value()
    }

    fn shown(&self, entry: &Entry) -> Option<WriteId> {
        newest(entry.writes()).map(|(id, _)| id.clone())
    }

    fn hidden(&self, entry: &Entry) -> usize {
        entry.live_count().saturating_sub(1)
    }

    fn losses(&self, entry: &Entry) -> Vec<Loss> {
        let Some((winner, write)) = newest(entry.writes()) else {
            return Vec::new();
        };
        let lost = entry
            .writes()
            .filter(|(id, _)| *id != winner)
            .map(|(id, _)| Loss {
                loser: id.clone(),
                winner: Some(winner.clone()),
            });
        let mut losses: Vec<Loss> = lost.collect();
        if write.payload.kind() == PayloadKind::Absent {
            // It has removed what it was to remove and stands alone.
            losses.push(Loss {
                loser: winner.clone(),
                winner: None,
            });
        }
        losses
    }
}
