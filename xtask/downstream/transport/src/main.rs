//! A transport only: frames between two tasks.

use sync_core::{
    AgentId, Coordinator, CoordinatorEvent, Frame, Hello, Incarnation, Link, Role, SwarmId,
};
use sync_transport::MemoryCoordinator;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let coordinator = MemoryCoordinator::default();
    let (swarm, agent) = (SwarmId::new("team").expect("a name"), AgentId::new("a").expect("a name"));
    let hello = Hello::new(swarm, agent, Incarnation::from_random(1), Role::Member);
    let mut connection = coordinator.link().connect(&hello).await.expect("it is there");
    connection.sender.send(vec![Frame::single("hi".into())]).await.expect("it is up");
    let mut received = Vec::new();
    while received.len() < 2 {
        received.extend(coordinator.recv(2).await);
    }
    assert!(matches!(&received[1], CoordinatorEvent::Received { frame, .. } if frame == "hi"));
}
