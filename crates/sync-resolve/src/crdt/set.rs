//! A set in which an add wins over a remove that did not see it.
//!
//! Bieniusa et al., "An Optimized Conflict-free Replicated Set" (2012): no tombstone per element;
//! the entry's context tells a removed add from an unseen one.

use std::collections::BTreeMap;

use sync_core::{
    Entry, Loss, MergeRule, Operation, OperationError, Payload, PayloadKind, Plan, Resolver, Value,
    WriteId, Writer, value::DEPTH_MAX,
};

use super::{covering, delete, plan};

/// The set rule. An emptied set reads as absent, as it does in Redis.
#[derive(Debug, Clone, Copy, Default)]
pub struct Set;

impl Resolver for Set {
    fn rule(&self) -> MergeRule {
        MergeRule::Set
    }

    fn holds(&self, kind: PayloadKind) -> bool {
        kind == PayloadKind::Element
    }

    fn plan(
        &self,
        operation: &Operation,
        entry: &Entry,
        writer: &Writer,
    ) -> Result<Option<Plan>, OperationError> {
        match operation {
            // Adding again makes a new id: it has to survive a remove that saw only the old one.
            Operation::Insert(value) => {
                value
                    .check_item_depth()
                    .map_err(|_| OperationError::TooDeep {
                        limit: DEPTH_MAX - 1,
                    })?;
                let element = Payload::element(value);
                let own: Vec<_> = entry
                    .part(&element)
                    .filter(|(id, _)| id.writer == *writer)
                    .collect();
                let closures = own.into_iter().map(|(id, write)| write.closure(id));
                Ok(Some(plan(Some(element), closures)))
            }
            Operation::Remove(value) => {
                let element = Payload::element(value);
                let plan = covering(entry.part(&element).map(|(id, write)| write.closure(id)));
                Ok((!plan.over.is_empty()).then_some(plan))
            }
            Operation::Delete => Ok(delete(entry)),
            other => Err(OperationError::Rule {
                operation: other.name(),
                rule: self.rule(),
            }),
        }
    }

    /// The elements in the order of their canonical bytes.
    fn fold(&self, entry: &Entry) -> Option<Value> {
        let elements: BTreeMap<&Payload, ()> = entry
            .writes()
            .map(|(_, write)| (&write.payload, ()))
            .collect();
        let values = elements.keys().filter_map(|payload| payload.value());
        entry.is_live().then(|| Value::List(values.collect()))
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
