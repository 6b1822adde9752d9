//! Hybrid logical time: wall-clock milliseconds that never repeat and never go back.
//!
//! Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed
//! Databases" (2014). The high-water mark is persisted by the machines, so that a restart with a
//! clock set back still issues greater stamps.

mod utc;

use std::fmt;
use std::time::Duration;

use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};

use crate::planted::{self, Planted};

const COUNTER_BITS: u32 = 16;

/// 48 bits of milliseconds since 1970 and a 16-bit counter, ordered as one number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Stamp(u64);

impl Stamp {
    /// The first stamp of a millisecond.
    pub const fn at_millis(millis: u64) -> Self {
        Self(millis << COUNTER_BITS)
    }

    /// From the raw number, as stored.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The raw number.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The wall-clock part, in milliseconds since 1970.
    pub const fn millis(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    /// The counter part.
    pub const fn counter(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// The next stamp; a full counter carries into the milliseconds.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// `MILLIS.COUNTER`.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.millis(), self.counter())
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A moment, as the driver tells it: machines read no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// Time since some start, never going back. Deadlines and ages are measured in it.
    pub mono: Duration,
    /// Milliseconds since 1970 as the system claims; may jump. Stamps are made from it.
    pub wall_ms: u64,
}

/// Tells the time. The only clock a driver reads.
pub trait Clock: Send + Sync + fmt::Debug {
    /// This moment. `mono` never goes back between two calls.
    fn now(&self) -> Now;
}

/// Issues stamps.
#[derive(Debug, Clone)]
pub struct HybridClock {
    last: Stamp,
    drift_ms_max: u64,
    /// Whether `last` may be of a clock that was set wrong.
    distrusted: bool,
}

impl HybridClock {
    /// Starts above `high_water`, the greatest stamp persisted so far. Stamps more than
    /// `drift_max` ahead of the wall clock are not believed.
    pub fn new(high_water: Stamp, drift_max: Duration) -> Self {
        let drift_ms_max = u64::try_from(drift_max.as_millis()).unwrap_or(u64::MAX);
        Self {
            last: high_water,
            drift_ms_max,
            distrusted: false,
        }
    }

    /// A stamp greater than every one issued or observed and than `floor`.
    pub fn tick(&mut self, now: Now, floor: Option<Stamp>) -> Stamp {
        self.forget_future(now);
        let past = floor.map_or(self.last, |f| f.max(self.last));
        self.last = Stamp::at_millis(now.wall_ms).max(past.next());
        self.last
    }

    /// Learns of another clock's stamp. One from too far in the future is not adopted: the data it
    /// belongs to is joined all the same, else replicas would diverge.
    pub fn observe(&mut self, stamp: Stamp, now: Now) {
        if self.believes(stamp, now) {
            self.last = self.last.max(stamp);
        }
    }

    /// Whether `stamp` is at most `drift_max` ahead of everything this clock knows.
    pub fn believes(&self, stamp: Stamp, now: Now) -> bool {
        if planted::is(Planted::FutureStampTaken) {
            return true;
        }
        let known = now.wall_ms.max(self.last.millis());
        stamp.millis() <= known.saturating_add(self.drift_ms_max)
    }

    /// The stamps issued were refused as too far in the future. Once the wall clock has been put right
    /// it is followed again, instead of waiting for it to reach that future.
    pub fn distrust(&mut self) {
        self.distrusted = true;
    }

    /// Gives up a high-water mark that nobody believes, so that it is not persisted again either.
    pub fn forget_future(&mut self, now: Now) {
        let limit = now.wall_ms.saturating_add(self.drift_ms_max);
        if self.distrusted && self.last.millis() > limit {
            self.last = Stamp::default();
            self.distrusted = false;
        }
    }

    /// The greatest stamp issued or adopted; persist it with whatever carries it.
    pub fn high_water(&self) -> Stamp {
        self.last
    }

    /// The drift that is tolerated.
    pub fn drift_max(&self) -> Duration {
        Duration::from_millis(self.drift_ms_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_ms: u64) -> Now {
        Now {
            mono: Duration::ZERO,
            wall_ms,
        }
    }

    #[test]
    fn stamps_rise_when_the_clock_stands_or_goes_back() {
        let mut clock = HybridClock::new(Stamp::default(), Duration::from_secs(1));
        let mut last = Stamp::default();
        for wall in [10, 10, 10, 5, 0, 11, 11] {
            let stamp = clock.tick(at(wall), None);
            assert!(stamp > last);
            last = stamp;
        }
        assert_eq!(last.millis(), 11);
    }

    #[test]
    fn a_full_counter_carries() {
        let full = Stamp::from_bits((7 << 16) | 0xffff);
        assert_eq!((full.next().millis(), full.next().counter()), (8, 0));
    }

    /// Bad input, row 12.
    #[test]
    fn the_far_future_is_not_adopted() {
        let mut clock = HybridClock::new(Stamp::default(), Duration::from_millis(500));
        clock.observe(Stamp::at_millis(1_500), at(1_000));
        assert_eq!(clock.high_water().millis(), 1_500);
        clock.observe(Stamp::at_millis(9_999), at(1_000));
        assert_eq!(clock.high_water().millis(), 1_500);
        assert!(!clock.believes(Stamp::at_millis(2_001), at(1_000)));
    }

    /// Bad input, row 12.
    #[test]
    fn a_future_that_was_refused_is_given_up() {
        let mut clock = HybridClock::new(Stamp::at_millis(9_000), Duration::from_millis(500));
        clock.distrust();
        assert_eq!(clock.tick(at(8_700), None).millis(), 9_000);
        assert_eq!(clock.tick(at(1_000), None).millis(), 1_000);
    }

    #[test]
    fn a_write_exceeds_what_it_replaces() {
        let mut clock = HybridClock::new(Stamp::default(), Duration::from_millis(500));
        let floor = Stamp::at_millis(50_000);
        assert!(clock.tick(at(1), Some(floor)) > floor);
    }
}
