//! The join as the design states it, with literal sets and nothing clever.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{Entry, Seq, Write, WriteId};

/// `Entry = { writes: WriteId → Write, context: a set of write ids }`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Model {
    pub(crate) writes: BTreeMap<WriteId, Write>,
    pub(crate) context: BTreeSet<WriteId>,
}

impl From<&Entry> for Model {
    fn from(entry: &Entry) -> Self {
        let ids = entry.context().spans().iter().flat_map(|span| {
            let seqs = span.first.get()..=span.last.get();
            seqs.map(|seq| WriteId::new(span.writer.clone(), Seq::new(seq)))
        });
        let writes = entry
            .writes()
            .map(|(id, write)| (id.clone(), write.clone()));
        Self {
            writes: writes.collect(),
            context: ids.collect(),
        }
    }
}

impl Model {
    /// `writes  = (a.writes ∩ b.writes) ∪ (a.writes − b.context) ∪ (b.writes − a.context)`
    /// `context = a.context ∪ b.context`
    pub(crate) fn join(&self, other: &Self) -> Self {
        let in_both = self
            .writes
            .iter()
            .filter(|(id, _)| other.writes.contains_key(id));
        let ours = self
            .writes
            .iter()
            .filter(|(id, _)| !other.context.contains(id));
        let theirs = other
            .writes
            .iter()
            .filter(|(id, _)| !self.context.contains(id));
        let writes = in_both.chain(ours).chain(theirs);
        Self {
            writes: writes
                .map(|(id, write)| (id.clone(), write.clone()))
                .collect(),
            context: self.context.union(&other.context).cloned().collect(),
        }
    }
}
