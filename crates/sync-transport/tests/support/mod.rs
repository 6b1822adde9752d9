//! What tests of the TCP transport share.

use std::time::Duration;

use sync_core::id::{AgentId, Incarnation, SwarmId};
use sync_core::transport::{Coordinator, CoordinatorEvent, Hello, Role};
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine, short enough to end a hung test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(happens: impl Future<Output = T>) -> T {
    timeout(PATIENCE, happens)
        .await
        .expect("nothing happened in time")
}

pub(crate) fn hello(name: &str) -> Hello {
    Hello::new(
        SwarmId::new("team").unwrap(),
        AgentId::new(name).unwrap(),
        Incarnation::from_random(1),
        Role::Member,
    )
}

/// The next event.
pub(crate) async fn event(coordinator: &dyn Coordinator) -> CoordinatorEvent {
    soon(coordinator.recv(1))
        .await
        .pop()
        .expect("it was not shut down")
}
