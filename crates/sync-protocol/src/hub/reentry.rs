//! An agent whose cursor this hub cannot serve sends all it holds: joined, never trusted more than
//! what is here, and nobody is wiped.

use bytes::Bytes;
use sync_core::{Body, Key, Now, Segment, SessionId, Version};

use super::Hub;
use super::admit::Source;
use super::commit::Commit;
use crate::keyspace::KeyState;

/// How far a number that a peer has met may be above the hub's own: more commits than a lost disk has had.
/// Nothing is believed without bound, as a lying peer must not use the numbers up.
pub(super) const NUMBERS_AHEAD_MAX: u64 = u32::MAX as u64;

/// Which frame of which offer arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfferFrame {
    pub(super) offer: u64,
    pub(super) index: u32,
    pub(super) last: bool,
}

impl Hub {
    /// One frame of an offer. Frames come in order; one that was had already is confirmed again.
    pub(super) fn handle_offer(
        &mut self,
        now: Now,
        session: SessionId,
        frame: OfferFrame,
        segments: &[Bytes],
    ) -> Result<(), String> {
        let OfferFrame { offer, index, last } = frame;
        let Some(current) = self.sessions.get(&session).map(|s| s.offer) else {
            return Ok(());
        };
        let expected = if offer > current.0 { 0 } else { current.1 };
        if offer < current.0 || index > expected {
            return Ok(());
        }
        if index == expected {
            let decoded = Segment::decode_all(segments).map_err(|e| e.to_string())?;
            // Not confirmed, so that it is offered again until there is room.
            if self.has_no_space_for(&decoded) {
                return Ok(());
            }
            let mut commit = Commit::from(session);
            for segment in decoded {
                if !self.may_write(session, &segment.key) {
                    self.bar_offered(&mut commit, now, session, &segment);
                    continue;
                }
                self.heed_version(&mut commit, &segment.key, segment.version);
                self.admit(&mut commit, now, &segment.key, segment.entry, Source::Held);
            }
            self.finish(commit, now);
            if let Some(peer) = self.sessions.get_mut(&session) {
                peer.offer = (offer, index + 1);
            }
            self.unsettle(session);
            if let Some(peer) = self.sessions.get_mut(&session).filter(|_| last) {
                peer.settled = true;
            }
        }
        self.send(session, Body::OfferAck { offer, index });
        if self.has_settled(session) {
            self.ask_settled(session);
        }
        Ok(())
    }

    /// A version that somebody has seen of a key is not given out again.
    fn heed_version(&self, commit: &mut Commit, key: &Key, met: Version) {
        let held = self.space.get(key).map(KeyState::version);
        let own = held.unwrap_or_default().get();
        if met.get() <= own.saturating_add(NUMBERS_AHEAD_MAX) {
            commit.with_floor(key, met);
        }
    }
}
