//! The facade without its default features: in memory, no sled.

use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{Agent, Key, MemoryCoordinator, MemoryStore, StateSynchronizer, SwarmId};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let coordinator = Arc::new(MemoryCoordinator::default());
    let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), coordinator.clone());
    let hub = hub.start().await.expect("memory is there");
    let agent = Agent::builder("a", coordinator.link()).start().await.expect("memory is there");
    agent.set("k", "v").await.expect("it fits");
    agent.wait_in_step(Duration::from_secs(10)).await.expect("the hub is there");
    let (swarm, key) = (SwarmId::new("default").expect("a name"), Key::new("k").expect("a key"));
    hub.synchronize_state(&swarm, &key, None).await.expect("one agent is connected");
    let state = hub.get_state(&swarm, &key).await.expect("it runs").expect("it was written");
    assert_eq!(state.value, Some("v".into()));
    agent.shutdown().await;
    hub.shutdown().await;
}
