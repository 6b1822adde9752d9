//! Agents that come back under their old name with an old disk, an empty one, or a copy that went its own
//! way. What they had written and not handed over is gone, and nothing else.

use std::collections::BTreeSet;

use sync_core::WriteId;
use sync_protocol::Hub;

use crate::disk::Image;
use crate::world::World;

/// Per thousand fault ticks: a backup of a disk is made.
const BACKUP_SHARE: u64 = 100;

impl World {
    /// Keeps the disk of a replica as it is now, for later.
    pub(crate) fn back_up(&mut self, n: usize) {
        if self.plan.hardships.disk_loss && self.random.chance(BACKUP_SHARE) {
            self.replicas[n].backup = Some(self.replicas[n].disk.image());
        }
    }

    /// A replica that has crashed may find another disk in the place of its own.
    pub(crate) fn lose_disk(&mut self, n: usize) {
        if !self.plan.hardships.disk_loss
            || !self.random.chance(500)
            || !self.allows("another disk of a replica", n as u64, self.now_us)
        {
            return;
        }
        let node = &mut self.replicas[n];
        let image = match self.random.below(4) {
            0 => {
                self.stats.hit("empty disk");
                Image::new()
            }
            1 => {
                let Some(backup) = node.backup.clone() else {
                    return;
                };
                self.stats.hit("old disk");
                backup
            }
            _ => {
                // The first time the two are the same; from then on each has writes of its own.
                let own = node.disk.image();
                let copy = node.copy.replace(own.clone());
                self.stats.hit("copied disk");
                copy.unwrap_or(own)
            }
        };
        node.disk.restore(image);
        node.versions.clear();
        node.losses += 1;
        let gone = self.only_at(n);
        self.forgive(n, gone);
    }

    /// What an agent wrote and the hub has not made durable: only that agent's disk had it.
    pub(crate) fn only_at(&self, n: usize) -> BTreeSet<WriteId> {
        let agent = &self.replicas[n].agent;
        let hub = self.hub.machine.as_ref().filter(|hub| hub.is_settled());
        let at_hub = |hub: &Hub, id: &WriteId, key| {
            let state = hub.keyspace().get(key);
            state.is_some_and(|state| state.entry().context().contains(id))
        };
        let ops = self.ghost.ops.iter();
        let own = ops.filter(|(id, op)| !op.at_hub && id.writer.agent() == agent);
        let gone = own.filter(|(id, op)| !hub.is_some_and(|hub| at_hub(hub, id, &op.key)));
        gone.map(|(id, _)| id.clone()).collect()
    }

    /// What is gone with a disk is no longer owed, nor are the receipts that only it had.
    pub(crate) fn forgive(&mut self, n: usize, mut gone: BTreeSet<WriteId>) {
        gone.extend(self.lose_receipts(n));
        for id in gone {
            if let Some(op) = self.ghost.ops.get_mut(&id) {
                op.acked = false;
            }
        }
    }
}
