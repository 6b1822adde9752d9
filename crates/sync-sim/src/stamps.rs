//! The stamps of one agent rise, whatever becomes of its process and its clock.

use std::collections::BTreeMap;

use sync_core::{Stamp, WriteId};

use crate::world::World;

/// The stamps of what agents wrote.
#[derive(Debug, Default)]
pub(crate) struct Stamps(BTreeMap<WriteId, Stamp>);

impl World {
    /// A replica has stamped a write: later than whatever it had acknowledged, as long as it has its disk.
    pub(crate) fn check_stamp(&mut self, n: usize, id: &WriteId, stamp: Stamp) {
        let stamps = self.stamps.0.iter();
        let own = stamps.filter(|(earlier, _)| earlier.writer.agent() == id.writer.agent());
        let acked = |id: &WriteId| self.ghost.ops.get(id).is_some_and(|op| op.acked);
        let later = own
            .filter(|(earlier, held)| **held >= stamp && acked(earlier))
            .map(|(earlier, held)| format!("{id} is of {stamp}, {earlier} was of {held}"));
        let later = later.last().filter(|_| self.replicas[n].losses == 0);
        self.stamps.0.insert(id.clone(), stamp);
        self.require(later.is_none(), || later.unwrap_or_default());
    }
}
