//! How fast something goes, from two answers of the hub and the time between them.

use std::time::Instant;

use swarm_sync::HubStatus;

/// An answer and when it came.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) status: HubStatus,
}

/// Per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub(super) revisions: f64,
    pub(super) rounds: f64,
    pub(super) conflicts: f64,
    pub(super) sent: f64,
    pub(super) received: f64,
}

/// None if they are not of one run of the hub, as it counts from 0 in each, or if no time has passed.
pub(super) fn between(before: &Sample, after: &Sample) -> Option<Rates> {
    let seconds = after.at.checked_duration_since(before.at)?.as_secs_f64();
    if before.status.epoch != after.status.epoch || seconds <= 0.0 {
        return None;
    }
    let per_second = |of: fn(&HubStatus) -> u64| {
        let more = of(&after.status).saturating_sub(of(&before.status));
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate is shown with three digits"
        )]
        let more = more as f64;
        more / seconds
    };
    Some(Rates {
        revisions: per_second(|status| status.revision.get()),
        rounds: per_second(|status| status.activity.rounds.run),
        conflicts: per_second(|status| status.activity.conflicts_in_all()),
        sent: per_second(|status| status.traffic.sent),
        received: per_second(|status| status.traffic.received),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::examples::{hub, revision};
    use super::*;

    #[test]
    fn rates_are_differences_over_the_time_between() {
        let start = Instant::now();
        let before = Sample {
            at: start,
            status: hub(10, 0),
        };
        let mut after = before.clone();
        after.at = start + Duration::from_millis(500);
        after.status.revision = revision(20);
        after.status.traffic.sent += 1_024;
        let rates = between(&before, &after).unwrap();
        assert!((rates.revisions - 20.0).abs() < 1e-9, "{rates:?}");
        assert!((rates.sent - 2_048.0).abs() < 1e-9, "{rates:?}");
        assert!(rates.received.abs() < 1e-9, "{rates:?}");
    }

    #[test]
    fn there_are_none_across_a_restart_of_the_hub_or_without_time() {
        let start = Instant::now();
        let before = Sample {
            at: start,
            status: hub(10, 0),
        };
        let mut after = before.clone();
        assert_eq!(between(&before, &after), None);
        after.at = start + Duration::from_secs(1);
        assert!(between(&before, &after).is_some());
        assert_eq!(between(&after, &before), None);
        after.status.epoch = swarm_sync::Epoch::from_random(2);
        assert_eq!(between(&before, &after), None);
    }
}
