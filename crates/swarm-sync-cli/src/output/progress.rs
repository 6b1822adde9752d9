//! Whether what is printed gets read: a line under way for long is one that nobody takes.

use std::sync::atomic::{AtomicU64, Ordering};

/// Lines begun, and lines written. Only the main thread prints so, and another one looks.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Does `write`, which prints a line.
pub(super) fn written<T>(write: impl FnOnce() -> T) -> T {
    BEGUN.fetch_add(1, Ordering::Relaxed);
    let result = write();
    WRITTEN.fetch_add(1, Ordering::Relaxed);
    result
}

/// The number of the line that is being written; none if none is.
#[cfg(unix)]
pub(crate) fn under_way() -> Option<u64> {
    let written = WRITTEN.load(Ordering::Relaxed);
    let begun = BEGUN.load(Ordering::Relaxed);
    (begun != written).then_some(begun)
}
