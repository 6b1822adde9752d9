//! Clearing a namespace: gone at once, its rows a batch at a time. A namespace may hold half a million
//! values, and neither the hub nor the store is to be held up by them.
//!
//! One row says that all values up to a number are gone; once it is durable they are, also for a hub that
//! is killed before the last of their rows is deleted. Values stored meanwhile have greater numbers.

use std::time::Duration;

use sync_core::{Answer, MemoryAnswer, Namespace, RowOp};

use super::held::Memory;
use super::space::Space;
use crate::gate::Gate;
use crate::hub::commit::KEYS_PER_COMMIT;
use crate::hub::{Hub, HubOutput, ReplyTo};
use crate::rows;

/// Values that are gone, until they are taken apart.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) namespace: Namespace,
    pub(super) space: Space,
    /// How many there were.
    count: u64,
    /// Who has cleared them; nobody after a restart.
    to: Option<ReplyTo>,
}

impl Leaving {
    pub(super) fn new(namespace: Namespace, space: Space, to: Option<ReplyTo>) -> Self {
        Self {
            count: space.len() as u64,
            namespace,
            space,
            to,
        }
    }
}

impl Memory {
    /// When to go on with what is leaving: at once, but with one batch of it on its way to the store at
    /// a time.
    pub(in crate::hub) fn sweep_due(&self, gate: &Gate<HubOutput>) -> Option<Duration> {
        let due = !self.leaving.is_empty() && gate.is_durable(self.swept);
        due.then_some(Duration::ZERO)
    }

    /// The hub has failed: nothing is taken apart any more. Who waits for it.
    pub(in crate::hub) fn abandon(&mut self) -> Vec<ReplyTo> {
        let leaving = std::mem::take(&mut self.leaving);
        leaving.into_iter().filter_map(|l| l.to).collect()
    }

    /// Lets go of as many values as one batch may delete the rows of. Those rows, and what is empty then.
    fn let_go(&mut self, mut leaving: Leaving) -> (Vec<RowOp>, Option<Leaving>) {
        let (namespace, space) = (&leaving.namespace, &mut leaving.space);
        let before = space.bytes();
        let mut ops = Vec::new();
        for _ in 0..KEYS_PER_COMMIT {
            let Some((key, held)) = space.pop() else {
                break;
            };
            // A row that was written since is not that of the value that leaves.
            let anew = self.get(namespace, &key).is_some_and(|h| h.persistent);
            if held.persistent && !anew {
                ops.push(rows::delete_memory(namespace, &key));
            }
        }
        self.bytes -= before - space.bytes();
        if !space.is_empty() {
            self.leaving.push_front(leaving);
            return (ops, None);
        }
        self.bytes -= space.bytes();
        let mut others = self.leaving.iter();
        let is_last = others.all(|other| other.namespace != *namespace);
        if is_last && self.cleared.remove(namespace).is_some() {
            ops.push(rows::delete_cleared(namespace));
        }
        (ops, Some(leaving))
    }
}

impl Hub {
    /// Answered once all of it is gone, rows and bytes. What is asked meanwhile finds none of it.
    pub(super) fn clear_namespace(&mut self, to: ReplyTo, namespace: Namespace) {
        let Some(space) = self.memory.detach(&namespace) else {
            let none = Answer::Memory(MemoryAnswer::Cleared(0));
            return self.reply(to, Ok(none));
        };
        // What one batch holds needs no row that speaks for it.
        let at_once = space.len() <= KEYS_PER_COMMIT;
        if !at_once && space.has_rows() {
            let number = self.memory.last_number();
            self.memory.cleared.insert(namespace.clone(), number);
            self.persist(vec![rows::put_cleared(&namespace, number)]);
        }
        let leaving = Leaving::new(namespace, space, Some(to));
        if at_once {
            self.sweep(leaving);
        } else {
            self.memory.leaving.push_back(leaving);
        }
    }

    /// Goes on with what is leaving, if it is time for that.
    pub(in crate::hub) fn sweep_memory(&mut self) {
        if self.memory.sweep_due(&self.gate).is_none() {
            return;
        }
        if let Some(leaving) = self.memory.leaving.pop_front() {
            self.sweep(leaving);
            self.memory.swept = self.gate.issued();
        }
    }

    fn sweep(&mut self, leaving: Leaving) {
        let (ops, gone) = self.memory.let_go(leaving);
        if !ops.is_empty() {
            self.persist(ops);
        }
        let Some(Leaving { count, to, .. }) = gone else {
            return;
        };
        if let Some(to) = to {
            let cleared = Answer::Memory(MemoryAnswer::Cleared(count));
            self.reply(to, Ok(cleared));
        }
    }
}
