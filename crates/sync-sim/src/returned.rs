//! What users do about receipts: take them, at times late, or propose the value again.

use sync_core::{Operation, Payload, PayloadKind, Receipt, Write, WriteId};
use sync_protocol::{Command, Replica};

use crate::workload::Asked;
use crate::world::World;

/// A receipt that is kept from its application, to see whether anybody misses it.
#[derive(Debug, Clone)]
pub(crate) struct Planted {
    pub(crate) write: WriteId,
    /// Whether the disks are not looked at for it either: as if no node had ever known of it.
    pub(crate) is_blind: bool,
    /// Whether it has come so far.
    pub(crate) has_come: bool,
}

impl World {
    /// Whether a receipt is the one that gets lost.
    pub(crate) fn loses(&mut self, receipt: &Receipt) -> bool {
        let planted = self.planted.as_mut();
        let planted = planted.filter(|planted| planted.write == receipt.write);
        planted.is_some_and(|planted| {
            planted.has_come = true;
            true
        })
    }

    /// The receipts that wait at a replica and that its caller was shown.
    fn shown_receipts(&self, n: usize) -> Vec<Receipt> {
        let lost = self.planted.as_ref().filter(|planted| planted.has_come);
        let lost = lost.map(|planted| &planted.write);
        let shown = |id: &WriteId| self.ghost.receipts.contains_key(id) || lost == Some(id);
        let waiting = self.replicas[n].machine.iter().flat_map(Replica::receipts);
        waiting.filter(|r| shown(&r.write)).cloned().collect()
    }

    /// All of them, or some.
    pub(crate) fn take_receipts(&mut self) {
        let n = self.random.index(self.replicas.len());
        let now = self.clock(n);
        let request = self.new_request(Asked::Other);
        let all = self.random.chance(500);
        let shown = self.shown_receipts(n).into_iter().map(|r| r.write);
        let ids: Vec<WriteId> = shown.filter(|_| all || self.random.chance(400)).collect();
        let Some(replica) = &mut self.replicas[n].machine else {
            return;
        };
        replica.handle_command(now, request, Command::TakeReceipts(ids));
        self.drain_replica(n);
    }

    /// Somebody wants a value that has lost after all.
    pub(crate) fn repropose(&mut self) {
        let n = self.random.index(self.replicas.len());
        let shown = self.shown_receipts(n);
        let lost: Vec<&Receipt> = shown.iter().filter(|r| r.winner().is_some()).collect();
        if lost.is_empty() {
            return;
        }
        let receipt = (*self.random.pick(&lost)).clone();
        let (Some(operation), Some(winner)) = (again(&receipt.discarded), receipt.winner()) else {
            return;
        };
        let before = self.replicas[n].machine.as_ref();
        let before = before.and_then(|r| Some(r.keyspace().get(&receipt.key)?.entry().clone()));
        let before = before.unwrap_or_default();
        let command = Command::Repropose(receipt.write.clone());
        let Some(id) = self.perform(n, receipt.key.clone(), operation, command) else {
            return self.stats.hit("not proposed again");
        };
        self.stats.hit("proposed value again");
        let replaced = self.ghost.ops[&id].shown.contains(winner);
        let knew = before.context().contains(winner);
        // What clears all fields goes on clearing the others: a later one of its field takes no part of it.
        let clears = |held: &Write| held.payload.kind() == PayloadKind::Cleared;
        let stays = before.write(winner).is_some_and(|held| !clears(held));
        let right = knew && (replaced || !stays);
        self.require(right, || format!("{id} has not seen what won: {receipt:?}"));
        let waits = self.replicas[n].machine.iter().flat_map(Replica::receipts);
        let taken = waits.filter(|r| r.write == receipt.write).count() == 0;
        self.require(taken, || format!("{id} leaves its receipt: {receipt:?}"));
    }
}

/// What makes such a payload.
fn again(payload: &Payload) -> Option<Operation> {
    let name = || payload.field_name().map(str::to_owned);
    match payload.kind() {
        PayloadKind::Put => Some(Operation::Put(payload.value()?)),
        PayloadKind::Field => Some(Operation::PutField(name()?, payload.value()?)),
        PayloadKind::Unset => Some(Operation::UnsetField(name()?)),
        PayloadKind::Absent | PayloadKind::Cleared => Some(Operation::Delete),
        _ => None,
    }
}

/// The kinds of receipts, as far as they are lost in different ways.
#[cfg(test)]
pub(crate) fn kind(receipt: &Receipt) -> &'static str {
    use sync_core::Reason;

    match receipt.reason {
        Reason::Superseded { .. } => "superseded",
        Reason::Merged { .. } => "merged",
        Reason::Dropped { .. } => "summary",
        Reason::Unknown => "unknown",
        _ => "refused",
    }
}
