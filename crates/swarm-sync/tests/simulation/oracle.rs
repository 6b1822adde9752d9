//! What must hold: after every event, and once everything has healed.

use std::collections::BTreeSet;

use sync_core::codec::List;
use sync_core::{
    Answer, Ask, Entry, Key, PayloadKind, Reason, Receipt, SyncReport, Value, Version, WriteId,
};
use sync_protocol::{Hub, KeyState, Keyspace};

use crate::workload::Asked;
use crate::world::World;

/// What operations in force have replaced; what they have perhaps, where a hub lost its disk.
#[derive(Debug)]
struct Account {
    replaced: BTreeSet<WriteId>,
    perhaps: BTreeSet<WriteId>,
}

impl World {
    /// Safety, after every event.
    pub(crate) fn check_step(&mut self) {
        self.check_hub();
        for n in 0..self.replicas.len() {
            self.check_replica(n);
        }
    }

    fn check_hub(&mut self) {
        let Some(hub) = &self.hub.machine else { return };
        let at = (hub.epoch(), hub.revision());
        let digest = hub.digest();
        let known = *self.ghost.digests.entry(at).or_insert(digest);
        let lower = goes_back(&self.hub.versions, hub.keyspace());
        if hub.is_settled() {
            note_versions(&mut self.hub.versions, hub.keyspace());
        }
        self.require(known == digest, || format!("{at:?} stands for two states"));
        self.require(lower.is_none(), || {
            format!("the hub's version of {lower:?} went back")
        });
    }

    fn check_replica(&mut self, n: usize) {
        let node = &mut self.replicas[n];
        let Some(replica) = &node.machine else { return };
        let lower = goes_back(&node.versions, replica.keyspace());
        if replica.is_settled() {
            note_versions(&mut node.versions, replica.keyspace());
        }
        // At a position of the hub's log, with nothing else held: the very state of that position.
        let at = replica
            .cursor()
            .filter(|c| c.head == c.revision && !self.plan.fights);
        let expected = at
            .filter(|_| replica.pending_writes() == 0)
            .and_then(|c| self.ghost.digests.get(&(c.epoch, c.revision)).copied());
        let found = replica.digest();
        self.require(lower.is_none(), || {
            format!("{n}'s version of {lower:?} went back")
        });
        self.require(expected.is_none_or(|digest| digest == found), || {
            format!("replica {n} at {at:?} holds another state than the hub had there")
        });
    }

    /// After a restart: no acknowledged own write is gone.
    pub(crate) fn check_recovered(&mut self, n: usize) {
        let node = &self.replicas[n];
        let Some(replica) = &node.machine else { return };
        let own = self
            .ghost
            .ops
            .iter()
            .filter(|(id, op)| op.acked && !op.at_hub && id.writer.agent() == &node.agent);
        let lost = own
            .filter(|(id, op)| {
                let state = replica.keyspace().get(&op.key);
                let held = state.is_some_and(|s| s.entry().context().contains(id));
                !held && !self.ghost.receipts.contains_key(id) && !self.overwritten_by_own(id)
            })
            .map(|(id, _)| id.clone())
            .next();
        self.require(lost.is_none(), || {
            format!("replica {n} lost {lost:?} in a crash")
        });
    }

    /// A write under way to the hub that its own agent replaced: it may never get there.
    fn overwritten_by_own(&self, id: &WriteId) -> bool {
        let agent = id.writer.agent();
        let ops = self.ghost.ops.iter();
        let mut own = ops.filter(|(other, _)| other.writer.agent() == agent);
        own.any(|(_, op)| op.is_write && op.shown.contains(id))
    }

    /// Everything is exchanged only if the hub has said that it cannot continue.
    pub(crate) fn check_offer(&mut self, n: usize) {
        let called_for = self.replicas[n].mismatch;
        if !called_for {
            self.stats.hit("healed");
        }
        let explained = called_for || self.rollbacks > 0;
        self.require(explained, || format!("replica {n} found itself diverged"));
    }

    /// A receipt is due only for a write that its winner's author was not shown.
    pub(crate) fn check_receipt(&mut self, receipt: &Receipt) {
        let Some(op) = self.ghost.ops.get(&receipt.write) else {
            let unknown = format!("a receipt for a write nobody made: {receipt}");
            return self.require(false, || unknown);
        };
        let same = op.payload.is_none() || op.payload.as_ref() == Some(&receipt.discarded);
        let shown = match &receipt.reason {
            Reason::Superseded { winner, .. } => self
                .ghost
                .ops
                .get(winner)
                .is_some_and(|op| op.shown.contains(&receipt.write)),
            _ => false,
        };
        self.require(same, || format!("not what was written: {receipt:?}"));
        self.require(!shown, || format!("knowingly overwritten, yet: {receipt}"));
    }

