//! Batches that a crash leaves torn. No store may do that, and one that finds it says so instead of serving
//! what is there: its node is recovered with what each row says for itself, as `--recover` does it.

use std::collections::BTreeSet;
use std::time::Duration;

use sync_core::{Epoch, WriteId};
use sync_protocol::{Owner, Salvage};

use crate::decisions::LEASE_MS_MAX;
use crate::disk::{Disk, Image, image_of};
use crate::faults::NOTICE_US_MAX;
use crate::plan::HUB;
use crate::world::{Event, World};

/// Per thousand recoveries: it is interrupted as well.
const INTERRUPTED_SHARE: u64 = 300;

impl World {
    /// A node has died while its disk had a batch under way, which may be torn. Where the hub's disk may be
    /// lost it is the hub's: what then only a replica's had would be gone with nobody to say so.
    pub(crate) fn tear(&mut self, node: usize) {
        let exposed = (node == HUB) == self.plan.rollback;
        let has_batch = self.disk(node).next().is_some();
        if !exposed
            || !has_batch
            || !self.random.chance(self.plan.hardships.torn)
            || !self.allows("torn batch", node as u64, self.now_us)
        {
            return;
        }
        let batch = self.disk(node).waiting().next().cloned();
        let disk = match node {
            HUB => &mut self.hub.disk,
            n => &mut self.replicas[n].disk,
        };
        let is_all = disk.tear(&mut self.random);
        let is_damaged = disk.is_damaged();
        if let Some(batch) = batch.filter(|_| is_all || is_damaged) {
            self.note_torn(node, &batch, is_all && !is_damaged);
        }
        let what = if is_damaged {
            "torn batch"
        } else {
            "torn batch that left nothing half"
        };
        self.stats.hit(what);
    }

    /// Whether the hub's rows can be served, once what could be relied on has taken the place of those
    /// that could not.
    pub(crate) fn recover_hub(&mut self) -> bool {
        if !self.disk(HUB).is_damaged() {
            return true;
        }
        let Some(image) = self.salvage(HUB, Owner::Hub) else {
            return false;
        };
        self.hub.disk.restore(image);
        self.hub.is_recovered = true;
        // Of what has changed it knows what it holds, and no more that anything was deleted.
        self.hub.log.clear();
        self.hub_has_another_disk();
        true
    }

    /// The same for a replica's rows.
    pub(crate) fn recover_replica(&mut self, n: usize) -> bool {
        if !self.disk(n).is_damaged() {
            return true;
        }
        let owner = Owner::Agent(self.replicas[n].agent.clone());
        let Some(image) = self.salvage(n, owner) else {
            return false;
        };
        let node = &mut self.replicas[n];
        node.disk.restore(image);
        node.versions.clear();
        node.losses += 1;
        node.is_recovered = true;
        self.reread_ledger(n);
        true
    }

    fn disk(&self, node: usize) -> &Disk {
        match node {
            HUB => &self.hub.disk,
            n => &self.replicas[n].disk,
        }
    }

    /// What each row says for itself; none if that was interrupted. Then the damaged rows are still there,
    /// as they were, and the next start begins with them.
    fn salvage(&mut self, node: usize, owner: Owner) -> Option<Image> {
        if self.faulty
            && self.random.chance(INTERRUPTED_SHARE)
            && self.allows("crash during recovery", node as u64, self.now_us)
        {
            self.stats.hit("crash during recovery");
            let again = self.random.between(1_000, NOTICE_US_MAX);
            let start = match node {
                HUB => Event::StartHub,
                n => Event::StartReplica(n),
            };
            self.schedule(again, start);
            return None;
        }
        let what = match node {
            HUB => "damaged hub recovered",
            _ => "damaged replica recovered",
        };
        self.stats.hit(what);
        let mut salvage = Salvage::new(owner);
        for row in self.disk(node).rows() {
            salvage.row(&row).expect("rows of this node");
        }
        let drawn = Epoch::from_random(self.random.next());
        let (ops, _) = salvage.finish(drawn, Duration::from_millis(LEASE_MS_MAX));
        Some(image_of(ops))
    }

    /// A recovered replica has started: what it does not hold any more, and the hub has not made durable, is
    /// no longer owed. All else is.
    pub(crate) fn forgive_damage(&mut self, n: usize) {
        if !std::mem::take(&mut self.replicas[n].is_recovered) {
            return;
        }
        let node = &self.replicas[n];
        let Some(replica) = &node.machine else { return };
        let held = |id: &WriteId| {
            let key = self.ghost.ops.get(id).map(|op| &op.key);
            let state = key.and_then(|key| replica.keyspace().get(key));
            state.is_some_and(|state| state.entry().context().contains(id))
        };
        let gone: BTreeSet<WriteId> = self.only_at(n).into_iter().filter(|id| !held(id)).collect();
        self.forgive(n, gone);
    }
}
