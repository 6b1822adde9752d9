//! Re-entry: the hub cannot serve our cursor, so it gets all we hold and we read all it holds.
//! Everything is joined on both sides; nothing is wiped.

use std::time::Duration;

use bytes::Bytes;
use sync_core::segment::encode_parts;
use sync_core::{Body, Key, Message, Now, WriteId};

use super::Replica;

/// An offer under way: one frame is out at a time.
#[derive(Debug)]
pub(super) struct Offering {
    number: u64,
    index: u32,
    frame: Vec<Bytes>,
    /// Where the next frame starts; none if this one is the last.
    next: Option<Position>,
    sent_at: Duration,
}

/// After this key; or inside it, after this write.
#[derive(Debug, Clone)]
struct Position {
    key: Key,
    within: Option<WriteId>,
}

impl Offering {
    pub(super) fn sent_at(&self) -> Duration {
        self.sent_at
    }
}

impl Replica {
    pub(super) fn start_offer(&mut self, now: Now) {
        self.give_up_cursor();
        self.link.settled = false;
        let number = self.link.next_number();
        let (frame, next) = self.offer_frame(None);
        self.link.offering = Some(Offering {
            number,
            index: 0,
            frame,
            next,
            sent_at: now.mono,
        });
        self.repeat_offer(now);
    }

    /// Sends the current frame, again if need be.
    pub(super) fn repeat_offer(&mut self, now: Now) {
        let Some(offering) = &mut self.link.offering else {
            return;
        };
        offering.sent_at = now.mono;
        let body = Body::Offer {
            offer: offering.number,
            index: offering.index,
            last: offering.next.is_none(),
        };
        let message = Message::with(body, offering.frame.clone());
        self.send(message);
    }

    pub(super) fn handle_offer_ack(&mut self, now: Now, number: u64, index: u32) {
        let current = |o: &&Offering| o.number == number && o.index == index;
        let Some(offering) = self.link.offering.as_ref().filter(current) else {
            return;
        };
        match offering.next.clone() {
            Some(position) => {
                let (frame, next) = self.offer_frame(Some(&position));
                let sent_at = now.mono;
                self.link.offering = Some(Offering {
                    number,
                    index: index + 1,
                    frame,
                    next,
                    sent_at,
                });
                self.repeat_offer(now);
            }
            None => {
                self.link.offering = None;
                self.pull(now, None);
            }
        }
    }

    /// About a page of whole entries from a position on.
    fn offer_frame(&self, from: Option<&Position>) -> (Vec<Bytes>, Option<Position>) {
        let page = self.config.limits.page_bytes;
        let (mut frame, mut used) = (Vec::new(), 0);
        let mut last: Option<Position> = None;
        let inside = from.filter(|p| p.within.is_some());
        let resumed = inside.and_then(|p| self.space.get(&p.key).map(|s| (&p.key, s)));
        let rest = self.space.iter_after(from.map(|p| &p.key));
        for (key, state) in resumed.into_iter().chain(rest) {
            let after = inside
                .filter(|p| p.key == *key)
                .and_then(|p| p.within.as_ref());
            for part in self.settled_part(key, state.entry()).parts(after, page) {
                let segment = encode_parts(key, state.version(), state.revision(), &part.entry);
                if used > 0 && used + segment.len() > page {
                    return (frame, last);
                }
                used += segment.len();
                frame.push(segment);
                let within = part.end;
                last = Some(Position {
                    key: key.clone(),
                    within,
                });
            }
            if let Some(last) = &mut last {
                last.within = None;
            }
        }
        (frame, None)
    }
}
