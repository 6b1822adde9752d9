//! One writer and what it holds, composing as the machines do.

use std::collections::BTreeSet;

use crate::context::Span;
use crate::entry::Entry;
use crate::id::{AgentId, Incarnation, Seq, WriteId, Writer};
use crate::resolver::Plan;
use crate::stamp::Stamp;
use crate::write::Write;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) writer: Writer,
    pub(super) entry: Entry,
    /// What its wall clock says.
    pub(super) clock: u64,
    /// Its last number, over all its keys.
    seq: u64,
}

impl Node {
    pub(super) fn new(name: &str) -> Self {
        let agent = AgentId::new(name).unwrap();
        Self {
            writer: Writer::new(agent, Incarnation::from_random(1)),
            entry: Entry::new(),
            clock: 1,
            seq: 0,
        }
    }

    /// Comes back as another incarnation, whose numbers start again.
    pub(super) fn restart(&mut self, incarnation: u64) {
        let agent = self.writer.agent().clone();
        self.writer = Writer::new(agent, Incarnation::from_random(incarnation));
        self.seq = 0;
    }

    /// Spends numbers on other keys.
    pub(super) fn skip(&mut self, numbers: u64) {
        self.seq += numbers;
    }

    /// The stamp that its clock and the plan's floor allow.
    pub(super) fn stamp(&self, plan: &Plan) -> Stamp {
        Stamp::at_millis(self.clock).max(lowest(plan))
    }

    /// The delta of a plan carried out at `stamp`, and the id it has; nothing changes.
    pub(super) fn compose(&self, plan: Plan, stamp: Stamp) -> (WriteId, Entry) {
        let id = WriteId::new(self.writer.clone(), Seq::new(self.seq + 1));
        let prev = self.entry.context().last_of(&self.writer);
        let prev = prev.unwrap_or_default();
        let Some(payload) = plan.payload else {
            let mut context = plan.over;
            context.insert(Span::new(id.writer.clone(), prev.next(), id.seq));
            return (id, Entry::covering(context));
        };
        let over = plan.over;
        let write = Write {
            stamp,
            payload,
            prev,
            over,
            note: None,
        };
        (id.clone(), Entry::of_write(id, write))
    }

    /// Does what was composed.
    pub(super) fn apply(&mut self, id: &WriteId, delta: Entry) {
        self.seq = id.seq.get();
        self.entry.join(delta);
    }
}

/// The lowest stamp that a plan allows.
pub(super) fn lowest(plan: &Plan) -> Stamp {
    plan.floor.map(Stamp::next).unwrap_or_default()
}

pub(super) fn live(entry: &Entry) -> BTreeSet<WriteId> {
    entry.writes().map(|(id, _)| id.clone()).collect()
}
