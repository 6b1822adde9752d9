//! Positions in the hub's log: who is said to hold all up to one does.

use sync_core::{Ask, Cursor, Key, Since, WriteId};
use sync_protocol::{Command, Replica};

use crate::levels::{PATIENCE, knows};
use crate::workload::Asked;
use crate::world::World;

/// What was live at a position.
pub(crate) type Live = Vec<(Key, WriteId)>;

impl World {
    /// Somebody waits until an agent holds what the hub has, or asks the hub how many hold it.
    pub(crate) fn wait_for_position(&mut self) {
        let Some(hub) = &self.hub.machine else { return };
        let (epoch, revision) = (hub.epoch(), hub.revision());
        let live = hub.keyspace().iter_after(None).flat_map(|(key, state)| {
            let ids = state.entry().writes().map(|(id, _)| id.clone());
            ids.map(move |id| (key.clone(), id))
        });
        let live: Live = live.collect();
        if self.random.chance(300) {
            let ask = Ask::Held {
                epoch: Some(epoch),
                revision,
                replicas: 2,
                wait_ms: self.random.below(400),
            };
            return self.ask_somewhere(Asked::Held(live), ask);
        }
        let n = self.random.index(self.replicas.len());
        let now = self.clock(n);
        if self.replicas[n].machine.is_none() {
            return;
        }
        let request = self.new_request(Asked::Position(live));
        let at = Since::Cursor(Cursor {
            epoch,
            revision,
            head: revision,
        });
        let timeout = PATIENCE;
        if let Some(replica) = &mut self.replicas[n].machine {
            replica.handle_command(now, request, Command::WaitForPosition { at, timeout });
            self.drain_replica(n);
        }
    }

    /// An agent has said that it holds all up to there.
    pub(crate) fn reached(&mut self, n: usize, live: &Live) {
        self.stats.hit("position reached");
        let replica = self.replicas[n].machine.as_ref();
        let missing = replica.and_then(|replica| missing_of(replica, live));
        // A hub that comes back with an older disk may give what it writes then the same numbers.
        let is_right = missing.is_none() || self.rollbacks > 0;
        self.require(is_right, || {
            format!("replica {n} has reached a position, and knows nothing of {missing:?}")
        });
    }

    /// The hub has said that so many hold all up to there.
    pub(crate) fn check_holders(&mut self, live: &Live, count: u32) {
        if !self.keeps_what_it_confirms() {
            return;
        }
        self.stats.hit("holders counted");
        let holds = |replica: &Replica| missing_of(replica, live).is_none();
        let found = self.holders(|_| true, holds);
        self.require(found >= count, || {
            format!("{count} are said to hold what {found} hold")
        });
    }
}

/// What of it a replica knows nothing of.
fn missing_of<'a>(replica: &Replica, live: &'a Live) -> Option<&'a (Key, WriteId)> {
    live.iter().find(|(key, id)| !knows(replica, key, id))
}
