//! Answering a sweep: a page of the own writes that wait, of the keys it is about.
//!
//! What waits is all that the hub can lack of what this replica holds: the rest it has confirmed, and a
//! hub that has forgotten it is found out otherwise. So the answer costs what waits, not what is held.

use bytes::Bytes;
use sync_core::message::{Scope, Spot};
use sync_core::{Body, Digest, Message, RoundId};

use super::Replica;
use crate::hub::{Effort, Sought};

/// The part of a page that an answer takes while a push is out. The push and those after it bring the same
/// in their turn, so that more would only take the link from them, and from the answers to urgent rounds;
/// it is enough for a few keys to overtake the line.
const PART_BESIDE_PUSH: usize = 8;

/// What one answer carries, and how far it reaches if others are to follow.
type Page = (Vec<Bytes>, Option<Spot>);

impl Replica {
    pub(super) fn handle_sweep(
        &mut self,
        (round, part): (RoundId, u32),
        digest: Digest,
        scope: &Scope,
        after: Option<&Spot>,
    ) {
        let (segments, next) = if self.space.digest() == digest {
            (Vec::new(), None)
        } else {
            self.swept(scope, after)
        };
        let body = Body::Swept { round, part, next };
        self.send(Message::with(body, segments));
    }

    /// About a page of what waits after `after`, or as far as one effort reaches. What the hub has
    /// refused it knows.
    fn swept(&self, scope: &Scope, after: Option<&Spot>) -> Page {
        let page = self.config.limits.page_bytes;
        let part = self.link.flight.as_ref().map_or(1, |_| PART_BESIDE_PUSH);
        let page = page / part;
        let sought = Sought::new(&scope.patterns, self.policies());
        let (mut segments, mut used, mut effort) = (Vec::new(), 0, Effort::default());
        let mut last = None;
        for (spot, item) in self.outbox.after(after) {
            let bytes = item.segment.len();
            let full = !segments.is_empty() && used + bytes > page;
            if full || effort.is_spent() {
                return (segments, last);
            }
            let priority = sought.priority_of(&item.key, &mut effort);
            if priority == Some(scope.priority) && !item.is_refused() {
                used += bytes;
                segments.push(item.segment.clone());
            }
            last = Some(spot);
        }
        (segments, None)
    }
}
