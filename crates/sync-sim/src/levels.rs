//! How far writes get: the levels that callers wait for, and what must hold once one is told of.

use std::time::Duration;

use sync_core::{Durability, WriteId};
use sync_protocol::{Command, Wanted};

use crate::plan::REPLICAS;
use crate::workload::Asked;
use crate::world::World;

/// How long a caller waits for a level: longer than a way and back, shorter than most cuts.
const PATIENCE: Duration = Duration::from_millis(600);

impl World {
    /// The level that a caller wants of a write; in most seeds what the key's policy says is enough.
    pub(crate) fn draw_level(&mut self) -> Option<Wanted> {
        if self.plan.levels == 0 || !self.random.chance(self.plan.levels) {
            return None;
        }
        let level = *self.random.pick(&[
            Durability::Disk,
            Durability::Hub,
            Durability::Replicas(1),
            Durability::Replicas(2),
        ]);
        let timeout = PATIENCE;
        Some(Wanted { level, timeout })
    }

    /// An agent waits for everything that it has written so far.
    pub(crate) fn flush(&mut self) {
        let n = self.random.index(self.replicas.len());
        let now = self.clock(n);
        let Some(replica) = &self.replicas[n].machine else {
            return;
        };
        let writer = replica.writer().clone();
        let made = self.ghost.ops.iter();
        let made = made.filter(|(id, op)| id.writer == writer && !op.acked);
        let made: Vec<WriteId> = made.map(|(id, _)| id.clone()).collect();
        let to_hub = self.random.chance(500);
        let command = if to_hub {
            Command::FlushToHub { timeout: PATIENCE }
        } else {
            Command::FlushToDisk
        };
        let request = self.new_request(Asked::Flush { made, to_hub });
        let replica = self.replicas[n].machine.as_mut().expect("checked above");
        replica.handle_command(now, request, command);
        self.drain_replica(n);
    }

    /// What had been made by then is as if each had been acknowledged.
    pub(crate) fn flushed(&mut self, n: usize, made: &[WriteId], to_hub: bool) {
        self.stats.hit(if to_hub {
            "flush to hub"
        } else {
            "flush to disk"
        });
        for id in made {
            if let Some(op) = self.ghost.ops.get_mut(id) {
                op.acked = true;
            }
            // What its agent has replaced before it was sent is with the hub in what took its place.
            let held = self.ghost.ops.get(id).and_then(|op| {
                let state = self.replicas[n].machine.as_ref()?.keyspace().get(&op.key)?;
                state.entry().write(id)
            });
            if to_hub && held.is_some() && self.ghost.fate(id).is_none() {
                self.check_reached(id);
            }
        }
    }

    /// Of a write that so many others are said to hold as many know. One that is down may: it had said so. Of
    /// one that is replaced by now others may know what took its place alone.
    pub(crate) fn check_held(&mut self, id: &WriteId, count: u32) {
        let hardships = &self.plan.hardships;
        // Of two processes under one name either may have confirmed it.
        let is_twice = hardships.copy > 0;
        let is_lost = is_twice || self.rollbacks > 0 || hardships.disk_loss || hardships.torn > 0;
        let op = self.ghost.ops.get(id).filter(|op| op.payload.is_some());
        let (Some(op), Some(hub), false) = (op, &self.hub.machine, is_lost) else {
            return;
        };
        let state = hub.keyspace().get(&op.key);
        if state.is_none_or(|state| state.entry().write(id).is_none()) {
            return;
        }
        self.stats.hit("write held by others");
        let others = self.replicas[..REPLICAS].iter();
        let others = others.filter(|node| node.agent != *id.writer.agent());
        let holders = others.filter(|node| {
            node.machine.as_ref().is_none_or(|replica| {
                let state = replica.keyspace().get(&op.key);
                state.is_some_and(|state| state.entry().context().contains(id))
            })
        });
        let found = holders.count();
        let is_held = u32::try_from(found).is_ok_and(|found| found >= count);
        self.require(is_held, || {
            format!("{found} others know of {id}, not {count}")
        });
    }
}
