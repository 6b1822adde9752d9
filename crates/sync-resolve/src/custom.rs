//! A function of the user's makes one value of concurrent ones, at the hub.

use sync_core::{
    Entry, Loss, MergeRule, Operation, OperationError, PayloadKind, Plan, Resolver, Value, WriteId,
    Writer,
};

use crate::causal::Causal;

/// The custom rule: [`Causal::Custom`] under a name of its own. Which function merges says the key's
/// policy; until the hub has called it, all values are shown and the newest is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Custom;

const CAUSAL: Causal = Causal::Custom;

impl Resolver for Custom {
    fn rule(&self) -> MergeRule {
        MergeRule::Custom
    }

    fn holds(&self, kind: PayloadKind) -> bool {
        CAUSAL.holds(kind)
    }

    fn plan(
        &self,
        operation: &Operation,
        entry: &Entry,
        writer: &Writer,
    ) -> Result<Option<Plan>, OperationError> {
        match operation {
            Operation::Put(_) | Operation::Delete => CAUSAL.plan(operation, entry, writer),
            other => Err(OperationError::Rule {
                operation: other.name(),
                rule: self.rule(),
            }),
        }
    }

    fn fold(&self, entry: &Entry) -> Option<Value> {
        CAUSAL.fold(entry)
    }

    fn shown(&self, entry: &Entry) -> Option<WriteId> {
        CAUSAL.shown(entry)
    }

    fn hidden(&self, entry: &Entry) -> usize {
        CAUSAL.hidden(entry)
    }

    fn siblings(&self, entry: &Entry) -> Vec<WriteId> {
        CAUSAL.siblings(entry)
    }

    fn losses(&self, entry: &Entry) -> Vec<Loss> {
        CAUSAL.losses(entry)
    }

    fn unmerged(&self, entry: &Entry) -> Vec<WriteId> {
        CAUSAL.unmerged(entry)
    }
}
