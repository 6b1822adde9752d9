//! The whole account, once everything has healed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use sync_core::{
    Answer, Ask, Entry, Key, PayloadKind, Reason, Receipt, Resolver, Value, Write, WriteId,
};
use sync_protocol::HubOutput;
use sync_resolve::Counter;

use crate::shown::Family;
use crate::tables::{class, keeps, merges};
use crate::world::World;

/// What operations in force have replaced; what they have perhaps, where a hub lost its disk.
#[derive(Debug)]
struct Account {
    replaced: BTreeSet<WriteId>,
    perhaps: BTreeSet<WriteId>,
}

impl World {
    /// Once healed.
    pub(crate) fn check_healed(&mut self) {
        let ids: Vec<WriteId> = self.ghost.ops.keys().cloned().collect();
        let Some(hub) = &self.hub.machine else { return };
        let receipts: Vec<Receipt> = hub.receipts().cloned().collect();
        for receipt in receipts {
            // A client has no replica that could take it.
            if !self.loses(&receipt) {
                self.ghost.receipts.insert(receipt.write.clone(), receipt);
            }
        }
        self.check_ledger();
        self.check_rounds_end();
        let account = Account {
            replaced: self.replaced(
                |id| self.effective(id) && !self.may_be_lost(id) && !self.may_be_unsaid(id),
                |id| self.may_be_unsaid(id),
            ),
            perhaps: self.replaced(
                |id| self.effective(id) || self.unknown(id) || self.was_in_force(id),
                |_| false,
            ),
        };
        for id in &ids {
            self.check_accounted(id, &account);
        }
        for key in self.plan.keys.clone() {
            self.check_value(&key, &account);
        }
        self.asked.clear();
        self.check_confirmed_votes();
        let values = self.hub_values();
        self.check_reader(&values);
        self.check_watchers(&values);
    }

    /// Whether the operation took place: admitted, and not given back.
    pub(crate) fn effective(&self, id: &WriteId) -> bool {
        let op = &self.ghost.ops[id];
        self.at_hub(&op.key).context().contains(id) && !self.ghost.refused(id)
    }

    /// Whether a hub has lost its disk since it deleted or removed for somebody: agents that had heard of
    /// it may have told the next one that they know of the operation, and not what it covers.
    fn may_be_lost(&self, id: &WriteId) -> bool {
        let op = &self.ghost.ops[id];
        op.at_hub && op.payload.is_none() && self.rollbacks > 0
    }

    /// Whether it may never have left its agent, which had put a write on top of it that was refused.
    fn may_be_unsaid(&self, id: &WriteId) -> bool {
        if self.ghost.admitted.contains(id) {
            return false;
        }
        let ops = self.ghost.ops.iter();
        let mut on_top =
            ops.filter(|(other, op)| other.writer == id.writer && op.shown.contains(id));
        on_top.any(|(other, _)| self.ghost.refused(other))
    }

    /// Whether all that anybody can say of the write is that it is not there.
    fn unknown(&self, id: &WriteId) -> bool {
        let receipt = self.ghost.fate(id);
        receipt.is_some_and(|receipt| receipt.reason == Reason::Unknown)
    }

    /// Whether the operation took place at a hub that has lost its disk since: what it replaced then was
    /// replaced knowingly, whatever the next hub makes of it.
    fn was_in_force(&self, id: &WriteId) -> bool {
        self.rollbacks > 0 && self.ghost.admitted.contains(id)
    }

    /// Everything that an operation in force has replaced, and what that had replaced in turn: a
    /// refused write is in force as part of what its writer put on top of it. One that is void is not.
    fn replaced(
        &self,
        in_force: impl Fn(&WriteId) -> bool,
        is_void: impl Fn(&WriteId) -> bool,
    ) -> BTreeSet<WriteId> {
        let ids = self.ghost.ops.keys();
        let mut open: Vec<&WriteId> = ids.filter(|id| in_force(id)).collect();
        let mut replaced = BTreeSet::new();
        while let Some(id) = open.pop() {
            if is_void(id) {
                continue;
            }
            let shown = self.ghost.ops.get(id).into_iter().flat_map(|op| &op.shown);
            open.extend(shown.filter(|shown| replaced.insert((*shown).clone())));
        }
        replaced
    }

