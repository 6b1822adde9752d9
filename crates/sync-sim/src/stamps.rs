//! The stamps of one agent rise, whatever becomes of its process and its clock; and no stamp is taken that is
//! further ahead than may be.

use std::collections::BTreeMap;

use sync_core::{Reason, Receipt, Stamp, WriteId};
use sync_protocol::Replica;

use crate::world::World;

/// The stamps of what agents wrote.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    made: BTreeMap<WriteId, Stamp>,
    /// The latest time that the hub knows of: its clock's, or one that it has believed in.
    known_ms: u64,
}

impl Stamps {
    /// The latest time that one can come to believe in, one write after the other: what is replaced at once
    /// has been believed as well.
    fn within_reach(&self, known_ms: u64, drift_ms: u64) -> u64 {
        let mut made: Vec<u64> = self.made.values().map(|stamp| stamp.millis()).collect();
        made.sort_unstable();
        made.into_iter().fold(known_ms, |known, ms| {
            let is_near = ms <= known + drift_ms;
            if is_near { known.max(ms) } else { known }
        })
    }
}

impl World {
    /// A replica has stamped a write: later than whatever it had acknowledged, as long as it has its disk.
    pub(crate) fn check_stamp(&mut self, n: usize, id: &WriteId, stamp: Stamp) {
        let stamps = self.stamps.made.iter();
        let own = stamps.filter(|(earlier, _)| earlier.writer.agent() == id.writer.agent());
        let acked = |id: &WriteId| self.ghost.ops.get(id).is_some_and(|op| op.acked);
        let mut later = own
            .filter(|(earlier, held)| **held >= stamp && acked(earlier))
            .map(|(earlier, held)| format!("{id} is of {stamp}, {earlier} was of {held}"));
        // Whose stamps were refused goes back to what its clock says.
        // It knows of it before its user is told.
        let held = self.replicas[n].machine.iter().flat_map(Replica::receipts);
        let is_refusal = |r: &Receipt| matches!(r.reason, Reason::FutureStamp { .. });
        let is_refused = self.ghost.receipts.values().chain(held).any(is_refusal);
        let is_bound = self.replicas[n].losses == 0 && !is_refused;
        let later = later.next_back().filter(|_| is_bound);
        self.stamps.made.insert(id.clone(), stamp);
        self.require(later.is_none(), || later.unwrap_or_default());
    }

    /// After every event: what the hub has taken from agents is of a time that it could believe in.
    pub(crate) fn check_future(&mut self) {
        let drift_ms = u64::try_from(self.plan.drift().as_millis()).unwrap_or(u64::MAX);
        let Some(hub) = &self.hub.machine else { return };
        let changed = hub.keyspace().iter_after(None);
        let changed = changed.filter(|(_, state)| state.revision() > self.hub.log_head);
        let live = changed.flat_map(|(_, state)| state.entry().writes());
        let fresh = live.filter(|(id, _)| !self.ghost.admitted.contains(*id));
        let latest = fresh.max_by_key(|(_, write)| write.stamp);
        let latest = latest.map(|(id, write)| (id.clone(), write.stamp.millis()));
        let mut known_ms = self.stamps.known_ms.max(self.hub_now().wall_ms);
        if let Some((_, ms)) = &latest
            && *ms > known_ms + drift_ms
        {
            known_ms = self.stamps.within_reach(known_ms, drift_ms);
        }
        let future = latest.as_ref().filter(|(_, ms)| *ms > known_ms + drift_ms);
        let future = future.map(|(id, ms)| format!("{id} of {ms} was taken, known is {known_ms}"));
        let latest_ms = latest.map_or(0, |(_, ms)| ms);
        self.stamps.known_ms = known_ms.max(latest_ms);
        self.require(future.is_none(), || future.unwrap_or_default());
    }
}
