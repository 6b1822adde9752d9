//! How well a cache works.

use serde::Serialize;

/// How well a cache works, since it was connected, and how much it holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheStats {
    /// Reads of what was held.
    pub hits: u64,
    /// Reads that had to wait for the hub, those that failed included.
    pub misses: u64,
    /// Questions that the misses came to: fewer than those, where several wanted the same key at once.
    pub asked: u64,
    /// What was held and ended before its time, because the hub told of a change or was another one.
    pub invalidations: u64,
    /// Keys held.
    pub entries: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// Whether changes are being told. If not, only its age ends what is held.
    pub watching: bool,
}

impl CacheStats {
    /// Hits among all reads, between 0 and 1; none before the first read.
    pub fn hit_rate(&self) -> Option<f64> {
        let reads = self.hits + self.misses;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate needs no more digits than a double has"
        )]
        (reads > 0).then(|| self.hits as f64 / reads as f64)
    }
}
