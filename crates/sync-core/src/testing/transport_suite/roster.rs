//! Who belongs to a swarm, and who of them is there.

use super::scene::{Scene, agent, client, member, read, read_to_end, swarm};
use super::{Fixture, Setup};
use crate::transport::{AgentStatus, Frame, Topology};

/// Every connected member of the swarm gets it, nobody else does, and the number is right.
pub async fn a_broadcast_reaches_the_members_of_one_swarm(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let coordinator = scene.coordinator.clone();
    coordinator
        .register(&swarm("team"), &agent("absent"))
        .await
        .unwrap();
    let (_, mut one) = scene.connect(&member("team", "agent-1")).await;
    let (_, mut two) = scene.connect(&member("team", "agent-2")).await;
    let (asking, mut asker) = scene.connect(&client("team", "asker")).await;
    let (foreign, mut foreigner) = scene.connect(&member("other", "agent-1")).await;
    let frame = Frame::of(vec!["to ".into(), "all".into()]);
    assert_eq!(
        coordinator.broadcast(&swarm("team"), frame.clone()).await,
        2
    );
    assert_eq!(coordinator.broadcast(&swarm("nobody"), frame).await, 0);
    assert_eq!(read(&mut one.receiver, 1).await, ["to all"]);
    assert_eq!(read(&mut two.receiver, 1).await, ["to all"]);
    // Had they got it, it would have come before this.
    scene.send(asking, "to you").await;
    scene.send(foreign, "to you").await;
    assert_eq!(read(&mut asker.receiver, 1).await, ["to you"]);
    assert_eq!(read(&mut foreigner.receiver, 1).await, ["to you"]);
}

/// Unknown, then connected, then disconnected, then connected again; per swarm.
pub async fn the_status_follows_the_connection(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let coordinator = scene.coordinator.clone();
    let hello = member("team", "agent-1");
    let status = async || coordinator.agent_status(&hello.swarm, &hello.agent).await;
    assert_eq!(status().await, AgentStatus::Unknown);
    let (session, connection) = scene.connect(&hello).await;
    assert_eq!(status().await, AgentStatus::Connected);
    let elsewhere = coordinator
        .agent_status(&swarm("other"), &hello.agent)
        .await;
    assert_eq!(elsewhere, AgentStatus::Unknown);
    drop(connection);
    scene.disconnected(session).await;
    assert_eq!(status().await, AgentStatus::Disconnected);
    let _again = scene.connect(&hello).await;
    assert_eq!(status().await, AgentStatus::Connected);
}

/// An agent may be put on the roster before it ever connects, and as often as one likes.
pub async fn registering_needs_no_connection(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let coordinator = scene.coordinator.clone();
    let hello = member("team", "agent-1");
    for _ in 0..2 {
        coordinator
            .register(&hello.swarm, &hello.agent)
            .await
            .unwrap();
        let status = coordinator.agent_status(&hello.swarm, &hello.agent).await;
        assert_eq!(status, AgentStatus::Disconnected);
    }
    let _connected = scene.connect(&hello).await;
    coordinator
        .register(&hello.swarm, &hello.agent)
        .await
        .unwrap();
    let status = coordinator.agent_status(&hello.swarm, &hello.agent).await;
    assert_eq!(status, AgentStatus::Connected);
}

/// An agent that is taken off the roster is disconnected, once, and may come back.
pub async fn unregistering_closes_the_connection(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let coordinator = scene.coordinator.clone();
    let hello = member("team", "agent-1");
    assert_eq!(
        coordinator.unregister(&hello.swarm, &hello.agent).await,
        Ok(false)
    );
    let (session, mut connection) = scene.connect(&hello).await;
    assert_eq!(
        coordinator.unregister(&hello.swarm, &hello.agent).await,
        Ok(true)
    );
    assert_eq!(
        coordinator.unregister(&hello.swarm, &hello.agent).await,
        Ok(false)
    );
    let status = coordinator.agent_status(&hello.swarm, &hello.agent).await;
    assert_eq!(status, AgentStatus::Unknown);
    scene.disconnected(session).await;
    read_to_end(&mut connection.receiver).await;
    let _again = scene.connect(&hello).await;
    coordinator
        .register(&hello.swarm, &agent("absent"))
        .await
        .unwrap();
    assert_eq!(
        coordinator.unregister(&hello.swarm, &agent("absent")).await,
        Ok(true)
    );
    scene.assert_quiet().await;
}

/// The roster and the connected, both ascending; an unknown swarm is an empty star.
pub async fn the_topology_is_a_sorted_star(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let coordinator = scene.coordinator.clone();
    let empty = coordinator.topology_info(&swarm("team")).await;
    assert_eq!(empty.kind, Topology::Star);
    assert_eq!((empty.agents.len(), empty.connected.len()), (0, 0));
    let _c = scene.connect(&member("team", "c")).await;
    coordinator
        .register(&swarm("team"), &agent("b"))
        .await
        .unwrap();
    let _a = scene.connect(&member("team", "a")).await;
    let _z = scene.connect(&member("other", "z")).await;
    let team = coordinator.topology_info(&swarm("team")).await;
    assert_eq!(team.kind, Topology::Star);
    assert_eq!(team.agents, [agent("a"), agent("b"), agent("c")]);
    assert_eq!(team.connected, [agent("a"), agent("c")]);
}

/// Clients are served like anyone, share names freely, and are missed by nobody.
pub async fn clients_are_on_no_roster(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let coordinator = scene.coordinator.clone();
    let (_, _holder) = scene.connect(&member("team", "agent-1")).await;
    let (first, mut one) = scene.connect(&client("team", "agent-1")).await;
    let (second, mut two) = scene.connect(&client("team", "agent-1")).await;
    let (third, asker) = scene.connect(&client("team", "asker")).await;
    let topology = coordinator.topology_info(&swarm("team")).await;
    assert_eq!(topology.agents, [agent("agent-1")]);
    let status = coordinator
        .agent_status(&swarm("team"), &agent("asker"))
        .await;
    assert_eq!(status, AgentStatus::Unknown);
    one.sender
        .send(vec![Frame::single("?".into())])
        .await
        .unwrap();
    assert_eq!(scene.received(first).await, "?");
    scene.send(first, "1").await;
    scene.send(second, "2").await;
    assert_eq!(read(&mut one.receiver, 1).await, ["1"]);
    assert_eq!(read(&mut two.receiver, 1).await, ["2"]);
    drop(one);
    scene.disconnected(first).await;
    drop(asker);
    scene.disconnected(third).await;
    let status = coordinator
        .agent_status(&swarm("team"), &agent("agent-1"))
        .await;
    assert_eq!(
        status,
        AgentStatus::Connected,
        "the member outlives its namesake"
    );
}
