//! Little room: on the disks of nodes, in the outboxes of agents, at the hub. What there is no room for is
//! refused and leaves nothing, and once there is room again all are served.

use sync_core::{Operation, Reason, Receipt, RequestError, WriteId};

use crate::plan::{HUB, REPLICAS};
use crate::world::World;

/// Per thousand changes: the disk gets full, rather than being given room again.
const FULL_SHARE: u64 = 500;

impl World {
    /// One chance for each node.
    pub(crate) fn change_room(&mut self) {
        if self.plan.little_room == 0 {
            return;
        }
        for node in (0..REPLICAS).chain([HUB]) {
            let changes = self.random.chance(self.plan.little_room);
            if changes && self.allows("little room", node as u64, self.nth) {
                let is_full = self.random.chance(FULL_SHARE);
                self.note_room(node, if is_full { 0 } else { u64::MAX });
            }
        }
    }

    /// Every disk has room again.
    pub(crate) fn give_room(&mut self) {
        for node in (0..REPLICAS).chain([HUB]) {
            self.note_room(node, u64::MAX);
        }
    }

    fn note_room(&mut self, node: usize, bytes: u64) {
        if node == HUB {
            if let Some(hub) = &mut self.hub.machine {
                hub.note_free_bytes(Some(bytes));
                self.drain_hub();
            }
        } else if let Some(replica) = &mut self.replicas[node].machine {
            replica.note_free_bytes(Some(bytes));
            self.drain_replica(node);
        }
    }

    /// An agent that has little room takes nothing that is new, and still takes away.
    pub(crate) fn check_room(&mut self, n: usize, operation: &Operation, made: Option<&WriteId>) {
        let takes_away = matches!(
            operation,
            Operation::Delete | Operation::Remove(_) | Operation::UnsetField(_)
        );
        let replica = self.replicas[n].machine.as_ref();
        let is_short = replica.is_some_and(sync_protocol::Replica::is_short_of_space);
        let is_right = !is_short || takes_away || made.is_none();
        self.require(is_right, || {
            format!("replica {n} has no room, and takes {operation:?} as {made:?}")
        });
    }

    /// A write was refused: for want of room only where there is little, and then nothing was made.
    pub(crate) fn refused_for_room(&mut self, made: Option<&WriteId>, error: &RequestError) {
        let (what, is_due) = match error {
            RequestError::OutboxFull { .. } => ("outbox full", self.plan.has_small_outboxes()),
            RequestError::NoSpace { .. } => ("write without room", self.plan.little_room > 0),
            RequestError::QuotaExceeded { .. } => ("client over a quota", self.plan.is_narrow()),
            _ => return,
        };
        self.stats.hit(what);
        self.require(is_due && made.is_none(), || {
            format!("{error}; it has made {made:?}")
        });
    }

    /// A write came back because the hub may not hold more.
    pub(crate) fn check_quota(&mut self, receipt: &Receipt) {
        if let Reason::QuotaExceeded { .. } = receipt.reason {
            self.stats.hit("over a quota");
            let is_due = self.plan.is_narrow();
            self.require(is_due, || format!("nobody has bounded that: {receipt}"));
        }
    }
}
