//! How long a hub that may have lost whom it granted what grants nothing.

use std::time::Duration;

use sync_core::{AuthorityAsk, RequestError};
use sync_protocol::Command;

use crate::claims::{claim, renew};
use crate::disk::Disk;
use crate::stage::{AgentSide, HubSide, key, talk, trio};

const LEASE: u64 = 10_000;

fn pass(hub: &mut HubSide, agents: &mut [&mut AgentSide], millis: u64) {
    hub.pass(Duration::from_millis(millis));
    for agent in agents.iter_mut() {
        agent.pass(Duration::from_millis(millis));
    }
    talk(hub, agents);
}

fn back(hub: &mut HubSide, agents: &mut [&mut AgentSide], session: u64) {
    hub.restart();
    for (n, agent) in (0..).zip(agents.iter_mut()) {
        agent.reconnect(hub, session + n);
    }
    talk(hub, agents);
}

fn paused_ms(hub: &mut HubSide, agents: &mut [&mut AgentSide]) -> u64 {
    match claim(hub, agents, 1) {
        Err(RequestError::ClaimsPaused { remaining_ms }) => remaining_ms,
        other => panic!("{other:?}"),
    }
}

/// The disk is one from after the pause, and before the lease that it has lost.
#[test]
fn what_was_granted_before_protects_the_first_lease_of_a_run() {
    let (mut hub, mut a, mut b) = trio();
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
    back(&mut hub, &mut [&mut a, &mut b], 11);
    pass(&mut hub, &mut [&mut a, &mut b], LEASE);
    let copy = hub.disk.image();
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
    a.cut(&mut hub);
    b.cut(&mut hub);
    hub.disk.restore(copy);
    hub.restart();
    let mut stranger = AgentSide::new("c");
    stranger.connect(&mut hub, 33);
    talk(&mut hub, &mut [&mut stranger]);
    assert_eq!(paused_ms(&mut hub, &mut [&mut stranger]), LEASE);
}

#[test]
fn a_lease_that_was_long_ago_is_not_waited_for() {
    let (mut hub, mut a, mut b) = trio();
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
    pass(&mut hub, &mut [&mut a, &mut b], LEASE);
    back(&mut hub, &mut [&mut a, &mut b], 11);
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
}

#[test]
fn starting_again_in_a_pause_makes_it_no_longer_than_the_lease() {
    let (mut hub, mut a, mut b) = trio();
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
    for session in [11, 21, 31] {
        back(&mut hub, &mut [&mut b, &mut a], session);
        pass(&mut hub, &mut [&mut a, &mut b], LEASE / 2);
    }
    pass(&mut hub, &mut [&mut a, &mut b], LEASE / 2);
    claim(&mut hub, &mut [&mut a, &mut b], 1).unwrap();
}

/// Nothing is left of the disk; who comes has seen a claim of the run that was lost.
#[test]
fn an_agent_that_brings_a_claim_of_a_lost_run_pauses_them_all() {
    let (mut hub, mut a, mut b) = trio();
    claim(&mut hub, &mut [&mut a, &mut b], LEASE).unwrap();
    let empty = Disk::default().image();
    hub.disk.restore(empty);
    back(&mut hub, &mut [&mut b, &mut a], 11);
    let other = key("other");
    let ask = AuthorityAsk::Claim {
        key: other,
        lease_ms: 1,
    };
    let command = Command::Decide {
        ask,
        timeout: Duration::from_secs(1),
    };
    let request = b.command(command);
    talk(&mut hub, &mut [&mut b, &mut a]);
    let paused = b.answer(request).expect("it is answered").unwrap_err();
    assert_eq!(paused.kind(), "claims-paused");
    pass(&mut hub, &mut [&mut a, &mut b], LEASE);
    claim(&mut hub, &mut [&mut b, &mut a], 1).unwrap();
}

/// What only a renewal knows goes to the disk with its answer; a hub that has such a row to store is none
/// that nobody would miss.
#[test]
fn a_lease_that_is_only_renewed_is_remembered_at_once() {
    let (mut hub, mut a, mut b) = trio();
    let all = &mut [&mut a, &mut b];
    let token = claim(&mut hub, all, LEASE).unwrap().token;
    pass(&mut hub, all, LEASE / 2);
    renew(&mut hub, all, token, LEASE - 4_000).unwrap();
    // The longest is over, and what is remembered is the shorter one that came after it.
    pass(&mut hub, all, LEASE / 2 + 500);
    let lease = renew(&mut hub, all, token, LEASE - 1_000).unwrap();
    assert_eq!(lease.lease_ms, LEASE - 1_000);
    a.cut(&mut hub);
    b.cut(&mut hub);
    assert!(!hub.hub.is_blank(), "it holds a claim");
    let row = |hub: &HubSide| {
        let rows = hub.disk.rows().filter(|row| row.key.first() == Some(&b'l'));
        rows.map(|row| row.value).collect::<Vec<_>>()
    };
    let stored = row(&hub);
    hub.pass(Duration::from_millis(1));
    hub.settle();
    assert_eq!(row(&hub), stored, "stored with the renewal");
    let longest = sync_core::codec::from_bytes("lease row", &stored[0]);
    assert_eq!(longest, Ok(LEASE - 1_000));
}
