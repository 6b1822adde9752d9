//! What must hold: after every event, and once everything has healed.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::codec::List;
use sync_core::{
    AgentId, Ask, Context, Entry, Key, MergeRule, OnConcurrent, Reason, Receipt, SyncReport,
    Version, WriteId,
};
use sync_protocol::{Hub, KeyState, Keyspace};

use crate::tables;
use crate::workload::Asked;
use crate::world::World;

impl World {
    /// Safety, after every event.
    pub(crate) fn check_step(&mut self) {
        self.check_hub();
        self.note_votes();
        self.check_claims(false);
        self.check_future();
        self.note_commits();
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
        let (before, here) = (node.cursor, replica.cursor());
        node.cursor = here;
        if replica.is_settled() {
            note_versions(&mut node.versions, replica.keyspace());
        }
        // At a position of the hub's log, with nothing else held and nothing left to undo: the very state of
        // that position. Until then the replica says of the keys concerned that they are provisional.
        let is_pure = replica.pending_writes() == 0 && replica.keys_to_undo().next().is_none();
        let at = replica.cursor().filter(|c| c.head == c.revision);
        let expected = at
            .filter(|_| is_pure)
            .and_then(|c| self.ghost.digests.get(&(c.epoch, c.revision)).copied());
        let found = replica.digest();
        self.require(lower.is_none(), || {
            format!("{n}'s version of {lower:?} went back")
        });
        let both = before.zip(here).filter(|(a, b)| a.epoch == b.epoch);
        let back = both.filter(|(before, here)| here.revision < before.revision);
        self.require(back.is_none(), || {
            format!("replica {n} goes back from {before:?} to {here:?}")
        });
        self.require(expected.is_none_or(|digest| digest == found), || {
            format!("replica {n} at {at:?} holds another state than the hub had there")
        });
    }

    /// After a restart: no acknowledged own write is gone.
    pub(crate) fn check_recovered(&mut self, n: usize) {
        let node = &self.replicas[n];
        let Some(replica) = &node.machine else { return };
        // What it does not have, its hub has, and tells it.
        if node.losses > 0 {
            return;
        }
        let own = self
            .ghost
            .ops
            .iter()
            .filter(|(id, op)| op.acked && !op.at_hub && id.writer.agent() == &node.agent);
        let lost = own.filter(|(id, op)| {
            let state = replica.keyspace().get(&op.key);
            let held = state.is_some_and(|s| s.entry().context().contains(id));
            let is_told = self.ghost.receipts.contains_key(id) || replica.is_yet_to_be_told(id);
            !held && !is_told && !self.overwritten_by_own(id)
        });
        let lost: Vec<WriteId> = lost.map(|(id, _)| id.clone()).collect();
        // Where a policy lets few receipts wait, its own may have become a number in the very batch that
        // took the write away.
        let told = (!lost.is_empty()).then(|| self.summed_up());
        let told = told.unwrap_or_default();
        let lost = lost.into_iter().find(|id| !told.contains_key(id));
        self.require(lost.is_none(), || {
            format!("replica {n} lost {lost:?} in a crash")
        });
    }

    /// A write under way to the hub that its own agent replaced: it may never get there.
    pub(crate) fn overwritten_by_own(&self, id: &WriteId) -> bool {
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
        let explained = called_for || self.rollbacks + self.replicas[n].losses > 0;
        self.require(explained, || format!("replica {n} found itself diverged"));
    }

    /// A receipt is due only for a write that its winner's author was not shown, or that was merged.
    pub(crate) fn check_receipt(&mut self, receipt: &Receipt) {
        let Some(op) = self.ghost.ops.get(&receipt.write) else {
            let unknown = format!("a receipt for a write nobody made: {receipt}");
            return self.require(false, || unknown);
        };
        let same = op.payload.is_none() || op.payload.as_ref() == Some(&receipt.discarded);
        self.require(same, || format!("not what was written: {receipt:?}"));
        let due = self.ghost.is_due(receipt);
        let kept = self.keeps_all(receipt);
        self.require(!kept, || format!("kept beside others, yet: {receipt}"));
        self.require(due, || format!("knowingly overwritten, yet: {receipt}"));
    }

