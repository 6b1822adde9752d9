//! What really happened, kept outside the nodes: every operation with what its writer was shown.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{
    Context, Digest, Entry, Epoch, Key, Operation, Payload, Reason, Receipt, Revision, Value,
    WriteId,
};

/// One operation that a node accepted.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) key: Key,
    /// What it left to be seen; none for an operation that only removes.
    pub(crate) payload: Option<Payload>,
    /// Whether it is a write itself, as a delete under a rule with one winner is.
    pub(crate) is_write: bool,
    /// The live writes it replaced, all of which its writer was shown.
    pub(crate) shown: BTreeSet<WriteId>,
    /// Of a counter: the contributions of the same run that it has taken up.
    pub(crate) taken_up: BTreeSet<WriteId>,
    /// Of a counter: what this run had contributed, this operation included.
    pub(crate) total: i64,
    pub(crate) acked: bool,
    /// Made at the hub, for a peer without a replica.
    pub(crate) at_hub: bool,
    /// Made by a function out of what it replaced.
    pub(crate) merged_by: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Ghost {
    pub(crate) ops: BTreeMap<WriteId, Op>,
    /// What a clear at the hub removed; whether it did for good is known once it was confirmed. What
    /// has reached the end of its lifetime never is.
    pub(crate) cleared: BTreeMap<WriteId, bool>,
    /// What was ever live at a hub once it had committed.
    pub(crate) admitted: BTreeSet<WriteId>,
    /// What agents were told about their writes.
    pub(crate) receipts: BTreeMap<WriteId, Receipt>,
    /// Those that they were told the number of, once healed.
    pub(crate) counted: BTreeMap<WriteId, Receipt>,
    /// Every payload ever put or inserted.
    pub(crate) written: BTreeSet<(Key, Payload)>,
    /// What each position of the hub's log stood for.
    pub(crate) digests: BTreeMap<(Epoch, Revision), Digest>,
}

impl Ghost {
    /// Notes an accepted operation: what its node held when it was made, and what it replaced.
    pub(crate) fn note(
        &mut self,
        id: &WriteId,
        key: &Key,
        operation: &Operation,
        before: &Entry,
        shown: BTreeSet<WriteId>,
        is_write: bool,
    ) {
        let own = before.writes().map(|(held, _)| held);
        let own = own.filter(|held| held.writer == id.writer);
        let own: Vec<WriteId> = own.cloned().collect();
        let totals = own
            .iter()
            .filter_map(|held| Some(self.ops.get(held)?.total));
        let so_far: i64 = totals.sum();
        let taken_up = own
            .into_iter()
            .filter(|held| shown.contains(held))
            .collect();
        let (payload, total) = match operation {
            Operation::Put(value) => (Some(Payload::put(value)), 0),
            Operation::Insert(value) => (Some(Payload::element(value)), 0),
            Operation::Add(amount) => (Some(Payload::count(so_far + amount)), so_far + amount),
            Operation::PutField(name, value) => (Payload::field(name, value).ok(), 0),
            _ => (None, 0),
        };
        self.written
            .extend(payload.clone().map(|payload| (key.clone(), payload)));
        let op = Op {
            key: key.clone(),
            payload,
            is_write,
            shown,
            taken_up,
            total,
            acked: false,
            at_hub: false,
            merged_by: None,
        };
        self.ops.insert(id.clone(), op);
    }

    /// Notes what a function has made of `shown`.
    pub(crate) fn note_merged(
        &mut self,
        id: &WriteId,
        key: &Key,
        value: &Value,
        shown: BTreeSet<WriteId>,
        function: &str,
    ) {
        // What is cleared meanwhile is what it was made of, and it with that.
        if shown.iter().any(|id| self.cleared.contains_key(id)) {
            self.cleared.entry(id.clone()).or_default();
        }
        let op = Op {
            key: key.clone(),
            payload: Some(Payload::put(value)),
            is_write: false,
            shown,
            taken_up: BTreeSet::new(),
            total: 0,
            acked: false,
            at_hub: true,
            merged_by: Some(function.to_owned()),
        };
        self.ops.insert(id.clone(), op);
    }

    /// Whether a receipt gives a reason that is one: the write lost against one whose author was not
    /// shown it, or is among those that a function was given.
    pub(crate) fn is_due(&self, receipt: &Receipt) -> bool {
        let shown = |op: &Op| op.shown.contains(&receipt.write);
        match &receipt.reason {
            Reason::Superseded { winner, .. } => !self.ops.get(winner).is_some_and(shown),
            Reason::Merged { by, into, .. } => {
                let made = self
                    .ops
                    .get(into)
                    .filter(|op| op.merged_by.as_ref() == Some(by));
                made.is_some_and(shown)
            }
            _ => true,
        }
    }

    /// What earlier operations of the same agent had replaced and this one covers once more: should
    /// they have been refused, it is this one that replaces it.
    pub(crate) fn replaced_before(&self, id: &WriteId, key: &Key, over: &Context) -> Vec<WriteId> {
        let agent = id.writer.agent();
        let ops = self
            .ops
            .iter()
            .filter(|(other, op)| op.key == *key && other.writer.agent() == agent);
        let shown = ops.flat_map(|(_, op)| &op.shown);
        shown
            .filter(|shown| over.contains(shown))
            .cloned()
            .collect()
    }

    /// What is known to have become of a write that lost.
    pub(crate) fn fate(&self, id: &WriteId) -> Option<&Receipt> {
        self.receipts.get(id).or_else(|| self.counted.get(id))
    }

    pub(crate) fn refused(&self, id: &WriteId) -> bool {
        self.fate(id).is_some_and(Receipt::refused)
    }
}
