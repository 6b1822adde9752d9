//! What tests show: a hub that nobody runs.

use std::time::{Duration, Instant};

use swarm_sync::{
    Activity, AgentId, Digest, Epoch, HubStatus, MemberStatus, Revision, SwarmId, Traffic,
};

use super::board::Board;
use super::rates::Sample;

pub(super) fn revision(number: u64) -> Revision {
    Revision::new(number)
}

/// The revision of the hub on a board.
pub(super) const HEAD: u64 = 1_234;

/// An agent that lacks so many revisions up to [`HEAD`].
pub(super) fn member(name: &str, lag: Option<u64>) -> MemberStatus {
    MemberStatus {
        agent: AgentId::new(name).unwrap(),
        connected: lag.is_some(),
        acked: lag.map(|lag| revision(HEAD - lag)),
        lag,
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
        activity: Activity::default(),
        store_bytes: None,
        state_bytes: 0,
        free_bytes: None,
        takes_writes: true,
    }
}

/// A board about a hub with so many agents, all in step.
pub(super) fn board(agents: usize) -> Board {
    let mut status = hub(HEAD, 56);
    status.members = (0..agents)
        .map(|number| member(&format!("agent-{number}"), Some(0)))
        .collect();
    let at = Instant::now();
    let hub = "127.0.0.1:7420".to_owned();
    Board::new(hub, Duration::from_secs(1), Sample { at, status })
}
