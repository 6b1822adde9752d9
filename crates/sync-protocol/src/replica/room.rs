//! Who is refused first as writes pile up that wait for the hub.

use sync_core::{Priority, RequestError};

/// Up to which share of the outbox a write is taken, in percent, by the priority of its key. What is
/// left beyond a share is room that nothing less urgent can take, so that an agent that is cut off for
/// long still takes what matters: a tenth of all the room for each class above the usual one, more below
/// it, as what matters little tends to be much. Nothing that waits is ever given up for what comes later:
/// it was acknowledged.
const SHARES: [(Priority, u8); Priority::ALL.len()] = [
    (Priority::Critical, 100),
    (Priority::High, 90),
    (Priority::Medium, 80),
    (Priority::Low, 65),
    (Priority::Background, 50),
];

/// Whether a write of `priority` is taken while `bytes` of them wait and `bytes_max` may.
pub(super) fn check(
    bytes: usize,
    bytes_max: usize,
    priority: Priority,
) -> Result<(), RequestError> {
    let percent = SHARES[priority as usize].1;
    let limit = share(bytes_max, percent);
    if bytes <= limit {
        return Ok(());
    }
    Err(RequestError::OutboxFull {
        bytes: bytes as u64,
        limit: limit as u64,
        priority,
        percent,
    })
}

/// In two steps, so that it fits whatever the bound is.
fn share(bytes: usize, percent: u8) -> usize {
    let percent = usize::from(percent);
    bytes / 100 * percent + bytes % 100 * percent / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_less_urgent_is_refused_earlier() {
        let taken = |bytes| Priority::ALL.map(|p| check(bytes, 1_000, p).is_ok());
        assert_eq!(taken(0), [true; 5]);
        assert_eq!(taken(500), [true; 5]);
        assert_eq!(taken(501), [true, true, true, true, false]);
        assert_eq!(taken(651), [true, true, true, false, false]);
        assert_eq!(taken(801), [true, true, false, false, false]);
        assert_eq!(taken(901), [true, false, false, false, false]);
        assert_eq!(taken(1_001), [false; 5]);
        assert_eq!(share(usize::MAX, 100), usize::MAX);
    }

    #[test]
    fn the_table_is_in_the_order_of_the_priorities() {
        assert_eq!(SHARES.map(|(priority, _)| priority), Priority::ALL);
    }

    #[test]
    fn the_sentence_says_priority_and_share() {
        let refused = check(600, 1_000, Priority::Background).unwrap_err();
        let sentence = refused.to_string();
        for part in ["background priority", "50 %", "600 bytes", "up to 500"] {
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}
