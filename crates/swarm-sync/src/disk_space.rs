//! Asks a store now and then how much room its disk has, for the machines, which decide what follows.

use std::sync::Arc;
use std::time::Duration;

use sync_core::Store;

/// How often. A call to the system, on the way of the messages; and no disk of today fills what is kept free
/// of it in a second by what a node takes.
const EVERY: Duration = Duration::from_secs(1);

/// What a store last said, and when it is asked again.
#[derive(Debug)]
pub(crate) struct DiskSpace {
    store: Arc<dyn Store>,
    due: Duration,
    free: Option<u64>,
    /// Whether it was said that writes are refused.
    was_short: bool,
}

impl DiskSpace {
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            due: Duration::ZERO,
            free: None,
            was_short: false,
        }
    }

    /// Asks if it is time to; whether it did.
    pub(crate) fn look(&mut self, now: Duration) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now + EVERY;
            self.free = self.store.bytes_free();
        }
        is_due
    }

    /// What was free then.
    pub(crate) fn free(&self) -> Option<u64> {
        self.free
    }

    /// Says once that writes are refused from now on, and once that they are not.
    pub(crate) fn say(&mut self, node: &str, is_short: bool) {
        if std::mem::replace(&mut self.was_short, is_short) == is_short {
            return;
        }
        let free = self.free.unwrap_or_default();
        if is_short {
            tracing::warn!(
                free,
                "the disk is nearly full: this {node} takes no new writes until there is room; reads and deletes go on"
            );
        } else {
            tracing::info!(
                free,
                "the disk has room again: this {node} takes new writes"
            );
        }
    }
}
