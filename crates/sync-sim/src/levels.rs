//! How far writes get: the levels that callers wait for, and what must hold once one is told of.

use std::time::Duration;

use sync_core::{AgentId, Durability, Key, WriteId};
use sync_protocol::{Command, KeyState, Replica, Wanted};

use crate::plan::REPLICAS;
use crate::workload::Asked;
use crate::world::World;

/// How long a caller waits: longer than a way and back, shorter than most cuts.
pub(crate) const PATIENCE: Duration = Duration::from_millis(600);

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

    /// Of a write that so many others are said to hold as many know. Of one that is replaced by now others may
    /// know what took its place alone.
    pub(crate) fn check_held(&mut self, id: &WriteId, count: u32) {
        let op = self.ghost.ops.get(id).filter(|op| op.payload.is_some());
        let (Some(op), Some(hub), true) = (op, &self.hub.machine, self.keeps_what_it_confirms())
        else {
            return;
        };
        let state = hub.keyspace().get(&op.key);
        if state.is_none_or(|state| state.entry().write(id).is_none()) {
            return;
        }
        self.stats.hit("write held by others");
        let holds = |replica: &Replica| knows(replica, &op.key, id);
        let found = self.holders(|agent| agent != id.writer.agent(), holds);
        self.require(found >= count, || {
            format!("{found} others know of {id}, not {count}")
        });
    }

    /// Whether what a replica has confirmed stays there. Of two processes under one name either may have
    /// confirmed it.
    pub(crate) fn keeps_what_it_confirms(&self) -> bool {
        let hardships = &self.plan.hardships;
        let is_lost = hardships.copy > 0 || hardships.disk_loss || hardships.torn > 0;
        !is_lost && self.rollbacks == 0
    }

    /// How many of some agents hold something. One that is down may: it had said so.
    pub(crate) fn holders(
        &self,
        is_asked: impl Fn(&AgentId) -> bool,
        holds: impl Fn(&Replica) -> bool,
    ) -> u32 {
        let nodes = self.replicas[..REPLICAS].iter();
        let nodes = nodes.filter(|node| is_asked(&node.agent));
        let holders = nodes.filter(|node| node.machine.as_ref().is_none_or(&holds));
        u32::try_from(holders.count()).expect("a few nodes")
    }
}

/// Whether a replica knows of a write, live or not.
pub(crate) fn knows(replica: &Replica, key: &Key, id: &WriteId) -> bool {
    let entry = replica.keyspace().get(key).map(KeyState::entry);
    entry.is_some_and(|entry| entry.context().contains(id))
}
