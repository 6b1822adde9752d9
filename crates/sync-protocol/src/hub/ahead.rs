//! Urgent keys overtake what waits in line: their agent's earlier writes on the way here, larger updates
//! on the way to the others. What goes ahead is state like any other and comes again in its turn, so
//! nothing depends on it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sync_core::segment::encode_parts;
use sync_core::{
    Body, Entry, Epoch, Key, Message, Now, Priority, Revision, Role, Segment, SessionId, Turn,
};

use super::Hub;
use super::fanout::Encoded;
use super::search::{Effort, steps_of};

/// Bytes of urgent keys that are sent ahead of the rest to an agent that catches up. What is more
/// comes in its turn.
const CATCH_UP_BYTES: usize = 64 * 1024;

impl Hub {
    /// What an agent sends ahead of its other writes is joined at once. Its number counts as known only
    /// once it comes in its turn, and until then nothing is confirmed.
    pub(super) fn handle_ahead(
        &mut self,
        now: Now,
        session: SessionId,
        epoch: Epoch,
        segments: &[Bytes],
    ) -> Result<(), String> {
        let decoded = Segment::decode_all(segments).map_err(|e| e.to_string())?;
        let decoded = self.only_allowed(session, decoded);
        // Without room for it, it comes once more in its turn.
        let has_space = !self.has_no_space_for(&decoded);
        if epoch == self.epoch() && self.has_settled(session) && has_space {
            self.take_held(now, session, decoded);
        }
        Ok(())
    }

    /// Sends the urgent keys of a commit ahead of what waits for each peer, each class by itself. Those
    /// that are in step get the commit itself next.
    pub(super) fn send_ahead<'a>(
        &mut self,
        from: Revision,
        changed: &'a BTreeSet<Key>,
        encoded: &mut Encoded<'a>,
    ) {
        if !self.policies().any_goes_ahead() {
            return;
        }
        let members = self.sessions.iter();
        let others = members.filter(|(id, s)| {
            s.role == Role::Member && s.settled && !encoded.commit().is_from(**id)
        });
        let in_step = |sent: Option<Revision>| sent == Some(from);
        let others: Vec<_> = others.map(|(id, s)| (*id, in_step(s.sent))).collect();
        if others.is_empty() {
            return;
        }
        let urgent = self.urgent(changed, |key| {
            let delta = Self::commit_delta(encoded.commit(), key);
            let is_small = delta.is_some_and(|delta| self.is_small(delta));
            is_small.then(|| encoded.of(&self.space, key).to_vec())
        });
        for (priority, segments) in urgent {
            let (copied, alone) = (Turn::AheadOfCopy(priority), Turn::Ahead(priority));
            for (session, in_step) in &others {
                let message = self.ahead(segments.clone());
                let message = message.at(if *in_step { copied } else { alone });
                // Its segments are those of all receivers and of the update.
                self.send_weighing(*session, 0, message);
            }
        }
    }

    /// Sends an agent that has more than one page to catch up on the urgent keys among the rest, once.
    /// Only so many are looked at: those after them come in their turn.
    pub(super) fn catch_up_ahead(&mut self, session: SessionId, from: Revision) {
        let first = |s: &mut super::session::Session| !std::mem::replace(&mut s.was_ahead, true);
        if !self.sessions.get_mut(&session).is_some_and(first) || !self.policies().any_goes_ahead()
        {
            return;
        }
        let (steps, mut effort) = (steps_of(self.policies()), Effort::default());
        let rest = self.changed_after(from, None).map(|(_, key)| key);
        let rest = rest.take_while(|_| {
            effort.spend(steps);
            !effort.is_spent()
        });
        let urgent = self.urgent(rest, |key| {
            let state = self.space.get(key).filter(|s| self.is_small(s.entry()))?;
            let (version, revision) = (state.version(), state.revision());
            Some(vec![encode_parts(key, version, revision, state.entry())])
        });
        for (priority, segments) in urgent {
            let message = self.ahead(segments).at(Turn::Ahead(priority));
            self.send(session, message);
        }
    }

    fn ahead(&self, segments: Vec<Bytes>) -> Message {
        let body = Body::Ahead {
            epoch: self.epoch(),
            revision: self.revision,
        };
        Message::with(body, segments)
    }

    /// Whether it is a signal: what is larger would make those in line wait.
    fn is_small(&self, delta: &Entry) -> bool {
        delta.weight() <= self.config.limits.ahead_bytes_max
    }

    /// The segments of those keys that go ahead, by class, up to a bound in all that the most urgent
    /// have first.
    fn urgent<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Key>,
        mut segments: impl FnMut(&'k Key) -> Option<Vec<Bytes>>,
    ) -> BTreeMap<Priority, Vec<Bytes>> {
        let mut room = CATCH_UP_BYTES;
        let mut urgent: BTreeMap<_, Vec<Bytes>> = BTreeMap::new();
        for (priority, key) in self.policies().urgent_first(keys) {
            let Some(of_key) = segments(key) else {
                continue;
            };
            let Some(left) = room.checked_sub(of_key.iter().map(Bytes::len).sum()) else {
                break;
            };
            room = left;
            urgent.entry(priority).or_default().extend(of_key);
        }
        urgent
    }
}