    /// Whether the rule that is said to have decided is one that lets no value lose against another.
    fn keeps_all(&self, receipt: &Receipt) -> bool {
        let Reason::Superseded { rule, .. } = receipt.reason else {
            return false;
        };
        let tables = &self.plan.tables[..=self.table];
        let mut policies = tables.iter().filter_map(|table| table.of(&receipt.key));
        let decides =
            policies.any(|p| p.rule == Some(rule) && p.on_concurrent() == OnConcurrent::Lww);
        matches!(rule, MergeRule::Causal | MergeRule::Custom) && !decides
    }

    pub(crate) fn check_report(&mut self, keys: &[Key], report: &SyncReport) {
        self.stats.hit("round done");
        self.check_lines(keys, report);
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

    /// Every key that was asked for is answered for once, in that order, and some are synchronized.
    fn check_lines(&mut self, keys: &[Key], report: &SyncReport) {
        if report.failed().next().is_some() {
            self.stats.hit("round done in part");
        }
        let table = self.table();
        let classes: BTreeSet<_> = keys.iter().map(|key| table.priority_of(key)).collect();
        if classes.len() > 1 {
            self.stats.hit("round of several classes");
        }
        let lines: Vec<Key> = report.keys.iter().map(|line| line.key.clone()).collect();
        let some = keys.is_empty() || report.synchronized() > 0;
        self.require(lines == keys && some, || {
            format!("asked for {keys:?}, told of {:?}", report.keys)
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
        let mut keys = hub.keyspace().iter_after(None);
        let mortal = keys.any(|(key, state)| {
            state.entry().is_live() && tables::ttl(hub.policies(), key).is_some()
        });
        let voting = hub.open_proposals().next().is_some();
        let deciding = self.awaits_decisions() || self.has_claims();
        let busy = waiting || mortal || voting || deciding || self.awaits_merges();
        let quiet = hub.is_settled() && !busy;
        quiet
            && self.replicas.iter().all(|node| {
                node.session.is_some()
                    && node.machine.as_ref().is_some_and(|replica| {
                        let here = replica.cursor().map(|c| (c.epoch, c.revision));
                        replica.is_settled()
                            && replica.pending_writes() == 0
                            && here == Some((hub.epoch(), hub.revision()))
                            && replica.digest() == hub.digest()
                            && replica.policies() == hub.policies()
                            && same_entries(hub.keyspace(), replica.keyspace(), node.copied())
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
        let voting = hub.open_proposals().next().is_some();
        let (deciding, merging) = (self.awaits_decisions(), self.awaits_merges());
        lines.push(format!(
            "voting {voting}, deciding {deciding}, claims {}, merging {merging}",
            self.has_claims()
        ));
        let mortal = self.mortal();
        lines.push(format!("at {:?}, mortal {mortal:?}", self.hub_now()));
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
        let (now, keys) = (self.hub_now(), self.plan.keys.clone());
        let request = self.new_request(Asked::Round(keys.clone()));
        let keys = List(keys);
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
}

fn goes_back(floor: &BTreeMap<Key, Version>, space: &Keyspace) -> Option<Key> {
    let lower = floor.iter().find(|(key, version)| {
        space.get(key).map(KeyState::version).unwrap_or_default() < **version
    });
    lower.map(|(key, _)| key.clone())
}

fn note_versions(floor: &mut BTreeMap<Key, Version>, space: &Keyspace) {
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

/// Whether a replica holds what the hub holds. An agent whose disk was copied may know of writes of its own
/// that it has replaced and never sent: that they were refused with the last one was told to the other process.
fn same_entries(hub: &Keyspace, replica: &Keyspace, copied: Option<&AgentId>) -> bool {
    let unsent = |key: &Key, known: &Context| {
        let mut unsent = known.clone();
        unsent.subtract(entry(hub, key).context());
        let of_agent = unsent.spans().iter();
        let of_agent = of_agent.filter(|span| Some(span.writer.agent()) == copied);
        of_agent.cloned().collect::<Vec<_>>()
    };
    let live = |space: &Keyspace| -> Vec<(Key, Version, Vec<_>, Context)> {
        let all = space.iter_after(None);
        let touched = all.map(|(key, state)| {
            let mut known = state.entry().context().clone();
            for span in unsent(key, &known) {
                known.remove(&span);
            }
            let writes = state.entry().writes();
            let writes = writes.map(|(id, write)| (id.clone(), write.clone()));
            (key.clone(), state.version(), writes.collect(), known)
        });
        touched.filter(|(.., known)| !known.is_empty()).collect()
    };
    live(hub) == live(replica)
}
