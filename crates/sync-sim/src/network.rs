//! Messages on their way, and what may happen to them there.

use std::collections::BTreeMap;

use bytes::Bytes;
use sync_core::{Message, SessionId, Turn, codec};

use crate::world::{Event, World};

/// Shortest and longest way of an undisturbed message, in microseconds.
const LATENCY_US: (u64, u64) = (200, 4_000);

/// Longest extra way of a message that is held up: longer than a retry.
pub(crate) const DELAY_US_MAX: u64 = 900_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    ToHub,
    ToReplica,
}

#[derive(Debug, Default)]
pub(crate) struct Network {
    /// When the last message of each direction of each connection arrives: the next one is not
    /// earlier, unless it is reordered.
    last: BTreeMap<(SessionId, Direction), u64>,
}

impl World {
    pub(crate) fn transmit(&mut self, direction: Direction, session: SessionId, message: &Message) {
        self.stats.count_message(message);
        let frame = codec::encode(message).to_bytes();
        if self.faulty && self.random.chance(self.plan.lost) {
            self.stats.hit("lost");
            return;
        }
        if self.faulty && self.random.chance(self.plan.duplicated) {
            self.stats.hit("duplicated");
            self.post(direction, session, frame.clone(), message.turn);
        }
        self.post(direction, session, frame, message.turn);
    }

    fn post(&mut self, direction: Direction, session: SessionId, frame: Bytes, turn: Turn) {
        let mut at = self.now_us + self.random.between(LATENCY_US.0, LATENCY_US.1);
        if self.faulty && self.random.chance(self.plan.delayed) {
            self.stats.hit("delayed");
            at += self.random.below(DELAY_US_MAX);
        }
        let last = self.network.last.entry((session, direction)).or_default();
        if self.faulty && self.random.chance(self.plan.reordered) {
            self.stats.hit("reordered");
        } else if turn != Turn::InLine {
            self.stats.hit("overtaking");
        } else {
            at = at.max(*last);
            *last = at;
        }
        let event = match direction {
            Direction::ToHub => Event::ToHub(session, frame),
            Direction::ToReplica => Event::ToReplica(session, frame),
        };
        self.schedule_at(at, event);
    }
}
