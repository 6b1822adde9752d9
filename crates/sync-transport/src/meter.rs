//! Counts bytes where they enter and leave the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sync_core::transport::{Compression, Traffic};

/// Counters that only rise. They order nothing, so relaxed access is enough.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    sent: AtomicU64,
    received: AtomicU64,
    sent_plain: AtomicU64,
    sent_packed: AtomicU64,
    received_plain: AtomicU64,
    received_packed: AtomicU64,
    /// Of most messages less than a microsecond.
    cpu_ns: AtomicU64,
    /// Connections that came to nothing because of what they showed or said.
    refused: AtomicU64,
}

impl Meter {
    pub(crate) fn add_sent(&self, bytes: usize) {
        add(&self.sent, bytes);
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        add(&self.received, bytes);
    }

    /// A message goes out as `packed` bytes instead of `plain`.
    pub(crate) fn add_packed(&self, plain: usize, packed: usize) {
        add(&self.sent_plain, plain);
        add(&self.sent_packed, packed);
    }

    /// A message came in as `packed` bytes and reads as `plain`.
    pub(crate) fn add_opened(&self, plain: usize, packed: usize) {
        add(&self.received_plain, plain);
        add(&self.received_packed, packed);
    }

    /// Compressing or reading took this long; it waits for nothing meanwhile.
    pub(crate) fn add_cpu(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.cpu_ns.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn add_refused(&self) {
        add(&self.refused, 1);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            sent: read(&self.sent),
            received: read(&self.received),
            compression: Compression {
                sent_plain: read(&self.sent_plain),
                sent_packed: read(&self.sent_packed),
                received_plain: read(&self.received_plain),
                received_packed: read(&self.received_packed),
                cpu_us: read(&self.cpu_ns) / 1_000,
            },
        }
    }
}

fn add(counter: &AtomicU64, bytes: usize) {
    counter.fetch_add(bytes as u64, Ordering::Relaxed);
}
