//! The time of a replay: the number of the commit. So of two concurrent writes the later commit's wins,
//! every run decides alike, and a stamp tells which commit it is of.

use std::sync::atomic::{AtomicU64, Ordering};

use swarm_sync::{Clock, Now, Stamp, SystemClock};

/// Milliseconds from commit to commit: room for as many writes as any commit makes, of which a
/// millisecond holds 65,536.
const STEP_MS: u64 = 1_000;

/// Shared by the hub and every agent.
#[derive(Debug)]
pub(super) struct CommitClock {
    commit: AtomicU64,
    /// Time-outs take real time.
    real: SystemClock,
}

impl CommitClock {
    pub(super) fn new() -> Self {
        Self {
            commit: AtomicU64::new(0),
            real: SystemClock::new(),
        }
    }

    /// The next commit begins.
    pub(super) fn advance(&self) {
        self.commit.fetch_add(1, Ordering::Relaxed);
    }
}

impl Clock for CommitClock {
    fn now(&self) -> Now {
        Now {
            wall_ms: self.commit.load(Ordering::Relaxed) * STEP_MS,
            ..self.real.now()
        }
    }
}

/// The commit in which a write was made, counted from 1.
pub(super) fn commit_of(stamp: Stamp) -> u64 {
    stamp.millis() / STEP_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_its_commit() {
        let clock = CommitClock::new();
        for commit in 1..=3 {
            clock.advance();
            let stamp = Stamp::at_millis(clock.now().wall_ms);
            assert_eq!(commit_of(stamp), commit);
            assert_eq!(commit_of(stamp.next()), commit);
        }
    }
}
