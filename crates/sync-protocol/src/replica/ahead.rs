//! Urgent keys overtake what waits in line: own writes on the way to the hub, and larger updates on the
//! way here.

use std::collections::BTreeMap;

use bytes::Bytes;
use sync_core::{Body, Cursor, Epoch, Key, Message, Now, Priority, Revision, Turn};

use super::Replica;
use super::link::Backlog;

/// Bytes of urgent writes that are sent ahead of what was written while cut off. What is more comes in
/// its turn.
const BACKLOG_BYTES: usize = 64 * 1024;

impl Replica {
    /// Sends the writes to an urgent key ahead of those that wait before them, if those are many. They
    /// are pushed in their turn all the same: only then are they confirmed.
    pub(super) fn send_ahead(&mut self, key: &Key) {
        let limits = &self.config.limits;
        let in_line = self.outbox.bytes() > limits.ahead_of_bytes;
        if !in_line || !self.link.settled {
            return;
        }
        let priority = self.policies().priority_of(key);
        if priority.goes_ahead() {
            let (segments, are_all) = self.waiting_of(key, limits.ahead_bytes_max);
            // Else each further write would send the same first ones again.
            if are_all {
                self.send_segments_ahead(priority, segments);
            }
        }
    }

    /// The same for all that was written while cut off, once per connection. O(keys that wait).
    pub(super) fn send_backlog_ahead(&mut self) {
        let limits = &self.config.limits;
        let before = std::mem::replace(&mut self.link.backlog, Backlog::WasAhead);
        let in_line = self.outbox.bytes() > limits.ahead_of_bytes;
        if before == Backlog::WasAhead || !in_line || !self.policies().any_goes_ahead() {
            return;
        }
        let mut urgent: BTreeMap<_, Vec<Bytes>> = BTreeMap::new();
        let mut room = BACKLOG_BYTES;
        for (priority, key) in self.policies().urgent_first(self.outbox.keys()) {
            let (of_key, _) = self.waiting_of(key, limits.ahead_bytes_max.min(room));
            room -= bytes_of(&of_key);
            urgent.entry(priority).or_default().extend(of_key);
        }
        for (priority, segments) in urgent {
            self.send_segments_ahead(priority, segments);
        }
    }

    /// The first of the writes to a key that wait, as many as fit into `limit` bytes, and whether these
    /// are all. Only the first: a later one may not fit the rule that an earlier one brings.
    fn waiting_of(&self, key: &Key, limit: usize) -> (Vec<Bytes>, bool) {
        let mut room = limit;
        let mut segments = Vec::new();
        for item in self.outbox.of_key(key) {
            let Some(left) = room.checked_sub(item.segment.len()) else {
                return (segments, false);
            };
            room = left;
            segments.push(item.segment.clone());
        }
        (segments, true)
    }

    fn send_segments_ahead(&mut self, priority: Priority, segments: Vec<Bytes>) {
        let Some(cursor) = self.cursor.filter(|_| !segments.is_empty()) else {
            return;
        };
        let body = Body::Ahead {
            epoch: cursor.epoch,
            revision: cursor.revision,
        };
        self.send(Message::with(body, segments).at(Turn::Ahead(priority)));
    }

    /// What the hub sends ahead is joined at once. The position stays; its head says that content may be
    /// ahead of it, so that a hub that lost this is found out.
    pub(super) fn handle_ahead(
        &mut self,
        now: Now,
        epoch: Epoch,
        revision: Revision,
        segments: &[Bytes],
    ) -> Result<(), String> {
        let held = self.cursor.filter(|c| c.epoch == epoch);
        let Some(cursor) = held.filter(|_| self.link.offering.is_none()) else {
            // It comes again in its turn.
            return Ok(());
        };
        let head = cursor.head.max(revision);
        self.apply(now, segments, Some(Cursor { head, ..cursor }))
    }
}

fn bytes_of(segments: &[Bytes]) -> usize {
    segments.iter().map(Bytes::len).sum()
}
