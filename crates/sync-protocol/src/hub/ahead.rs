//! Urgent keys overtake what waits in line: their agent's earlier writes on the way here, larger updates
//! on the way to the others. What goes ahead is state like any other and comes again in its turn, so
//! nothing depends on it.

use std::collections::BTreeSet;

use bytes::Bytes;
use sync_core::segment::encode_parts;
use sync_core::{Body, Entry, Epoch, Key, Message, Now, Revision, Role, Segment, SessionId, Turn};

use super::Hub;
use super::commit::Commit;
use crate::keyspace::KeyState;

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
        let decoded: Result<Vec<_>, _> = segments.iter().map(|s| Segment::decode(s)).collect();
        let decoded = decoded.map_err(|e| e.to_string())?;
        if epoch == self.epoch() && self.has_settled(session) {
            self.take_held(now, session, decoded);
        }
        Ok(())
    }

    /// Sends the urgent keys of a commit ahead of what waits for each peer. Those that are in step get
    /// the commit itself next.
    pub(super) fn send_ahead(&mut self, from: Revision, changed: &BTreeSet<Key>, commit: &Commit) {
        if !self.policies().any_goes_ahead() {
            return;
        }
        let members = self.sessions.iter();
        let others =
            members.filter(|(id, s)| s.role == Role::Member && s.settled && !commit.is_from(**id));
        let turn = |sent: Option<Revision>| match sent {
            Some(sent) if sent == from => Turn::AheadOfCopy,
            _ => Turn::Ahead,
        };
        let others: Vec<_> = others.map(|(id, s)| (*id, turn(s.sent))).collect();
        if others.is_empty() {
            return;
        }
        let urgent = self.urgent(changed.iter(), |key| Self::commit_delta(commit, key));
        if urgent.is_empty() {
            return;
        }
        for (session, turn) in others {
            self.send_at(session, turn, urgent.clone());
        }
    }

    /// Sends an agent that has more than one page to catch up on the urgent keys among the rest, once.
    /// O(changes).
    pub(super) fn catch_up_ahead(&mut self, session: SessionId, from: Revision) {
        let first = |s: &mut super::session::Session| !std::mem::replace(&mut s.was_ahead, true);
        if !self.sessions.get_mut(&session).is_some_and(first) || !self.policies().any_goes_ahead()
        {
            return;
        }
        let rest = self.changed_after(from, None).map(|(_, key)| key);
        let urgent = self.urgent(rest, |key| self.space.get(key).map(KeyState::entry));
        if !urgent.is_empty() {
            self.send_at(session, Turn::Ahead, urgent);
        }
    }

    fn send_at(&mut self, session: SessionId, turn: Turn, segments: Vec<Bytes>) {
        let body = Body::Ahead {
            epoch: self.epoch(),
            revision: self.revision,
        };
        self.send(session, Message::with(body, segments).at(turn));
    }

    /// The segments of those keys that go ahead: small ones, the most urgent first, up to a bound in all.
    fn urgent<'a, 'k>(
        &self,
        keys: impl Iterator<Item = &'k Key>,
        delta: impl Fn(&Key) -> Option<&'a Entry>,
    ) -> Vec<Bytes> {
        let limit = self.config.limits.ahead_bytes_max;
        let mut room = CATCH_UP_BYTES;
        let mut segments = Vec::new();
        let ranked = keys.map(|key| (self.policies().priority_of(key), key));
        let mut ranked: Vec<_> = ranked.filter(|(p, _)| p.goes_ahead()).collect();
        ranked.sort_by_key(|(priority, _)| *priority);
        for (_, key) in ranked {
            let Some((state, delta)) = self.space.get(key).zip(delta(key)) else {
                continue;
            };
            let bytes: usize = delta.writes().map(|(_, write)| write.weight()).sum();
            if bytes > limit {
                continue;
            }
            let segment = encode_parts(key, state.version(), state.revision(), delta);
            let Some(left) = room.checked_sub(segment.len()) else {
                break;
            };
            room = left;
            segments.push(segment);
        }
        segments
    }
}
