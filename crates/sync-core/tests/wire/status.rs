//! What a hub says of itself.

use sync_core::transport::Compression;
use sync_core::{
    About, Activity, AlgorithmStatistics, DeltaCounts, HubStatus, MemberStatus, MergeRule,
    PeriodicStatus, Revision, RoundCounts, RuleConflicts, SameCounts, SwarmId, Traffic,
};

use super::agent;
use super::bodies::{EPOCH, digest};

pub(super) fn status() -> HubStatus {
    let member = MemberStatus {
        agent: agent("a"),
        connected: true,
        acked: Some(Revision::new(1)),
        lag: Some(300),
        receipts: 2,
        receipts_dropped: 300,
    };
    HubStatus {
        swarm: SwarmId::new("swarm").unwrap(),
        epoch: EPOCH,
        revision: Revision::new(1),
        digest: digest(),
        keys: 9,
        members: vec![member],
        id_alarms: 1,
        periodic: vec![periodic()],
        consensus: vec![statistics()],
        traffic: Traffic {
            sent: 1 << 40,
            received: 2,
            compression: Compression {
                sent_plain: 3,
                sent_packed: 4,
                received_plain: 5,
                received_packed: 6,
                cpu_us: 7,
            },
        },
        activity: activity(),
        store_bytes: Some(1 << 33),
        state_bytes: 1 << 32,
        free_bytes: Some(1 << 34),
        takes_writes: true,
    }
}

fn activity() -> Activity {
    let conflicts = |rule, writes| RuleConflicts { rule, writes };
    Activity {
        commits: 1,
        rounds: RoundCounts {
            run: 6,
            complete: 1,
            incomplete: 2,
            failed: 3,
            elapsed_ms: 400,
        },
        conflicts: vec![
            conflicts(MergeRule::Lww, 2),
            conflicts(MergeRule::Custom, 300),
        ],
        refused: 5,
        delta: DeltaCounts {
            sent: 6,
            sent_bytes: 7,
            whole_bytes: 1 << 20,
        },
        same: SameCounts {
            answers: 8,
            saved_bytes: 900,
        },
    }
}

pub(super) fn about() -> About {
    About {
        program: "0.1.0".to_owned(),
        protocol_min: 1,
        protocol_max: 2,
        wall_ms: 1_700_000_000_000,
        drift_ms_max: 60_000,
    }
}

fn periodic() -> PeriodicStatus {
    PeriodicStatus {
        name: "all".to_owned(),
        covers: "*".to_owned(),
        interval_ms: 60_000,
        jitter_ms: 1,
        next_in_ms: 2,
        running: true,
        runs: 3,
        changed: 4,
        failed: 5,
        missed: 6,
        last_failure: Some("because".to_owned()),
        last_missing: vec![agent("agent-2")],
        last_missing_count: 17,
    }
}

fn statistics() -> AlgorithmStatistics {
    AlgorithmStatistics {
        algorithm: "quorum".to_owned(),
        open: 1,
        approved: 2,
        rejected: 3,
        timeouts: 4,
        votes: 5,
        participants: 6,
        mean_duration_ms: Some(7),
    }
}
