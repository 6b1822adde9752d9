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
    /// How many messages each direction of each connection has been given, repeated ones twice.
    counts: BTreeMap<(SessionId, Direction), u64>,
}

impl Network {
    /// How many messages there were, those that got lost included.
    pub(crate) fn sent(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The number of the next message; the two directions have different ones.
    fn count(&mut self, session: SessionId, direction: Direction) -> u64 {
        let count = self.counts.entry((session, direction)).or_default();
        *count += 1;
        match direction {
            Direction::ToHub => *count * 2,
            Direction::ToReplica => *count * 2 + 1,
        }
    }
}

impl World {
    pub(crate) fn transmit(&mut self, direction: Direction, session: SessionId, message: &Message) {
        self.stats.count_message(message);
        let frame = codec::encode(message).to_bytes();
        if self.is_silent(session, direction) {
            return;
        }
        let nth = self.network.count(session, direction);
        if self.is_rough()
            && self.random.chance(self.plan.lost)
            && self.allows("lost", session.0, nth)
        {
            self.stats.hit("lost");
            return;
        }
        if self.is_rough()
            && self.random.chance(self.plan.duplicated)
            && self.allows("duplicated", session.0, nth)
        {
            self.stats.hit("duplicated");
            self.post(direction, session, frame.clone(), message.turn);
        }
        self.post(direction, session, frame, message.turn);
    }

    fn post(&mut self, direction: Direction, session: SessionId, frame: Bytes, turn: Turn) {
        let mut at = self.now_us + self.random.between(LATENCY_US.0, LATENCY_US.1);
        let nth = self.network.count(session, direction);
        if self.is_rough()
            && self.random.chance(self.plan.delayed)
            && self.allows("delayed", session.0, nth)
        {
            self.stats.hit("delayed");
            at += self.random.below(DELAY_US_MAX);
        }
        if self.is_rough()
            && self.random.chance(self.plan.reordered)
            && self.allows("reordered", session.0, nth)
        {
            self.stats.hit("reordered");
        } else if turn != Turn::InLine {
            self.stats.hit("overtaking");
        } else {
            let last = self.network.last.entry((session, direction)).or_default();
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