    /// The promise: visible, knowingly replaced, cleared, or back in the hands of its writer.
    fn check_accounted(&mut self, id: &WriteId, account: &Account) {
        let untold = self.untold(id);
        self.require(untold.is_none(), || {
            format!("{untold:?} was merged into {id}, and nobody told its writer")
        });
        let op = &self.ghost.ops[id];
        if !op.acked {
            return;
        }
        let entry = self.at_hub(&op.key);
        let known = entry.context().contains(id);
        // What was written at a hub that lost its disk may be gone with it, or with it the receipt:
        // there is no replica that would hold either.
        let gone = op.at_hub && self.rollbacks > 0;
        let accounted = entry.write(id).is_some()
            || self.ghost.fate(id).is_some()
            || self.ghost.cleared.contains_key(id)
            || (op.payload.is_none() && known)
            || gone
            || account.perhaps.contains(id)
            || self.overwritten_by_own(id);
        let text = format!("{op:?}");
        self.require(accounted, || format!("{id} is gone: {text}\n{entry:?}"));
        let back = entry.write(id).is_some() && account.replaced.contains(id);
        self.require(!back, || {
            format!("{id} is back although it was replaced: {text}")
        });
    }

    /// A write that a function was given and whose author has not heard so. A hub that loses its disk
    /// may lose what it had to tell, and what it has merged itself it tells nobody.
    fn untold(&self, id: &WriteId) -> Option<WriteId> {
        let op = &self.ghost.ops[id];
        if op.merged_by.is_none() || self.rollbacks > 0 || !self.effective(id) {
            return None;
        }
        let told = |id: &WriteId| self.ghost.fate(id).is_some();
        let hub = |id: &WriteId| id.writer.agent().as_str() == "hub";
        op.shown.iter().find(|id| !hub(id) && !told(id)).cloned()
    }

    /// Whether a hub has lost with its disk why a write ended, so that it may be back: what was merged
    /// without what it was merged into, what has lost under a rule that keeps it now, or against a write
    /// that was lost as well, or a removal, of which nothing is left but that it was, while somebody still held
    /// the loser.
    fn is_undecided_again(&self, id: &WriteId) -> bool {
        let receipt = self.ghost.fate(id).filter(|_| self.rollbacks > 0);
        receipt.is_some_and(|receipt| match &receipt.reason {
            Reason::Merged { into, .. } => !self.effective(into),
            Reason::Superseded { winner, .. } => {
                let won = self.ghost.ops.get(winner);
                let is_lost = won.is_some_and(|op| op.payload.is_none() || !self.effective(winner));
                is_lost || keeps(self.rules().policies(), &receipt.key)
            }
            _ => false,
        })
    }

    /// Whether a write is to be live in the end. `is_live` decides where either would be right.
    fn expects(&self, id: &WriteId, account: &Account, is_live: bool) -> bool {
        let op = &self.ghost.ops[id];
        let known = self.effective(id) || self.unknown(id);
        // What the hub had not confirmed, or was rolled back, may be undone.
        let confirmed = self.ghost.cleared.get(id);
        let cleared = confirmed == Some(&true) && self.rollbacks == 0;
        // There is no replica that would have kept it, or its receipt, for a hub that lost its disk.
        let gone = op.at_hub && self.rollbacks > 0;
        // A write under way that its own agent replaced, in vain, may have arrived or not.
        let skipped = self.overwritten_by_own(id);
        let perhaps = account.perhaps.contains(id) || self.unknown(id);
        let again = self.is_undecided_again(id);
        let either = confirmed.is_some() || gone || skipped || perhaps || again;
        let told = self.ghost.fate(id).is_some() && !self.unknown(id) && !again;
        let dead = account.replaced.contains(id) || cleared || told;
        op.payload.is_some() && known && !dead && (is_live || !either)
    }

    /// What the account says of a write.
    fn why(&self, id: &WriteId, account: &Account) -> String {
        let fate = self.ghost.fate(id);
        let cleared = self.ghost.cleared.get(id);
        let replaced = account.replaced.contains(id);
        let ops = self.ghost.ops.iter();
        let by = ops.filter(|(_, op)| op.shown.contains(id));
        let by: Vec<&WriteId> = by.map(|(by, _)| by).collect();
        format!("{id}: told {fate:?}, cleared {cleared:?}, replaced {replaced}, shown to {by:?}")
    }

