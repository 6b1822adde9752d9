//! A commit goes to many peers: what was compressed for one serves the others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sync_core::transport::Frame;
use tokio::sync::OnceCell;

use super::pack;
use crate::lock;
use crate::meter::Meter;

/// Messages remembered: a few commits that peers are at. To find out that one is new costs as many
/// comparisons, most of which end within their first bytes.
const FRAMES_MAX: usize = 16;

/// Their bytes, before compression, which are thereby kept for longer than they would be. A larger
/// message is compressed for each peer.
const BYTES_MAX: usize = 4 << 20;

/// The messages that were compressed last, shared by all connections of a hub.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<VecDeque<Arc<Entry>>>);

#[derive(Debug)]
struct Entry {
    frame: Frame,
    /// Whoever comes second waits for the first.
    packed: OnceCell<Option<Bytes>>,
}

impl Recent {
    /// `frame` compressed, whether or not that pays.
    pub(super) async fn pack(&self, frame: &Frame, meter: &Meter) -> Option<Bytes> {
        if frame.len() > BYTES_MAX {
            return pack(frame, meter).await;
        }
        let entry = self.entry(frame);
        let packed = entry.packed.get_or_init(|| pack(frame, meter));
        packed.await.clone()
    }

    fn entry(&self, frame: &Frame) -> Arc<Entry> {
        let mut entries = lock(&self.0);
        if let Some(known) = entries.iter().rev().find(|entry| entry.frame == *frame) {
            return Arc::clone(known);
        }
        let entry = Arc::new(Entry {
            frame: frame.clone(),
            packed: OnceCell::new(),
        });
        entries.push_back(Arc::clone(&entry));
        let bytes = |entries: &VecDeque<Arc<Entry>>| -> usize {
            entries.iter().map(|entry| entry.frame.len()).sum()
        };
        while entries.len() > FRAMES_MAX || bytes(&entries) > BYTES_MAX {
            entries.pop_front();
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(byte: u8, length: usize) -> Frame {
        Frame::single(vec![byte; length].into())
    }

    #[test]
    fn equal_messages_share_and_no_more_is_kept_than_said() {
        let recent = Recent::default();
        let first = recent.entry(&frame(0, 5_000));
        // In a buffer of its own.
        let halves = Frame::of(vec![vec![0; 5_000].into()]);
        assert!(Arc::ptr_eq(&first, &recent.entry(&halves)));
        assert!(!Arc::ptr_eq(&first, &recent.entry(&frame(1, 5_000))));
        for byte in 2..100 {
            recent.entry(&frame(byte, 5_000));
        }
        assert_eq!(lock(&recent.0).len(), FRAMES_MAX);
        recent.entry(&frame(0, BYTES_MAX - 1));
        assert_eq!(lock(&recent.0).len(), 1);
    }

    #[tokio::test]
    async fn what_is_larger_than_all_of_it_leaves_the_others_in_peace() {
        let recent = Recent::default();
        recent.entry(&frame(0, 5_000));
        recent
            .pack(&frame(0, BYTES_MAX + 1), &Meter::default())
            .await;
        assert_eq!(lock(&recent.0).len(), 1);
    }

    #[cfg(feature = "zstd")]
    #[tokio::test]
    async fn many_peers_cost_what_one_does() {
        let recent = Arc::new(Recent::default());
        let meter = Arc::new(Meter::default());
        // Large enough to be compressed beside the runtime.
        let large = frame(7, 1 << 20);
        let peers = (0..50).map(|_| {
            let (recent, meter, large) = (recent.clone(), meter.clone(), large.clone());
            tokio::spawn(async move { recent.pack(&large, &meter).await })
        });
        let peers: Vec<_> = peers.collect();
        let mut packed = Vec::new();
        for peer in peers {
            packed.push(peer.await.unwrap().unwrap());
        }
        // The same allocation, not merely the same bytes.
        assert!(packed.iter().all(|p| p.as_ptr() == packed[0].as_ptr()));
    }
}