    pub(crate) fn check_report(&mut self, report: &SyncReport) {
        self.stats.hit("round done");
        if !report.missing.is_empty() {
            self.stats.hit("round with missing");
        }
        let responded: BTreeSet<_> = report.responded.iter().collect();
        let all = responded.len() == report.responded.len()
            && report
                .missing
                .iter()
                .all(|agent| !responded.contains(agent))
            && report.in_step.iter().all(|agent| responded.contains(agent));
        let roster = responded.len() + report.missing.len();
        let most = self.replicas.len();
        self.require(all && roster <= most, || {
            format!("counted twice: {report:?}")
        });
    }

    /// Whether everything is quiet and equal.
    pub(crate) fn has_converged(&self) -> bool {
        let Some(hub) = &self.hub.machine else {
            return false;
        };
        let waiting = hub
            .receipts()
            .any(|r| r.addressee().as_str().starts_with("agent"));
        let quiet = hub.is_settled() && !waiting;
        quiet
            && self.replicas.iter().all(|node| {
                node.session.is_some()
                    && node.machine.as_ref().is_some_and(|replica| {
                        let here = replica.cursor().map(|c| (c.epoch, c.revision));
                        replica.is_settled()
                            && replica.pending_writes() == 0
                            && here == Some((hub.epoch(), hub.revision()))
                            && replica.digest() == hub.digest()
                            && same_entries(hub.keyspace(), replica.keyspace())
                    })
            })
    }

    /// Why it is not quiet and equal yet.
    pub(crate) fn differences(&self) -> String {
        let Some(hub) = &self.hub.machine else {
            return "no hub".to_owned();
        };
        let receipts: Vec<String> = hub.receipts().map(ToString::to_string).collect();
        let at = (hub.epoch(), hub.revision());
        let mut lines = vec![format!("hub at {at:?}, receipts {receipts:?}")];
        for (n, node) in self.replicas.iter().enumerate() {
            let Some(replica) = &node.machine else {
                continue;
            };
            let (cursor, pending) = (replica.cursor(), replica.pending_writes());
            lines.push(format!("replica {n} at {cursor:?}, {pending} pending"));
            for key in &self.plan.keys {
                let (here, there) = (entry(replica.keyspace(), key), entry(hub.keyspace(), key));
                if here != there {
                    lines.push(format!(
                        "  {key} there {here:?}\n  {key} at the hub {there:?}"
                    ));
                }
            }
        }
        lines.join("\n")
    }

    /// One round over everything reaches everyone, finds nothing new and moves no state.
    pub(crate) fn check_round(&mut self) {
        let before = self.hub.machine.as_ref().map(Hub::revision);
        let (now, keys) = (self.hub_now(), List(self.plan.keys.clone()));
        let request = self.new_request(Asked::Round);
        self.last_report = None;
        if let Some(hub) = &mut self.hub.machine {
            hub.handle_ask(
                now,
                request,
                Ask::Sync {
                    keys,
                    timeout_ms: None,
                },
            );
        }
        self.drain_hub();
        while self.violation.is_none() && self.asked.contains_key(&request) {
            self.step();
        }
        let report = self.last_report.take();
        let everyone = report.as_ref().is_some_and(|report| {
            let all = [&report.responded, &report.in_step];
            let reached = all.iter().all(|agents| agents.len() == self.replicas.len());
            reached && report.bytes == 0 && Some(report.revision) == before
        });
        self.require(everyone, || {
            format!("a round after healing came to {report:?}")
        });
    }

    /// Once healed.
    pub(crate) fn check_healed(&mut self) {
        let ids: Vec<WriteId> = self.ghost.ops.keys().cloned().collect();
        let Some(hub) = &self.hub.machine else { return };
        let receipts: Vec<Receipt> = hub.receipts().cloned().collect();
        for receipt in receipts {
            // A client has no replica that could take it.
            self.ghost.receipts.insert(receipt.write.clone(), receipt);
        }
        let account = Account {
            replaced: self.replaced(|id| self.effective(id)),
            perhaps: self.replaced(|id| self.effective(id) || self.unknown(id)),
        };
        for id in &ids {
            self.check_accounted(id, &account);
        }
        for key in self.plan.keys.clone() {
            self.check_value(&key, &account);
        }
        self.check_reader();
    }

    fn at_hub(&self, key: &Key) -> Entry {
        let hub = self.hub.machine.as_ref();
        hub.map(|hub| entry(hub.keyspace(), key))
            .unwrap_or_default()
    }

    /// Whether the operation took place: admitted, and not given back.
    fn effective(&self, id: &WriteId) -> bool {
        let op = &self.ghost.ops[id];
        self.at_hub(&op.key).context().contains(id) && !self.ghost.refused(id)
    }

    /// Whether all that anybody can say of the write is that it is not there.
    fn unknown(&self, id: &WriteId) -> bool {
        let receipt = self.ghost.receipts.get(id);
        receipt.is_some_and(|receipt| receipt.reason == Reason::Unknown)
    }

