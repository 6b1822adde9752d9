//! What a counter is to read: what was added, less what deletes had seen of it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use sync_core::WriteId;

use crate::ghost::Op;
use crate::world::World;

/// An earlier contribution that a live one stands for, and that somebody has deleted.
struct Deleted<'a> {
    contribution: &'a WriteId,
    /// Whether the delete holds, and not only perhaps.
    certain: bool,
}

impl World {
    /// What these contributions may add up to: more than one sum where it is open whether a delete holds.
    pub(crate) fn sums(&self, live: &[(&WriteId, &Op)]) -> RangeInclusive<i64> {
        let (mut least, mut most) = (0, 0);
        for (id, op) in live {
            let removed = self.removed_from(id);
            least += op.total - removed.end();
            most += op.total - removed.start();
        }
        least..=most
    }

    /// What of a contribution was deleted before it was made. The last one that was deleted counts: it
    /// stands for those before it.
    fn removed_from(&self, id: &WriteId) -> RangeInclusive<i64> {
        let total = |id: &WriteId| self.ghost.ops[id].total;
        let mut deleted: Vec<Deleted<'_>> = self.earlier(id);
        deleted.sort_by_key(|deleted| deleted.contribution.seq);
        let last = deleted.iter().rposition(|deleted| deleted.certain);
        let fixed = last.map_or(0, |at| total(deleted[at].contribution));
        let open = &deleted[last.map_or(0, |at| at + 1)..];
        let open = || open.iter().map(|deleted| total(deleted.contribution));
        open().fold(fixed, i64::min)..=open().fold(fixed, i64::max)
    }

    /// The deleted ones among those that the contribution has taken up.
    fn earlier<'a>(&'a self, id: &'a WriteId) -> Vec<Deleted<'a>> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&WriteId> = vec![id];
        while let Some(next) = open.pop() {
            let replaced = self.ghost.ops.get(next).into_iter();
            let earlier = replaced.flat_map(|op| &op.taken_up);
            open.extend(earlier.filter(|id| found.insert(*id)));
        }
        found
            .into_iter()
            .filter_map(|id| self.deleted(id))
            .collect()
    }

    fn deleted<'a>(&'a self, contribution: &'a WriteId) -> Option<Deleted<'a>> {
        let ops = self.ghost.ops.iter();
        let deletes = |op: &Op| op.payload.is_none() && op.shown.contains(contribution);
        let by: Vec<&WriteId> = ops
            .filter(|(_, op)| deletes(op))
            .map(|(id, _)| id)
            .collect();
        let is_cleared = self.ghost.cleared.contains_key(contribution);
        let holds = |id: &&WriteId| self.effective(id) && self.rollbacks == 0;
        (is_cleared || !by.is_empty()).then(|| Deleted {
            contribution,
            certain: by.iter().any(holds),
        })
    }
}
