//! How long to wait before connecting again. Pure: the caller sleeps.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Exponential back-off with full jitter: the n-th wait is drawn evenly from zero to
/// `min(max, min × 2ⁿ)`.
///
/// When a hub restarts, all its agents lose it in the same moment. Waits that only grow would bring
/// them back in the same moment too; drawing from the whole range spreads them evenly and, of the
/// variants compared in "Exponential Backoff And Jitter" (Marc Brooker, AWS Architecture Blog,
/// 2015), needs the fewest calls.
#[derive(Debug, Clone)]
pub struct Backoff {
    random: SmallRng,
    min: Duration,
    max: Duration,
    attempts: u32,
}

/// Longest first wait: short, as most lost connections can be had again at once.
pub const BACKOFF_MIN: Duration = Duration::from_millis(50);

/// Longest wait: what a person who restarted a hub is willing to watch.
pub const BACKOFF_MAX: Duration = Duration::from_secs(5);

impl Backoff {
    /// The default range. The same seed gives the same waits; give every agent its own.
    pub fn new(seed: u64) -> Self {
        Self::with_range(seed, BACKOFF_MIN, BACKOFF_MAX)
    }

    /// A range of its own: `min` bounds the first wait, `max` every wait. A `max` below `min` is
    /// taken as `min`.
    pub fn with_range(seed: u64, min: Duration, max: Duration) -> Self {
        Self {
            random: SmallRng::seed_from_u64(seed),
            min,
            max: max.max(min),
            attempts: 0,
        }
    }

    /// How long to wait before the next attempt.
    #[expect(
        clippy::should_implement_trait,
        reason = "not an iterator: it never ends, and callers reset it"
    )]
    pub fn next(&mut self) -> Duration {
        let factor = 2u32.checked_pow(self.attempts).unwrap_or(u32::MAX);
        self.attempts = self.attempts.saturating_add(1);
        let limit = self.min.saturating_mul(factor).min(self.max);
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.random.random_range(0..=nanos))
    }

    /// A connection has ended that was there for so long. After one that lasted the next wait is a first
    /// one again; a hub that lets us in and soon closes again, each time, is not asked again at once.
    pub fn ended_after(&mut self, lasted: Duration) {
        if lasted >= BACKOFF_MAX {
            self.attempts = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_within_their_growing_range() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            for attempt in 0..100 {
                let limit = BACKOFF_MIN
                    .saturating_mul(1 << attempt.min(20))
                    .min(BACKOFF_MAX);
                let wait = backoff.next();
                assert!(
                    wait <= limit,
                    "seed {seed}, attempt {attempt}: {wait:?} > {limit:?}"
                );
            }
            backoff.ended_after(BACKOFF_MAX);
            assert!(backoff.next() <= BACKOFF_MIN, "seed {seed}");
        }
    }

    #[test]
    fn the_seed_decides_and_seeds_differ() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..20).map(|_| backoff.next()).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn jitter_spreads_a_storm_over_the_whole_range() {
        let mut halves = [0; 2];
        for seed in 0..1000 {
            let mut backoff = Backoff::new(seed);
            for _ in 0..9 {
                backoff.next();
            }
            halves[usize::from(backoff.next() > BACKOFF_MAX / 2)] += 1;
        }
        assert!(halves.iter().all(|&n| n > 400), "{halves:?}");
    }

    #[test]
    fn odd_ranges_do_no_harm() {
        let mut still = Backoff::with_range(1, Duration::ZERO, Duration::ZERO);
        assert_eq!(still.next(), Duration::ZERO);
        let mut swapped = Backoff::with_range(1, Duration::from_secs(2), Duration::from_secs(1));
        let mut endless = Backoff::with_range(1, Duration::MAX, Duration::MAX);
        for _ in 0..100 {
            assert!(swapped.next() <= Duration::from_secs(2));
            endless.next();
        }
    }
}
