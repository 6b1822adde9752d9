//! What tests show: a hub that nobody runs.

use std::time::{Duration, Instant};

use swarm_sync::{AgentId, Digest, Epoch, HubStatus, MemberStatus, Revision, SwarmId, Traffic};

use super::board::Board;
use super::rates::Sample;

pub(super) fn revision(number: u64) -> Revision {
    Revision::new(number)
}

pub(super) fn member(name: &str, acked: Option<u64>) -> MemberStatus {
    MemberStatus {
        agent: AgentId::new(name).unwrap(),
        connected: acked.is_some(),
        acked: acked.map(revision),
        receipts: 0,
        receipts_dropped: 0,
    }
}

/// A hub at this revision with so many keys and no agents.
pub(super) fn hub(at: u64, keys: u64) -> HubStatus {
    HubStatus {
        swarm: SwarmId::new("team").unwrap(),
        epoch: Epoch::from_random(1),
        revision: revision(at),
        digest: Digest::default(),
        keys,
        members: Vec::new(),
        id_alarms: 0,
        periodic: Vec::new(),
        consensus: Vec::new(),
        traffic: Traffic::default(),
    }
}

/// A board about a hub with so many agents, all in step.
pub(super) fn board(agents: usize) -> Board {
    let mut status = hub(1_234, 56);
    status.members = (0..agents)
        .map(|number| member(&format!("agent-{number}"), Some(1_234)))
        .collect();
    let at = Instant::now();
    let hub = "127.0.0.1:7420".to_owned();
    Board::new(hub, Duration::from_secs(1), Sample { at, status })
}
