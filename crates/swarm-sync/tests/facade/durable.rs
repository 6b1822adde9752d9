//! Sled on both sides, across restarts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use swarm_sync::{Agent, Durability, MemoryStore, SledStore, Store, StoreError, Value};
use sync_core::{Batch, Row};

use crate::support::{PATIENCE, Wire, converged, flush};

fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(SledStore::open(path).expect("the directory opens"))
}

async fn agent_on(wire: &Wire, store: Arc<dyn Store>) -> Agent {
    let started = wire.agent("a").store(store).start().await;
    started.expect("the store opens")
}

#[tokio::test]
async fn both_sides_come_back_with_everything_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let (hub_path, agent_path) = (directory.path().join("hub"), directory.path().join("agent"));

    let (hub_store, agent_store) = (open(&hub_path), open(&agent_path));
    let wire = Wire::memory();
    let hub = wire.hub(hub_store.clone()).await;
    let agent = agent_on(&wire, agent_store.clone()).await;
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
    let agent = agent_on(&wire, agent_store.clone()).await;
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
    assert!(
        sentence.contains("belongs to a hub, not to the agent a"),
        "{sentence}"
    );
    store.close().await.unwrap();
}

#[tokio::test]
async fn another_agents_directory_is_refused_and_left_as_it_was() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let wire = Wire::memory();
    let agent = wire
        .agent("a")
        .offline()
        .store(store.clone())
        .start()
        .await
        .unwrap();
    agent.set("k", 1).await.unwrap();
    agent.shutdown().await;
    let before = store
        .scan(&crate::support::team(), None, 100)
        .await
        .unwrap();
    let refused = wire.agent("b").offline().store(store.clone()).start().await;
    let sentence = refused.expect_err("rows of another agent").to_string();
    assert!(
        sentence.contains("belongs to the agent a, not to the agent b"),
        "{sentence}"
    );
    let coordinator = Arc::new(swarm_sync::MemoryCoordinator::default());
    let hub = swarm_sync::StateSynchronizer::builder(store.clone(), coordinator)
        .start()
        .await;
    let sentence = hub.expect_err("rows of an agent").to_string();
    assert!(
        sentence.contains("belongs to the agent a, not to a hub"),
        "{sentence}"
    );
    assert_eq!(
        store
            .scan(&crate::support::team(), None, 100)
            .await
            .unwrap(),
        before
    );
}

#[tokio::test]
async fn asking_about_a_swarm_leaves_no_trace_of_it() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let wire = Wire::memory();
    let hub = wire.hub(store.clone()).await;
    for n in 0..2_000 {
        let typo = swarm_sync::SwarmId::new(format!("typo-{n}")).unwrap();
        assert_eq!(hub.status(&typo).await.unwrap().keys, 0);
    }
    assert!(store.swarms().await.unwrap().is_empty());
    hub.shutdown().await;
}

/// A store whose disk fills up, or hangs.
#[derive(Debug, Default)]
struct Ailing {
    memory: MemoryStore,
    full: AtomicBool,
    /// Whether it never comes back from writing.
    stuck: AtomicBool,
}

impl Ailing {
    fn fill(&self) {
        self.full.store(true, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Store for Ailing {
    async fn commit(&self, group: Vec<Batch>) -> Result<(), StoreError> {
        if self.stuck.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.full.load(Ordering::SeqCst) {
            let (path, reason) = ("full".to_owned(), "no space left".to_owned());
            return Err(StoreError::Io {
                path,
                doing: "writing",
                reason,
            });
        }
        self.memory.commit(group).await
    }

    async fn scan(
        &self,
        swarm: &swarm_sync::SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.memory.scan(swarm, after, limit).await
    }

    async fn swarms(&self) -> Result<Vec<swarm_sync::SwarmId>, StoreError> {
        self.memory.swarms().await
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.memory.close().await
    }
}

/// Bad input, row 21.
#[tokio::test]
async fn a_store_that_fails_stops_its_node_and_answers_everybody() {
    let (agent_store, hub_store) = (Arc::new(Ailing::default()), Arc::new(Ailing::default()));
    let wire = Wire::memory();
    let hub = wire.hub(hub_store.clone()).await;
    let agent = agent_on(&wire, agent_store.clone()).await;
    agent.wait_in_step(PATIENCE).await.unwrap();
    agent_store.fill();
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..20 {
        let agent = agent.clone();
        writes.spawn(async move { agent.set("k", n).await });
    }
    while let Some(answered) = writes.join_next().await {
        let error = answered.unwrap().expect_err("never acknowledged");
        assert_eq!(error.kind(), "stopped");
    }
    assert!(agent.stopped().await.contains("no space left"));
    // The hub notices that it is gone: no round waits for it.
    let error = crate::support::eventually("the hub notices", async || {
        hub.synchronize_state(&crate::support::team(), &crate::support::key("k"), None)
            .await
            .err()
    });
    assert_eq!(error.await.kind(), "nobody-connected");

    assert_eq!(hub.check(PATIENCE).await, Ok(()));
    hub_store.fill();
    let late = swarm_sync::AgentId::new("late").unwrap();
    let _ = hub.register(&crate::support::team(), &late).await;
    assert!(hub.stopped().await.contains("no space left"));
    let error = hub.check(PATIENCE).await.expect_err("it has stopped");
    assert!(error.to_string().contains("no space left"), "{error}");
}

#[tokio::test]
async fn a_hub_whose_store_does_not_come_back_from_writing_says_so() {
    let store = Arc::new(Ailing::default());
    let wire = Wire::memory();
    let hub = wire.hub(store.clone()).await;
    store.stuck.store(true, Ordering::SeqCst);
    let late = swarm_sync::AgentId::new("late").unwrap();
    let (team, waiting) = (crate::support::team(), hub.clone());
    let registered = tokio::spawn(async move { waiting.register(&team, &late).await });
    let patience = std::time::Duration::from_millis(20);
    let error =
        crate::support::eventually("the hub notices", async || hub.check(patience).await.err());
    let error = error.await.to_string();
    assert!(error.contains("its store has been writing"), "{error}");
    assert!(!registered.is_finished(), "nothing is acknowledged");
}
