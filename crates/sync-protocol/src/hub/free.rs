//! A disk with little room: what is new is refused or waits where it is, and all else goes on.

use sync_core::{Reply, RequestError, Segment};

use super::Hub;
use crate::keyspace::KeyState;

impl Hub {
    /// What the disk of the store has free by now; none if there is none, or nobody knows. With less than
    /// [`HubConfig::keep_free`](crate::HubConfig::keep_free) what is new is refused, and what agents push
    /// is left with them, not answered: they say it again.
    pub fn note_free_bytes(&mut self, bytes: Option<u64>) {
        self.free.note(bytes);
    }

    /// Whether it takes no new writes, as its disk has little room.
    pub fn is_short_of_space(&self) -> bool {
        self.free.is_short()
    }

    /// Refuses what is new while there is little room.
    pub(super) fn check_space(&self) -> Result<(), RequestError> {
        self.free.check(|| "the hub".to_owned())
    }

    /// Whether there is no room for what a peer has sent: not for a write that this hub has not met. What
    /// takes away, and what comes once more, always has.
    pub(super) fn has_no_space_for<'a>(
        &self,
        segments: impl IntoIterator<Item = &'a Segment>,
    ) -> bool {
        self.free.is_short() && segments.into_iter().any(|segment| self.is_growth(segment))
    }

    fn is_growth(&self, segment: &Segment) -> bool {
        let held = self.space.get(&segment.key).map(KeyState::entry);
        let mut writes = segment.entry.writes();
        writes.any(|(id, write)| {
            let has_met = held.is_some_and(|held| held.context().contains(id));
            !has_met && !write.payload.kind().is_absence()
        })
    }
}

/// Whether a request was refused because there is little room. It may be made again as the same attempt
/// once there is some, so that the refusal is not the answer to it for good.
pub(super) fn is_refused_for_now(reply: &Reply) -> bool {
    matches!(reply, Err(RequestError::NoSpace { .. }))
}