    /// Everything that an operation in force has replaced, and what that had replaced in turn: a
    /// refused write is in force as part of what its writer put on top of it.
    fn replaced(&self, in_force: impl Fn(&WriteId) -> bool) -> BTreeSet<WriteId> {
        let ids = self.ghost.ops.keys();
        let mut open: Vec<&WriteId> = ids.filter(|id| in_force(id)).collect();
        let mut replaced = BTreeSet::new();
        while let Some(id) = open.pop() {
            let shown = self.ghost.ops.get(id).into_iter().flat_map(|op| &op.shown);
            open.extend(shown.filter(|shown| replaced.insert((*shown).clone())));
        }
        replaced
    }

    /// The promise: visible, knowingly replaced, cleared, or back in the hands of its writer.
    fn check_accounted(&mut self, id: &WriteId, account: &Account) {
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
            || self.ghost.receipts.contains_key(id)
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
        let either = confirmed.is_some() || gone || skipped || perhaps;
        let told = self.ghost.receipts.contains_key(id) && !self.unknown(id);
        let dead = account.replaced.contains(id) || cleared || told;
        op.payload.is_some() && known && !dead && (is_live || !either)
    }

    /// Live are exactly the writes that nobody replaced, and they read as their rule says.
    fn check_value(&mut self, key: &Key, account: &Account) {
        let found = self.at_hub(key);
        let ops = self.ghost.ops.iter().filter(|(_, op)| op.key == *key);
        let live = ops.filter(|(id, _)| self.expects(id, account, found.write(id).is_some()));
        let live: Vec<_> = live.collect();
        let expected: BTreeSet<WriteId> = live.iter().map(|(id, _)| (*id).clone()).collect();
        let actual: BTreeSet<WriteId> = found.writes().map(|(id, _)| id.clone()).collect();
        let sum: i64 = live.iter().map(|(_, op)| op.total).sum();
        let is_counter = key.as_str().starts_with("counter") && !live.is_empty();
        let totals = found
            .writes()
            .filter_map(|(_, write)| write.payload.total());
        let found_sum: i64 = totals.sum();
        let kinds: BTreeSet<PayloadKind> = found.writes().map(|(_, w)| w.payload.kind()).collect();
        let lww = kinds.contains(&PayloadKind::Put);
        self.require(actual == expected, || {
            format!("{key} holds {actual:?}, expected {expected:?}")
        });
        self.require(!is_counter || sum == found_sum, || {
            format!("{key} reads {found_sum}, expected {sum}")
        });
        self.require(kinds.len() < 2 && (!lww || actual.len() == 1), || {
            format!("{key} is undecided: {found:?}")
        });
    }

    /// Following the deltas ends at the hub's state.
    fn check_reader(&mut self) {
        self.asked.clear();
        let mut last = None;
        while self.reader.cursor != last || last.is_none() {
            last = self.reader.cursor;
            self.read_delta();
        }
        let now = self.hub_now();
        for key in self.plan.keys.clone() {
            let Some(hub) = &mut self.hub.machine else {
                return;
            };
            hub.handle_ask(now, u64::MAX, Ask::Get(key.clone()));
            let mut expected: Option<Value> = None;
            while let Some(output) = self.hub.machine.as_mut().and_then(Hub::poll_output) {
                if let sync_protocol::HubOutput::Answer {
                    answer: Ok(Answer::State(state)),
                    ..
                } = output
                {
                    expected = state.and_then(|state| state.value);
                }
            }
            let found = self.reader.held.get(&key).cloned();
            self.require(found == expected, || {
                format!("the reader holds {found:?} of {key}, the hub {expected:?}")
            });
        }
    }
}

fn goes_back(floor: &std::collections::BTreeMap<Key, Version>, space: &Keyspace) -> Option<Key> {
    let lower = floor.iter().find(|(key, version)| {
        space.get(key).map(KeyState::version).unwrap_or_default() < **version
    });
    lower.map(|(key, _)| key.clone())
}

fn note_versions(floor: &mut std::collections::BTreeMap<Key, Version>, space: &Keyspace) {
    for (key, state) in space.iter_after(None) {
        if floor.get(key) != Some(&state.version()) {
            floor.insert(key.clone(), state.version());
        }
    }
}

fn entry(space: &Keyspace, key: &Key) -> Entry {
    space
        .get(key)
        .map(|state| state.entry().clone())
        .unwrap_or_default()
}

fn same_entries(a: &Keyspace, b: &Keyspace) -> bool {
    let live = |space: &Keyspace| -> Vec<(Key, Version, Entry)> {
        let all = space.iter_after(None);
        let touched = all.filter(|(_, s)| !s.entry().context().is_empty());
        touched
            .map(|(key, state)| (key.clone(), state.version(), state.entry().clone()))
            .collect()
    };
    live(a) == live(b)
}