    /// Live are exactly the writes that nobody replaced, and they read as their rule says.
    fn check_value(&mut self, key: &Key, account: &Account) {
        let found = self.at_hub(key);
        let ops = self.ghost.ops.iter().filter(|(_, op)| op.key == *key);
        let live = ops.filter(|(id, _)| self.expects(id, account, found.write(id).is_some()));
        let live: Vec<_> = live.collect();
        let expected: BTreeSet<WriteId> = live.iter().map(|(id, _)| (*id).clone()).collect();
        let deletes = |write: &Write| write.payload.kind() == PayloadKind::Reset;
        let actual = found.writes().filter(|(_, write)| !deletes(write));
        let actual: BTreeSet<WriteId> = actual.map(|(id, _)| id.clone()).collect();
        let is_counter = class(key) == "counter" && !live.is_empty();
        let sums = is_counter.then(|| self.sums(&live));
        let sum = Counter.fold(&found);
        let is_right = sums
            .as_ref()
            .is_none_or(|sums| is_within(sum.as_ref(), sums));
        let table = self.rules().policies().clone();
        let several = keeps(&table, key) && !merges(&table, key);
        let decided = is_decided(&found, several);
        let apart = actual.symmetric_difference(&expected);
        let why: Vec<String> = apart.map(|id| self.why(id, account)).collect();
        self.require(why.is_empty(), || {
            format!("{key} holds {actual:?}, expected {expected:?}: {why:?}")
        });
        self.require(is_right, || {
            format!("{key} reads {sum:?}, expected {sums:?}: {found:?}")
        });
        self.require(decided, || format!("{key} is undecided: {found:?}"));
    }

    /// What the hub reads of each key.
    fn hub_values(&mut self) -> BTreeMap<Key, Value> {
        let now = self.hub_now();
        let mut values = BTreeMap::new();
        for key in self.plan.keys.clone() {
            let Some(hub) = &mut self.hub.machine else {
                continue;
            };
            hub.handle_ask(now, u64::MAX, Ask::Get(key.clone()));
            while let Some(output) = hub.poll_output() {
                if let HubOutput::Answer { answer, .. } = output
                    && let Ok(Answer::State(Some(state))) = answer
                {
                    values.extend(state.value.map(|value| (key.clone(), value)));
                }
            }
        }
        values
    }

    /// Following the deltas ends at the hub's state.
    fn check_reader(&mut self, values: &BTreeMap<Key, Value>) {
        let mut last = None;
        while self.violation.is_none() && (self.reader.cursor != last || last.is_none()) {
            last = self.reader.cursor;
            self.read_delta();
            // Refused it starts anew, which nothing speaks against.
            let is_stuck = last.is_none() && self.reader.cursor.is_none();
            self.require(!is_stuck, || "the reader is refused for ever".to_owned());
        }
        let found = self.reader.held.clone();
        self.require(found == *values, || {
            format!("the reader holds {found:?}, the hub {values:?}")
        });
    }
}

fn is_within(sum: Option<&Value>, sums: &RangeInclusive<i64>) -> bool {
    matches!(sum, Some(Value::Int(sum)) if sums.contains(sum))
}

/// Whether nothing is left to be decided: no absence, and no more values than the key's policy keeps.
fn is_decided(found: &Entry, keeps: bool) -> bool {
    let writes = || found.writes().map(|(_, write)| write);
    let families: BTreeSet<Family> = writes().map(Family::of).collect();
    let needed = |write: &Write| {
        let reset = write.payload.as_reset();
        reset.is_some_and(|reset| found.writes().any(|(id, w)| reset.concerns(id, w)))
    };
    let absent = |write: &Write| write.payload.kind().is_absence() && !needed(write);
    let parts: BTreeSet<_> = writes().filter_map(|w| w.payload.part()).collect();
    let single = match families.first() {
        Some(Family::Register) => found.live_count() == 1 || keeps,
        Some(Family::Map) => found.live_count() == parts.len(),
        _ => true,
    };
    families.len() < 2 && !writes().any(absent) && single
}
