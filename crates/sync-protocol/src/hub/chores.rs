//! Work that the hub gives itself or is given at a stroke, over as many keys as there are: values that
//! end, a new table, a whole swarm that is cleared. One commit of it at a time, and the next one when the
//! one before is durable, so that neither the hub nor the store is held up by it: what others do meanwhile
//! waits for one such commit, and what the disk does meanwhile.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use sync_core::{Key, Now};

use super::clearing::Clearings;
use super::commit::Commit;
use super::{Hub, ReplyTo};
use crate::gate::Token;

/// Keys in one commit of it: some tens of milliseconds of a disk.
pub(super) const KEYS_PER_CHORE: usize = 250;

/// What is still to be done.
#[derive(Debug, Default)]
pub(super) struct Chores {
    /// The last commit of it.
    issued: Token,
    /// Keys whose lifetimes another table has changed and whose rows are still to be written. A crash
    /// before lets what was not written begin anew: whoever opens asks the table again.
    lifetimes: BTreeSet<Key>,
    /// Keys on which another table ends writes.
    contested: VecDeque<Key>,
    pub(super) clearings: Clearings,
    /// Whose turn it was not: neither what was given nor what time brings waits for all of the other.
    time_next: bool,
}

impl Chores {
    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.lifetimes.is_empty() && self.contested.is_empty() && self.clearings.is_empty()
    }

    /// The hub has failed. Who waits for it.
    pub(super) fn abandon(&mut self) -> Vec<ReplyTo> {
        let mut chores = std::mem::take(self);
        chores.clearings.abandon()
    }
}

impl Hub {
    /// When there is something to do and it may be done, in the time of [`Now::mono`].
    pub(super) fn chores_due(&self) -> Option<Duration> {
        if !self.gate.is_durable(self.chores.issued) {
            return None;
        }
        if !self.chores.is_empty() {
            return Some(Duration::ZERO);
        }
        let ends = [self.expiries.wake(), self.claims.wake()];
        ends.into_iter().flatten().min()
    }

    /// Does one commit's worth of what is to be done, if the one before is durable.
    pub(super) fn do_chores(&mut self, now: Now) {
        self.do_if_durable(|hub| {
            let time_first = hub.chores.time_next;
            hub.chores.time_next = !time_first;
            // Few, and somebody waits for each.
            hub.expire_claims(now)
                || time_first && hub.expire_values(now)
                || hub.do_given(now)
                || hub.expire_values(now)
        });
    }

    /// The same of what it was given, and not of what time has brought.
    pub(super) fn begin_given(&mut self, now: Now) {
        self.do_if_durable(|hub| hub.do_given(now));
    }

    fn do_if_durable(&mut self, work: impl FnOnce(&mut Self) -> bool) {
        if !self.gate.is_durable(self.chores.issued) {
            return;
        }
        let before = self.gate.issued();
        if work(self) && self.gate.issued() != before {
            self.chores.issued = self.gate.issued();
        }
    }

    /// False if there was nothing to do.
    fn do_given(&mut self, now: Now) -> bool {
        self.write_lifetimes() || self.decide_contested(now) || self.go_on_clearing(now)
    }

    /// Takes on what another table changes.
    pub(super) fn take_on_table(
        &mut self,
        now: Now,
        lifetimes: BTreeSet<Key>,
        contested: Vec<Key>,
    ) {
        self.chores.lifetimes.extend(lifetimes);
        self.chores.contested = contested.into();
        self.begin_given(now);
    }

    /// False if there was nothing to do. So are the following.
    fn write_lifetimes(&mut self) -> bool {
        let mut ops = Vec::new();
        while ops.len() < KEYS_PER_CHORE {
            let Some(key) = self.chores.lifetimes.pop_first() else {
                break;
            };
            ops.push(self.expiries.row_of(&key));
        }
        let some = !ops.is_empty();
        if some {
            self.persist(ops);
        }
        some
    }

    fn decide_contested(&mut self, now: Now) -> bool {
        if self.chores.contested.is_empty() {
            return false;
        }
        let count = self.chores.contested.len().min(KEYS_PER_CHORE);
        let keys: Vec<Key> = self.chores.contested.drain(..count).collect();
        let mut commit = Commit::own();
        for key in keys.iter().filter(|key| self.is_contested(key)) {
            commit.touch(key);
        }
        self.finish(commit, now);
        true
    }
}
