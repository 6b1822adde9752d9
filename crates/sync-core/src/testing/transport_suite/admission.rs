//! Who comes in.

use std::time::Duration;

use super::scene::{Scene, agent, member, read, read_to_end, soon, swarm};
use super::{Fixture, Setup};
use crate::id::{HUB_NAME, Incarnation};
use crate::transport::{
    CoordinatorEvent, Hello, PROTOCOL_MAX, PROTOCOL_MIN, Refusal, Role, TransportError,
};

/// Short, for holders of a name that will not answer anyway.
const PROBE_SHORT: Duration = Duration::from_millis(500);

/// The first event of a session is the hello, as it was said; the answer keeps to the setup.
pub async fn a_hello_is_announced_as_it_was_said(fixture: &dyn Fixture) {
    let setup = Setup::default();
    let mut scene = Scene::new(fixture, &setup).await;
    let mut hello = member("team", "agent-1");
    hello.incarnation = Incarnation::from_random(u64::MAX);
    // Newer peers offer more than this hub knows.
    hello.protocol_max = PROTOCOL_MAX + 3;
    let (_, connection) = scene.connect(&hello).await;
    assert_eq!(connection.welcome.protocol, PROTOCOL_MAX);
    assert_eq!(
        connection.welcome.frame_bytes_max as usize,
        setup.frame_bytes_max
    );
    let silence = Duration::from_millis(connection.welcome.silence_ms_max.into());
    assert_eq!(silence, setup.silence);
}

/// A hub that serves some swarms refuses the others and goes on serving.
pub async fn an_unknown_swarm_is_refused(fixture: &dyn Fixture) {
    let setup = Setup {
        swarms: Some([swarm("team")].into()),
        ..Setup::default()
    };
    let mut scene = Scene::new(fixture, &setup).await;
    let refusal = scene.refused(&member("other", "agent-1")).await;
    assert_eq!(
        refusal,
        Refusal::Swarm {
            swarm: swarm("other")
        }
    );
    scene.connect(&member("team", "agent-1")).await;
}

/// Without a common version there is no connection, and both sides' versions are named.
pub async fn a_protocol_mismatch_is_refused(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let future = Hello {
        protocol_min: PROTOCOL_MAX + 1,
        protocol_max: PROTOCOL_MAX + 2,
        ..member("team", "agent-1")
    };
    let expected = Refusal::Protocol {
        hub_min: PROTOCOL_MIN,
        hub_max: PROTOCOL_MAX,
        peer_min: PROTOCOL_MAX + 1,
        peer_max: PROTOCOL_MAX + 2,
    };
    assert_eq!(scene.refused(&future).await, expected);
    scene.connect(&member("team", "agent-1")).await;
}

/// Nobody connects under the name that the hub writes under, and nobody else notices.
pub async fn the_hubs_own_name_is_refused(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    for role in [Role::Member, Role::Client] {
        let hello = Hello {
            role,
            ..member("team", HUB_NAME)
        };
        let expected = Refusal::NameReserved {
            agent: agent(HUB_NAME),
        };
        assert_eq!(scene.refused(&hello).await, expected);
    }
    scene.connect(&member("team", "agent-1")).await;
}

/// A full hub says so, and has room again once somebody left.
pub async fn a_full_hub_refuses(fixture: &dyn Fixture) {
    let setup = Setup {
        connections_max: 2,
        ..Setup::default()
    };
    let mut scene = Scene::new(fixture, &setup).await;
    let (first, connection) = scene.connect(&member("team", "agent-1")).await;
    let _second = scene.connect(&member("team", "agent-2")).await;
    let third = member("team", "agent-3");
    assert_eq!(
        scene.refused(&third).await,
        Refusal::Full { connections: 2 }
    );
    drop(connection);
    scene.disconnected(first).await;
    scene.connect(&third).await;
}

/// A member whose name is held by a peer that answers is refused, and the holder notices nothing.
pub async fn a_living_holder_keeps_the_name(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let hello = member("team", "agent-1");
    let (session, mut holder) = scene.connect(&hello).await;
    let newcomer = Hello {
        incarnation: Incarnation::from_random(2),
        ..hello.clone()
    };
    let ask = async {
        let refusal = scene.refused(&newcomer).await;
        scene.send(session, "still here").await;
        refusal
    };
    let (refusal, frames) = tokio::join!(ask, read(&mut holder.receiver, 1));
    assert_eq!(
        refusal,
        Refusal::NameTaken {
            agent: agent("agent-1")
        }
    );
    assert!(refusal.to_string().contains("agent-1"));
    assert_eq!(frames, ["still here"]);
    // The same name elsewhere is another agent.
    scene.connect(&member("other", "agent-1")).await;
}

/// A member whose name is held by a peer that does not answer gets it; the end of the holder is
/// reported first.
pub async fn a_mute_holder_loses_the_name(fixture: &dyn Fixture) {
    let setup = Setup {
        probe: PROBE_SHORT,
        ..Setup::default()
    };
    let mut scene = Scene::new(fixture, &setup).await;
    let hello = member("team", "agent-1");
    let (old, mut mute) = scene.connect(&hello).await;
    let newcomer = soon(scene.link.connect(&hello)).await.unwrap();
    scene.disconnected(old).await;
    let CoordinatorEvent::Connected { session, .. } = scene.event().await else {
        panic!("the newcomer was not announced");
    };
    assert_ne!(session, old);
    read_to_end(&mut mute.receiver).await;
    let mut receiver = newcomer.receiver;
    scene.send(session, "welcome").await;
    assert_eq!(read(&mut receiver, 1).await, ["welcome"]);
    scene.assert_quiet().await;
}

/// A name whose holder is gone for good is free without waiting for the probe.
pub async fn a_gone_holder_loses_the_name_at_once(fixture: &dyn Fixture) {
    // A probe that is waited for outlasts the patience of this suite.
    let setup = Setup {
        probe: Duration::from_hours(1),
        ..Setup::default()
    };
    let mut scene = Scene::new(fixture, &setup).await;
    let hello = member("team", "agent-1");
    let (old, connection) = scene.connect(&hello).await;
    drop(connection);
    let _newcomer = soon(scene.link.connect(&hello)).await.unwrap();
    scene.disconnected(old).await;
    let event = scene.event().await;
    assert!(matches!(event, CoordinatorEvent::Connected { .. }));
}

/// Two that ask for the name of a mute holder at once: one gets it, the other is told.
pub async fn of_two_newcomers_one_wins(fixture: &dyn Fixture) {
    let setup = Setup {
        probe: PROBE_SHORT,
        ..Setup::default()
    };
    let mut scene = Scene::new(fixture, &setup).await;
    let hello = member("team", "agent-1");
    let (old, _mute) = scene.connect(&hello).await;
    let both = tokio::join!(
        soon(scene.link.connect(&hello)),
        soon(scene.link.connect(&hello)),
    );
    let (won, lost): (Vec<_>, Vec<_>) = [both.0, both.1].into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1, "{lost:?}");
    for lost in lost {
        let Err(TransportError::Refused { refusal, .. }) = lost else {
            panic!("expected a refusal, got {lost:?}");
        };
        assert_eq!(
            refusal,
            Refusal::NameTaken {
                agent: agent("agent-1")
            }
        );
    }
    scene.disconnected(old).await;
    let event = scene.event().await;
    assert!(matches!(event, CoordinatorEvent::Connected { .. }));
    scene.assert_quiet().await;
}
