//! Writes that this hub has only ever heard of as dead: after it lost its disk, replicas that knew of
//! their end offered it. Should such a write be pushed for the first time, its writer does not know its
//! end, and nobody knows any more whether it was refused, lost or was replaced: it comes back.

use sync_core::{Context, Entry, Key, Reason, Span};

use super::Hub;
use super::commit::{Commit, receipt};
use crate::keyspace::KeyState;
use crate::rows;

impl Hub {
    /// Notes what of `offered` is news here and dead on arrival. Before the join.
    pub(super) fn adopt_dead(&mut self, commit: &mut Commit, key: &Key, offered: &Entry) {
        let mut dead = offered.context().clone();
        if let Some(held) = self.space.get(key).map(KeyState::entry) {
            dead.subtract(held.context());
        }
        for (id, _) in offered.writes() {
            dead.remove_id(id);
        }
        // What was pushed here is not first heard of now.
        let pushed = dead.spans().iter().filter_map(|span| {
            let known = self.known.get(&span.writer)?;
            let last = span.last.min(*known);
            (span.first <= last).then(|| Span::new(span.writer.clone(), span.first, last))
        });
        let pushed: Context = pushed.collect();
        dead.subtract(&pushed);
        if !dead.is_empty() {
            let adopted = self.adopted.entry(key.clone()).or_default();
            adopted.union(&dead);
            commit.with_row(rows::put_adopted(key, adopted));
        }
    }

    /// A write that is dead here was pushed: it comes back to its writer if its end is not known.
    pub(super) fn return_adopted(&mut self, commit: &mut Commit, key: &Key, pushed: &Entry) {
        let Some(adopted) = self.adopted.get_mut(key) else {
            return;
        };
        for (id, write) in pushed.writes() {
            if !adopted.contains(id) {
                continue;
            }
            adopted.remove_id(id);
            commit.with_receipt(receipt(id.clone(), key, write, Reason::Unknown));
            commit.with_row(rows::put_adopted(key, adopted));
        }
    }
}
