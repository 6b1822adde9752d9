//! Sled on both sides, across restarts.

use std::path::Path;
use std::sync::Arc;

use swarm_sync::{Durability, SledStore, Store, Value};

use crate::support::{PATIENCE, Wire, converged, flush};

fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(SledStore::open(path).expect("the directory opens"))
}

#[tokio::test]
async fn both_sides_come_back_with_everything_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let (hub_path, agent_path) = (directory.path().join("hub"), directory.path().join("agent"));

    let (hub_store, agent_store) = (open(&hub_path), open(&agent_path));
    let wire = Wire::memory();
    let hub = wire.hub(hub_store.clone()).await;
    let agent = wire
        .agent("a")
        .store(agent_store.clone())
        .start()
        .await
        .unwrap();
    agent.add("count", 1).await.unwrap();
    flush(&agent).await;
    agent.go_offline().await.unwrap();
    let ack = agent.add("count", 2).await.unwrap();
    assert_eq!(ack.durability, Durability::Disk);
    let revision = hub.status(&crate::support::team()).await.unwrap().revision;
    agent.shutdown().await;
    hub.shutdown().await;
    hub_store.close().await.unwrap();
    agent_store.close().await.unwrap();

    let (hub_store, agent_store) = (open(&hub_path), open(&agent_path));
    let wire = Wire::memory();
    let hub = wire.hub(hub_store.clone()).await;
    assert!(hub.status(&crate::support::team()).await.unwrap().revision >= revision);
    let agent = wire
        .agent("a")
        .store(agent_store.clone())
        .start()
        .await
        .unwrap();
    // The new run adds a contribution of its own; the old run's is still on its way.
    agent.add("count", 4).await.unwrap();
    flush(&agent).await;
    agent.wait_in_step(PATIENCE).await.unwrap();
    converged(&hub, &[&agent]).await;
    assert_eq!(
        agent.get("count").await.unwrap().unwrap().value,
        Some(Value::Int(7))
    );
    agent.shutdown().await;
    hub.shutdown().await;
    hub_store.close().await.unwrap();
    agent_store.close().await.unwrap();
}

#[tokio::test]
async fn a_hub_directory_is_no_agent_directory() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let wire = Wire::memory();
    let hub = wire.hub(store.clone()).await;
    let [_agent] = wire.agents::<1>().await;
    hub.shutdown().await;
    let other = Wire::memory();
    let refused = other.agent("a").store(store.clone()).start().await;
    let sentence = refused.expect_err("rows of a hub").to_string();
    assert!(sentence.contains("belongs to a hub"), "{sentence}");
    store.close().await.unwrap();
}
