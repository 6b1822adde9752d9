//! Frames that overtake what waits in line: by class, and in order within one.

use std::collections::{BTreeMap, VecDeque};

use sync_core::Priority;
use sync_core::transport::Frame;

/// Frames that may be ahead at a time. They are few and small by their nature; a flood of them would
/// make a line of its own.
const FRAMES_MAX: usize = 64;

/// Bytes of them: what those in line then wait for more than without them.
const BYTES_MAX: usize = 256 << 10;

/// A few frames. One that finds no room is dropped, or those are that are less urgent than it: what they
/// say is said again in line.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The most urgent first; no class is empty, and there are as many as priorities at most.
    classes: BTreeMap<Priority, VecDeque<Frame>>,
    frames: usize,
    bytes: usize,
}

impl Ahead {
    /// Adds one behind those of its class. Each frame is added and taken out once: O(1) on average.
    pub(super) fn push(&mut self, priority: Priority, frame: Frame) {
        if frame.len() > BYTES_MAX {
            return;
        }
        while self.frames == FRAMES_MAX || self.bytes + frame.len() > BYTES_MAX {
            if !self.drop_last_after(priority) {
                return;
            }
        }
        self.frames += 1;
        self.bytes += frame.len();
        let class = self.classes.entry(priority).or_default();
        class.push_back(frame);
    }

    /// All of them, the most urgent first.
    pub(super) fn take(&mut self) -> Vec<Frame> {
        let Self { classes, .. } = std::mem::take(self);
        classes.into_values().flatten().collect()
    }

    /// Drops the last of the least urgent frames; false if none is less urgent than `priority`.
    fn drop_last_after(&mut self, priority: Priority) -> bool {
        let last = self.classes.last_entry();
        let Some(mut class) = last.filter(|class| *class.key() > priority) else {
            return false;
        };
        if let Some(frame) = class.get_mut().pop_back() {
            self.frames -= 1;
            self.bytes -= frame.len();
        }
        if class.get().is_empty() {
            class.remove();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frame(byte: u8, length: usize) -> Frame {
        Frame::single(Bytes::from(vec![byte; length]))
    }

    fn first_bytes(frames: &[Frame]) -> Vec<u8> {
        frames.iter().map(|frame| frame.pieces[0][0]).collect()
    }

    #[test]
    fn there_is_room_for_a_few() {
        let mut ahead = Ahead::default();
        (0..2 * FRAMES_MAX).for_each(|_| ahead.push(Priority::High, frame(0, 1)));
        assert_eq!(ahead.take().len(), FRAMES_MAX);
        ahead.push(Priority::High, frame(0, BYTES_MAX));
        ahead.push(Priority::High, frame(0, 1));
        assert_eq!(ahead.take().len(), 1);
        assert!(ahead.take().is_empty());
        ahead.push(Priority::High, frame(0, BYTES_MAX));
        assert_eq!(ahead.take().len(), 1, "what was taken takes no room");
    }

    #[test]
    fn what_is_critical_overtakes_what_is_high_and_nothing_of_its_class() {
        let mut ahead = Ahead::default();
        for (priority, byte) in [
            (Priority::High, 1),
            (Priority::Critical, 2),
            (Priority::High, 3),
            (Priority::Critical, 4),
        ] {
            ahead.push(priority, frame(byte, 1));
        }
        assert_eq!(first_bytes(&ahead.take()), [2, 4, 1, 3]);
    }

    #[test]
    fn where_room_runs_out_the_less_urgent_go_the_last_first() {
        let mut ahead = Ahead::default();
        let many = u8::try_from(FRAMES_MAX).unwrap();
        (0..many).for_each(|byte| ahead.push(Priority::High, frame(byte, 1)));
        ahead.push(Priority::Critical, frame(100, 1));
        ahead.push(Priority::High, frame(101, 1));
        let expected: Vec<u8> = [100].into_iter().chain(0..many - 1).collect();
        assert_eq!(first_bytes(&ahead.take()), expected);
        // The same for bytes; what could never fit moves nothing.
        for byte in 0..4 {
            ahead.push(Priority::High, frame(byte, BYTES_MAX / 4));
        }
        ahead.push(Priority::Critical, frame(100, BYTES_MAX / 2));
        ahead.push(Priority::Critical, frame(101, BYTES_MAX + 1));
        assert_eq!(first_bytes(&ahead.take()), [100, 0, 1]);
    }
}
