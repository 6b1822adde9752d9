//! A small message of a commit goes to many peers: what the dictionary made of it for one serves the
//! others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use bytes::Bytes;
use sync_core::transport::Frame;

use super::{Dictionary, codec};
use crate::lock;

/// Messages remembered: the writers take turns, each with all that waits for its peer, so as many as a
/// burst of commits has.
const MESSAGES_MAX: usize = 64;

/// Their bytes, before and after compression, for a swarm.
const BYTES_MAX: usize = 128 << 10;

/// The small messages of a swarm that were made with its dictionary last. All of its connections that
/// have one have the same.
#[derive(Debug, Default)]
pub(super) struct Small(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    packed: BTreeMap<Bytes, Bytes>,
    /// The oldest first.
    order: VecDeque<Bytes>,
    bytes: usize,
}

impl Small {
    /// `frame` compressed, whether or not that pays. What has no segments was said to one peer and is
    /// not remembered.
    pub(super) fn pack(&self, frame: &Frame, dictionary: &Dictionary) -> Option<Bytes> {
        let plain = frame.to_bytes();
        if frame.pieces.len() == 1 {
            return codec::pack_with(&plain, dictionary);
        }
        // Held meanwhile, which takes microseconds: whoever comes second waits for the first.
        let mut held = lock(&self.0);
        if let Some(packed) = held.packed.get(&plain) {
            return Some(packed.clone());
        }
        let packed = codec::pack_with(&plain, dictionary)?;
        held.remember(plain, packed.clone());
        Some(packed)
    }
}

impl Held {
    fn remember(&mut self, plain: Bytes, packed: Bytes) {
        self.bytes += plain.len() + packed.len();
        self.order.push_back(plain.clone());
        self.packed.insert(plain, packed);
        while self.order.len() > MESSAGES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            let packed = self.packed.remove(&oldest).unwrap_or_default();
            self.bytes -= oldest.len() + packed.len();
        }
    }
}

#[cfg(test)]
#[cfg(feature = "zstd")]
mod tests {
    use super::*;

    fn text(number: usize) -> Bytes {
        format!("{{\"task\":\"task-{number}\",\"state\":\"open\",\"owner\":\"agent-7\"}}").into()
    }

    /// A header and a segment, each time in buffers of their own.
    fn update(number: usize) -> Frame {
        Frame::of(vec![Bytes::from_static(b"update"), text(number)])
    }

    fn trained() -> Dictionary {
        let samples: Vec<Bytes> = (0..400).map(text).collect();
        Dictionary::train(&samples).unwrap()
    }

    #[test]
    fn equal_messages_are_compressed_once() {
        let (small, dictionary) = (Small::default(), trained());
        let first = small.pack(&update(1_000), &dictionary).unwrap();
        let again = small.pack(&update(1_000), &dictionary).unwrap();
        assert_eq!(first.as_ptr(), again.as_ptr(), "not merely the same bytes");
        let plain = codec::read_with(&again, &dictionary, 4_096).unwrap();
        assert_eq!(plain, update(1_000).to_bytes());
        let other = small.pack(&update(1_001), &dictionary).unwrap();
        assert_ne!(first, other);
    }

    #[test]
    fn no_more_is_kept_than_said() {
        let (small, dictionary) = (Small::default(), trained());
        for number in 0..3 * MESSAGES_MAX {
            small.pack(&update(number), &dictionary).unwrap();
            small.pack(&Frame::single(text(number)), &dictionary);
        }
        assert_eq!(lock(&small.0).packed.len(), MESSAGES_MAX);
        let large = |byte: u8| Frame::of(vec![Bytes::new(), vec![byte; 4_000].into()]);
        for byte in 0..100 {
            small.pack(&large(byte), &dictionary).unwrap();
        }
        let held = lock(&small.0);
        let all = held
            .packed
            .iter()
            .map(|(plain, packed)| plain.len() + packed.len());
        assert_eq!(held.bytes, all.sum::<usize>());
        assert!(held.bytes <= BYTES_MAX && held.order.len() == held.packed.len());
        assert!(held.order.len() < MESSAGES_MAX);
    }
}
