//! What was written knowingly replaces; what was written concurrently stays beside it.

use sync_core::{
    Entry, Loss, MergeRule, OnConcurrent, Operation, OperationError, Payload, PayloadKind, Plan,
    Resolver, Value, Write, WriteId, Writer,
};

use crate::crdt::delete;
use crate::lww::{Lww, newest};

/// The causal rule. Live writes are those that nobody who saw them has replaced, so what dominates
/// is what is live; the variants differ in what becomes of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Causal {
    /// The greatest stamp wins, as under [`Lww`].
    Lww,
    /// All are kept and shown. A write covers every one of them, because its writer was shown every
    /// one.
    #[default]
    Keep,
    /// As [`Causal::Keep`] until the hub has made one value of them.
    Custom,
}

/// The values that stand beside each other. A live absence, which only [`Lww`] writes, is no value: it
/// hides none that it did not cover, so that a key that changes its rule shows too much rather than
/// losing what somebody wrote.
fn values(entry: &Entry) -> impl Iterator<Item = (&WriteId, &Write)> {
    let is_value = |write: &Write| write.payload.kind() == PayloadKind::Put;
    entry.writes().filter(move |(_, write)| is_value(write))
}

fn concurrent(entry: &Entry) -> Vec<WriteId> {
    let all: Vec<WriteId> = values(entry).map(|(id, _)| id.clone()).collect();
    if all.len() > 1 { all } else { Vec::new() }
}

/// Everything was shown, so everything is replaced, knowingly.
fn replace(value: &Value, entry: &Entry) -> Plan {
    Plan {
        payload: Some(Payload::put(value)),
        over: entry.context().clone(),
        floor: entry.writes().map(|(_, write)| write.stamp).max(),
    }
}

impl Resolver for Causal {
    fn rule(&self) -> MergeRule {
        MergeRule::Causal
    }

    fn on_concurrent(&self) -> OnConcurrent {
        match self {
            Self::Lww => OnConcurrent::Lww,
            Self::Keep => OnConcurrent::Keep,
            Self::Custom => OnConcurrent::Custom,
        }
    }

    fn holds(&self, kind: PayloadKind) -> bool {
        Lww.holds(kind)
    }

    fn plan(
        &self,
        operation: &Operation,
        entry: &Entry,
        writer: &Writer,
    ) -> Result<Option<Plan>, OperationError> {
        match (operation, self) {
            (Operation::Put(_) | Operation::Delete, Self::Lww) => {
                Lww.plan(operation, entry, writer)
            }
            (Operation::Put(value), Self::Keep | Self::Custom) => Ok(Some(replace(value, entry))),
            (Operation::Delete, Self::Keep | Self::Custom) => {
                Ok(self.fold(entry).and_then(|_| delete(entry)))
            }
            (other, _) => Err(OperationError::Rule {
                operation: other.name(),
                rule: self.rule(),
            }),
        }
    }

    fn fold(&self, entry: &Entry) -> Option<Value> {
        match self {
            Self::Lww => Lww.fold(entry),
            Self::Keep | Self::Custom => newest(values(entry))?.1.payload.value(),
        }
    }

    fn shown(&self, entry: &Entry) -> Option<WriteId> {
        match self {
            Self::Lww => Lww.shown(entry),
            Self::Keep | Self::Custom => newest(values(entry)).map(|(id, _)| id.clone()),
        }
    }

    /// None where all are shown, as siblings.
    fn hidden(&self, entry: &Entry) -> usize {
        match self {
            Self::Lww => Lww.hidden(entry),
            Self::Keep | Self::Custom => 0,
        }
    }

    fn siblings(&self, entry: &Entry) -> Vec<WriteId> {
        match self {
            Self::Lww => Vec::new(),
            Self::Keep | Self::Custom => concurrent(entry),
        }
    }

    fn losses(&self, entry: &Entry) -> Vec<Loss> {
        match self {
            Self::Lww => Lww.losses(entry),
            // No value loses against another; an absence hides nothing and has done its work.
            Self::Keep | Self::Custom => entry
                .writes()
                .filter(|(_, write)| write.payload.kind() == PayloadKind::Absent)
                .map(|(id, _)| Loss {
                    loser: id.clone(),
                    winner: None,
                })
                .collect(),
        }
    }

    fn unmerged(&self, entry: &Entry) -> Vec<WriteId> {
        match self {
            Self::Lww | Self::Keep => Vec::new(),
            Self::Custom => concurrent(entry),
        }
    }
}
