//! The rule of keys that only the hub changes.

use sync_core::{
    Entry, Loss, MergeRule, Operation, OperationError, PayloadKind, Plan, Resolver, Value, WriteId,
    Writer,
};

use crate::lww::newest;

/// No operation of a replica fits it: a value is what the hub has decided on, by compare-and-set or as
/// a claim. Concurrent values come about only where a hub lost its disk; then the newest shows, and
/// whoever the others are of gets them back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Authority;

impl Resolver for Authority {
    fn rule(&self) -> MergeRule {
        MergeRule::Authority
    }

    fn holds(&self, kind: PayloadKind) -> bool {
        matches!(kind, PayloadKind::Decreed | PayloadKind::Claim)
    }

    fn plan(
        &self,
        operation: &Operation,
        _entry: &Entry,
        _writer: &Writer,
    ) -> Result<Option<Plan>, OperationError> {
        Err(OperationError::Authority {
            operation: operation.name(),
        })
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
        let Some((winner, _)) = newest(entry.writes()) else {
            return Vec::new();
        };
        let lost = entry.writes().filter(|(id, _)| *id != winner);
        lost.map(|(id, _)| Loss {
            loser: id.clone(),
            winner: Some(winner.clone()),
        })
        .collect()
    }
}
