//! Whether the clock is right: by itself, and against the hub's.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use swarm_sync::{About, span};

use super::report::Check;
use crate::exit::Code;

/// The first of January 2026, in seconds since 1970: this program is younger, so that no clock that is
/// right says less. One that lost its battery begins in 1970, or when its board was made.
const NOT_BEFORE_SECS: u64 = 1_767_225_600;

/// How far wall clock and running clock may part while this looks. More is a clock that was set.
const STEP_MAX: Duration = Duration::from_millis(500);

/// Clocks that are kept in step differ by less; of concurrent writes that of the clock ahead wins.
const OFFSET_WARN: Duration = Duration::from_secs(1);

/// Both clocks of this machine at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    wall: SystemTime,
    running: Instant,
}

impl Reading {
    pub(super) fn now() -> Self {
        Self {
            wall: SystemTime::now(),
            running: Instant::now(),
        }
    }
}

/// What can be told without anybody else's.
pub(super) fn own(began: Reading, ended: Reading) -> Check {
    let running = ended.running.saturating_duration_since(began.running);
    let wall = apart(ended.wall, began.wall);
    let steps = match wall {
        Ahead::By(wall) => wall.abs_diff(running),
        Ahead::Behind(back) => back + running,
    };
    let since = ended.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    if since < Duration::from_secs(NOT_BEFORE_SECS) {
        let message = format!(
            "it says that it is {} days after the first of January 1970, before this program was made; \
             set it, and keep it in step with a time service (NTP)",
            since.as_secs() / (24 * 60 * 60)
        );
        return Check::fail("clock", Code::Failed, message);
    }
    if steps > STEP_MAX {
        let message = format!(
            "it was set by {} while this looked; if that happens again, let a time service (NTP) keep it, \
             which turns it slowly",
            text(steps)
        );
        return Check::warn("clock", message);
    }
    Check::ok("clock", "it runs evenly, and no earlier than it can be")
}

/// How this machine's clock stands to the hub's, which answered `took` after `before`.
pub(super) fn against(before: SystemTime, took: Duration, hub: &About) -> Check {
    let what = "hub's clock";
    // It was read at some moment of that time: the middle is off by half of it at most.
    let here = before + took / 2;
    let there = UNIX_EPOCH + Duration::from_millis(hub.wall_ms);
    let drift = Duration::from_millis(hub.drift_ms_max);
    let doubt = took / 2;
    let advice = "set both by a time service (NTP)";
    let (apart, how) = match apart(here, there) {
        Ahead::By(apart) => (apart, "ahead of"),
        Ahead::Behind(apart) => (apart, "behind"),
    };
    let message = format!(
        "the clock here is {} {how} it, give or take {}",
        text(apart),
        text(doubt)
    );
    let sure = apart.saturating_sub(doubt);
    if sure > drift {
        let most = span::text(drift);
        let message =
            format!("{message}: writes from further ahead than {most} are refused; {advice}");
        return Check::fail(what, Code::Failed, message);
    }
    if sure > OFFSET_WARN {
        let message = format!(
            "{message}: of two writes made at the same time that of the clock ahead wins; {advice}"
        );
        return Check::warn(what, message);
    }
    Check::ok(what, message)
}

/// How one moment stands to another.
enum Ahead {
    By(Duration),
    Behind(Duration),
}

fn apart(one: SystemTime, other: SystemTime) -> Ahead {
    match one.duration_since(other) {
        Ok(ahead) => Ahead::By(ahead),
        Err(error) => Ahead::Behind(error.duration()),
    }
}

/// Whole milliseconds below ten seconds, then whole seconds.
fn text(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{} ms", time.as_millis()),
        secs => format!("{secs} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    const DAY: u64 = 24 * 60 * 60;

    #[test]
    fn the_hubs_clock_decides_with_the_doubt_in_ones_favour() {
        let here = UNIX_EPOCH + Duration::from_secs(NOT_BEFORE_SECS + DAY);
        for (offset_ms, took_ms, verdict, words) in [
            (0_i64, 0, Verdict::Ok, "0 ms ahead"),
            (900, 0, Verdict::Ok, "900 ms behind"),
            (-900, 0, Verdict::Ok, "900 ms ahead"),
            (1_001, 0, Verdict::Warn, "1001 ms behind"),
            (-59_000, 0, Verdict::Warn, "59 s ahead"),
            (-61_000, 0, Verdict::Fail, "refused"),
            (61_000, 0, Verdict::Fail, "61 s behind"),
            // Half of four seconds in doubt.
            (-61_000, 4_000, Verdict::Warn, "give or take 2000 ms"),
        ] {
            let took = Duration::from_millis(took_ms);
            let since = (here + took / 2).duration_since(UNIX_EPOCH).unwrap();
            let since = i64::try_from(since.as_millis()).unwrap();
            let hub = About {
                program: String::new(),
                protocol_min: 1,
                protocol_max: 1,
                wall_ms: u64::try_from(since + offset_ms).unwrap(),
                drift_ms_max: 60_000,
            };
            let check = against(here, took, &hub);
            assert_eq!(check.verdict, verdict, "{offset_ms}: {check:?}");
            assert!(check.message.contains(words), "{offset_ms}: {check:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_or_began_in_1970_is_found_out() {
        let running = Instant::now();
        let reading = |secs: u64, after_ms: u64| Reading {
            wall: UNIX_EPOCH + Duration::from_secs(secs),
            running: running + Duration::from_millis(after_ms),
        };
        let good = NOT_BEFORE_SECS + DAY;
        for (began, ended, verdict) in [
            (reading(good, 0), reading(good, 300), Verdict::Ok),
            (reading(good, 0), reading(good + 2, 2_000), Verdict::Ok),
            (reading(good, 0), reading(good + 2, 0), Verdict::Warn),
            (reading(good, 0), reading(good - 2, 0), Verdict::Warn),
            (reading(good, 0), reading(good, 3_000), Verdict::Warn),
            (reading(DAY, 0), reading(DAY, 0), Verdict::Fail),
        ] {
            let check = own(began, ended);
            assert_eq!(check.verdict, verdict, "{check:?}");
        }
    }
}
