//! Bounds that are met and clocks that are days apart, in some seeds. They are drawn from a stream of their
//! own, so that all other seeds take the course that they took without them.

use super::{COPY, HUB, NODES, Plan};
use crate::random::Random;
use sync_protocol::Limits;

/// Per thousand seeds, each by itself.
const KEYS_SHARE: u64 = 80;
const STATE_SHARE: u64 = 80;
const OUTBOX_SHARE: u64 = 100;
const ROOM_SHARE: u64 = 100;
const FAR_SHARE: u64 = 80;

/// Per thousand nodes of a seed in which clocks are far apart: this one's is.
const FAR_NODES: u64 = 400;

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// How far.
const FAR_MS_MAX: u64 = 3 * DAY_MS;

impl Plan {
    pub(crate) fn draw_narrow(&mut self, random: &mut Random) {
        if self.is_quiet {
            return;
        }
        if random.chance(KEYS_SHARE) {
            self.limits.keys_max = random.between(1, self.keys.len() as u64);
        }
        if random.chance(STATE_SHARE) {
            self.limits.state_bytes_max = random.between(200, 3_000);
        }
        if random.chance(OUTBOX_SHARE) {
            self.limits.outbox_bytes_max = *random.pick(&[200, 600, 2_000]);
        }
        if random.chance(ROOM_SHARE) {
            self.little_room = random.between(20, 200);
        }
        // What a damaged agent holds after its recovery it takes for facts, of whatever time they are.
        let is_damaged = self.hardships.torn > 0 || self.hardships.disk_loss;
        if random.chance(FAR_SHARE) && !is_damaged {
            // A lifetime lasts as long as it takes a clock that was put back by days to come there again.
            let hops = self.hardships.jump + self.hardships.freeze > 0;
            let may_be = |node: usize| node != COPY && !(hops && node == HUB);
            for node in (0..NODES).filter(|node| may_be(*node)) {
                if random.chance(FAR_NODES) {
                    self.skew_ms[node] = random.below(FAR_MS_MAX);
                }
            }
        }
    }

    /// Whether the hub takes only so many keys or bytes.
    pub(crate) fn is_narrow(&self) -> bool {
        let usual = Limits::default();
        let is_below = self.limits.state_bytes_max < usual.state_bytes_max;
        is_below || self.limits.keys_max < usual.keys_max
    }

    /// Whether agents let only a few bytes wait for their hub.
    pub(crate) fn has_small_outboxes(&self) -> bool {
        self.limits.outbox_bytes_max < Limits::default().outbox_bytes_max
    }

    /// Whether clocks may be days apart.
    pub(crate) fn is_far(&self) -> bool {
        self.skew_ms.iter().any(|ahead_ms| *ahead_ms > DAY_MS)
    }
}
