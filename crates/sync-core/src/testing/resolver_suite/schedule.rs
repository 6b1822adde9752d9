//! A random schedule: writers that disagree about the time, and a network that does what it likes.

use std::collections::BTreeSet;

use super::node::{Node, live};
use super::views::{self, View};
use super::{Checked, Law, plans, require, require_equal, told};
use crate::context::Context;
use crate::entry::Entry;
use crate::id::WriteId;
use crate::resolver::{Operation, Resolver};
use crate::testing::numbers::Numbers;
use crate::value::Value;

/// The last is the hub, which also writes.
const NAMES: [&str; 4] = ["agent-1", "agent-2", "agent-3", "hub"];

const HUB: usize = NAMES.len() - 1;

/// About what a piece of an entry weighs: two or three writes.
const PIECE_BYTES: usize = 120;

pub(super) struct Schedule<'a> {
    rule: &'a dyn Resolver,
    operations: &'a [Operation],
    numbers: Numbers,
    nodes: Vec<Node>,
    /// Everything that was ever sent; what arrives is drawn from it, so some of it never does.
    deltas: Vec<Entry>,
    made: BTreeSet<WriteId>,
    /// Replaced by somebody who was shown it, merged, or lost.
    ended: BTreeSet<WriteId>,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(
        rule: &'a dyn Resolver,
        operations: &'a [Operation],
        numbers: Numbers,
    ) -> Self {
        Self {
            rule,
            operations,
            numbers,
            nodes: NAMES.map(Node::new).into(),
            deltas: Vec::new(),
            made: BTreeSet::new(),
            ended: BTreeSet::new(),
        }
    }

    pub(super) fn wrote(&self) -> bool {
        !self.made.is_empty()
    }

    /// Does one thing.
    pub(super) fn step(&mut self) -> Checked {
        let who = self.numbers.below(NAMES.len());
        match self.numbers.below(20) {
            0..8 => {
                let operation = match self.numbers.below(self.operations.len() + 1) {
                    0 => Operation::Delete,
                    at => self.operations[at - 1].clone(),
                };
                self.operate(who, &operation)
            }
            8..12 => self.deliver(who),
            12..14 => self.deliver_piece(who),
            14..16 => self.deliver_all(who),
            16 => {
                self.nodes[who].clock = self.numbers.next() % 30;
                Ok(())
            }
            17 => {
                self.nodes[who].restart(self.numbers.next());
                Ok(())
            }
            _ => self.resolve(),
        }
    }

    fn operate(&mut self, who: usize, operation: &Operation) -> Checked {
        let node = &mut self.nodes[who];
        node.skip(self.numbers.next() % 3);
        let Some(plan) = plans::check(self.rule, operation, node)? else {
            return Ok(());
        };
        let before = live(&node.entry);
        let stamp = node.stamp(&plan);
        let (id, delta) = node.compose(plan, stamp);
        node.apply(&id, delta.clone());
        let after = live(&node.entry);
        self.ended.extend(before.difference(&after).cloned());
        self.made.extend(after.difference(&before).cloned());
        self.deltas.push(delta);
        views::check(self.rule, &self.nodes[who].entry).map(|_| ())
    }

    /// Something that was sent arrives: late, out of order, or again.
    fn deliver(&mut self, to: usize) -> Checked {
        let which = self.numbers.below(self.deltas.len().max(1));
        let delta = self.deltas.get(which).cloned();
        self.absorb(to, delta.unwrap_or_default())
    }

    fn deliver_piece(&mut self, to: usize) -> Checked {
        let from = self.numbers.below(NAMES.len());
        let mut pieces = self.nodes[from].entry.parts(None, PIECE_BYTES);
        let which = self.numbers.below(pieces.len());
        self.absorb(to, pieces.swap_remove(which).entry)
    }

    fn deliver_all(&mut self, to: usize) -> Checked {
        let from = self.numbers.below(NAMES.len());
        self.absorb(to, self.nodes[from].entry.clone())
    }

    fn absorb(&mut self, to: usize, delta: Entry) -> Checked {
        let entry = &mut self.nodes[to].entry;
        entry.join(delta);
        views::check(self.rule, entry).map(|_| ())
    }

    /// The hub covers what lost and puts one value on top of what is unmerged.
    fn resolve(&mut self) -> Checked {
        let hub = &mut self.nodes[HUB];
        let before = views::check(self.rule, &hub.entry)?;
        let mut ids = Context::new();
        for loss in &before.losses {
            ids.insert_id(&loss.loser);
            self.ended.insert(loss.loser.clone());
        }
        let delta = Entry::covering(ids);
        hub.entry.join(delta.clone());
        self.deltas.push(delta);
        let after = views::check(self.rule, &hub.entry)?;
        let law = Law::ResolvingSettles;
        require_equal(law, "the value", &before.value, &after.value)?;
        let beside = (&before.siblings, &before.unmerged);
        let still = (&after.siblings, &after.unmerged);
        require_equal(law, "concurrent values", &beside, &still)?;
        require(law, after.losses.is_empty(), || {
            format!("{:?} are left to lose", after.losses)
        })?;
        self.merge(&after)?;
        let hidden = self.rule.hidden(&self.nodes[HUB].entry);
        require(law, hidden == 0, || format!("{hidden} are left hidden"))
    }

    fn merge(&mut self, before: &View) -> Checked {
        if before.unmerged.is_empty() {
            return Ok(());
        }
        let value = before.value.clone().unwrap_or(Value::Null);
        self.operate(HUB, &Operation::Put(value))?;
        let entry = &self.nodes[HUB].entry;
        let left = before.unmerged.iter().any(|id| entry.write(id).is_some());
        let settled = !left && self.rule.unmerged(entry).is_empty();
        require(Law::ResolvingSettles, settled, || {
            format!("{:?} were merged into {}", before.unmerged, told(entry))
        })
    }

    /// Everything arrives everywhere, at each in another order.
    pub(super) fn heal(&mut self) -> Checked {
        let mut deltas = self.deltas.clone();
        for node in &mut self.nodes {
            for left in (1..deltas.len()).rev() {
                deltas.swap(left, self.numbers.below(left + 1));
            }
            for delta in &deltas {
                node.entry.join(delta.clone());
            }
        }
        let (law, first) = (Law::Converges, &self.nodes[0].entry);
        let read = views::check(self.rule, first)?;
        for node in &self.nodes {
            require_equal(law, "two replicas hold", first, &node.entry)?;
            let view = View::of(self.rule, &node.entry);
            require_equal(law, "two replicas read", &read, &view)?;
        }
        let expected: BTreeSet<_> = self.made.difference(&self.ended).cloned().collect();
        let law = Law::EveryEndHasACause;
        require_equal(law, "live at the end", &live(first), &expected)?;
        self.resolve()
    }
}
