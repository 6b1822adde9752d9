//! Times as messages and reports carry them.

use std::time::Duration;

/// Whole milliseconds, as many as the number can hold.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
