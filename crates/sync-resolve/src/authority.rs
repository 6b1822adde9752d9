//! The rule of keys that only the hub changes.

use sync_core::{
    Entry, Loss, MergeRule, Operation, OperationError, PayloadKind, Plan, Resolver, Value, WriteId,
    Writer,
};

use crate::Lww;

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
        Lww.fold(entry)
    }

    fn shown(&self, entry: &Entry) -> Option<WriteId> {
        Lww.shown(entry)
    }

    fn hidden(&self, entry: &Entry) -> usize {
        Lww.hidden(entry)
    }

    fn losses(&self, entry: &Entry) -> Vec<Loss> {
        Lww.losses(entry)
    }
}
