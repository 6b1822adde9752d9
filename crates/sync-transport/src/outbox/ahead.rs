//! Frames that overtake what waits in line.

use sync_core::transport::Frame;

/// Frames that may be ahead at a time. They are few and small by their nature; a flood of them would
/// make a line of its own.
const FRAMES_MAX: usize = 64;

/// Bytes of them: what those in line then wait for more than without them.
const BYTES_MAX: usize = 256 << 10;

/// A few frames. One that finds no room is dropped: what it says is said again in line.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    frames: Vec<Frame>,
    bytes: usize,
}

impl Ahead {
    pub(super) fn push(&mut self, frame: Frame) {
        let bytes = self.bytes + frame.len();
        if self.frames.len() < FRAMES_MAX && bytes <= BYTES_MAX {
            self.bytes = bytes;
            self.frames.push(frame);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Frame> {
        self.bytes = 0;
        std::mem::take(&mut self.frames)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn there_is_room_for_a_few() {
        let mut ahead = Ahead::default();
        let frame = |length| Frame::single(Bytes::from(vec![0; length]));
        (0..2 * FRAMES_MAX).for_each(|_| ahead.push(frame(1)));
        assert_eq!(ahead.take().len(), FRAMES_MAX);
        ahead.push(frame(BYTES_MAX));
        ahead.push(frame(1));
        assert_eq!(ahead.take().len(), 1);
        assert!(ahead.take().is_empty());
    }
}
