//! When a plan is due: at the multiples of its interval, each a little late. Pure arithmetic.

use std::time::Duration;

use sync_core::{Epoch, SwarmId};

use crate::schedule::PeriodicPlan;

/// The times of one plan. Ticks count the multiples of its interval, from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    interval: Duration,
    jitter: Duration,
    seed: u64,
}

impl Grid {
    /// Which run of the hub it is, which swarm and which plan decides how late each tick is: so they
    /// differ from each other, and one that is told again is the same.
    pub(super) fn of(plan: &PeriodicPlan, swarm: &SwarmId, epoch: Epoch) -> Self {
        let names = [swarm.as_str(), plan.name.as_str()];
        let seed = names.iter().fold(epoch.bits(), |seed, name| {
            let bytes = name.bytes();
            mixed(bytes.fold(seed, |seed, byte| mixed(seed ^ u64::from(byte))))
        });
        Self {
            interval: plan.interval,
            jitter: plan.jitter,
            seed,
        }
    }

    /// When a tick is due, in the time of [`sync_core::Now::mono`].
    pub(super) fn due(&self, tick: u64) -> Duration {
        nanos(self.interval.as_nanos().saturating_mul(tick.into())) + self.late(tick)
    }

    /// The first tick that is due after `now`. Jitter is shorter than the interval, so that it is this
    /// multiple of it or the next one.
    pub(super) fn after(&self, now: Duration) -> u64 {
        let passed = now.as_nanos() / self.interval.as_nanos().max(1);
        let passed = u64::try_from(passed).unwrap_or(u64::MAX).max(1);
        if self.due(passed) > now {
            passed
        } else {
            passed.saturating_add(1)
        }
    }

    fn late(&self, tick: u64) -> Duration {
        let choices = self.jitter.as_nanos() + 1;
        nanos(u128::from(mixed(self.seed ^ tick)) % choices)
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The finish of `SplitMix64`: close numbers become unlike ones.
fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use sync_core::Priority;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn grid(swarm: &str, jitter: Duration) -> Grid {
        let plan = PeriodicPlan::of_priority(Priority::Low, SECOND).with_jitter(jitter);
        let swarm = SwarmId::new(swarm).unwrap();
        Grid::of(&plan, &swarm, Epoch::from_random(1))
    }

    #[test]
    fn ticks_are_multiples_of_the_interval() {
        let grid = grid("a", Duration::ZERO);
        assert_eq!(grid.due(7), 7 * SECOND);
        let cases = [(0, 1), (999, 1), (1_000, 2), (1_001, 2), (59_999, 60)];
        for (now, tick) in cases {
            assert_eq!(grid.after(Duration::from_millis(now)), tick, "{now}");
        }
    }

    #[test]
    fn jitter_makes_late_but_never_later_than_the_next() {
        let jitter = Duration::from_millis(999);
        let late = |swarm: &str| {
            let grid = grid(swarm, jitter);
            let late = |tick| grid.due(tick).saturating_sub(Duration::from_secs(tick));
            (1..1_000).map(late).collect::<Vec<_>>()
        };
        let (some, same, others) = (late("a"), late("a"), late("b"));
        assert_eq!(some, same);
        assert_ne!(some, others);
        assert!(some.iter().all(|late| *late <= jitter));
        assert!(some.iter().any(|late| *late > jitter / 2));
    }

    #[test]
    fn the_first_tick_after_a_moment_is_after_it_and_no_later_one_is_skipped() {
        let grid = grid("a", Duration::from_millis(700));
        for ms in 0..20_000 {
            let now = Duration::from_millis(ms);
            let tick = grid.after(now);
            assert!(grid.due(tick) > now);
            assert!(tick == 1 || grid.due(tick - 1) <= now);
        }
    }

    #[test]
    fn nothing_overflows_at_the_end_of_time() {
        let grid = grid("a", Duration::ZERO);
        assert!(grid.after(Duration::MAX) > 0);
        assert!(grid.due(u64::MAX) > SECOND);
    }
}
