//! What receipts that nobody fetches cost: a commit at the hub, and its start, with none and with a hundred
//! thousand of them waiting.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use swarm_sync::{
    Agent, AgentId, Client, Durability, MemoryCoordinator, MemoryStore, Operation,
    StateSynchronizer, SwarmId,
};
use sync_benches::{PATIENCE, key, value};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

const LOSSES: usize = 100_000;

/// Writes under way while the losses are made.
const AT_ONCE: usize = 4_096;

/// A hub, and an agent whose commits are measured.
struct Scene {
    store: Arc<MemoryStore>,
    hub: StateSynchronizer,
    agent: Agent,
    swarm: SwarmId,
}

impl Scene {
    /// `losses` writes of a client have lost that never asks for its receipts; as many keys in any case.
    async fn with(losses: usize) -> Self {
        let store = Arc::new(MemoryStore::new());
        let coordinator = Arc::new(MemoryCoordinator::default());
        let hub = StateSynchronizer::builder(store.clone(), coordinator.clone());
        let hub = hub.start().await.expect("memory opens");
        let swarm = SwarmId::new("bench").expect("a valid name");
        let name = AgentId::new("client").expect("a valid name");
        let client = Client::connect(&coordinator.link(), swarm.clone(), name, PATIENCE).await;
        let mut client = client.expect("the hub is there");
        for number in 0..losses {
            let put = Operation::Put(value(1));
            let written = client.write(key(number), put, None).await;
            written.expect("it fits");
        }
        client.close().await;
        let agent = Agent::builder("agent", coordinator.link()).swarm("bench");
        let agent = agent.offline().start().await.expect("memory opens");
        for first in (0..LOSSES).step_by(AT_ONCE) {
            let mut writes = JoinSet::new();
            for number in first..LOSSES.min(first + AT_ONCE) {
                let agent = agent.clone();
                writes.spawn(async move { agent.set(key(number), value(2)).await });
            }
            while let Some(written) = writes.join_next().await {
                written.expect("no write panics").expect("every write fits");
            }
        }
        agent.go_online().await.expect("it runs");
        let scene = Self {
            store,
            hub,
            agent,
            swarm,
        };
        scene.flush().await;
        scene
    }

    async fn flush(&self) {
        let limit = Some(PATIENCE * 10);
        let flushed = self.agent.flush(Durability::Hub, limit).await;
        flushed.expect("the hub takes them");
    }

    /// One commit.
    async fn commit(&self) {
        self.agent.set("counted", value(3)).await.expect("it fits");
        self.flush().await;
    }

    /// Another hub over the same rows, up to its first answer.
    async fn start(&self) {
        let coordinator = Arc::new(MemoryCoordinator::default());
        let hub = StateSynchronizer::builder(self.store.clone(), coordinator);
        let hub = hub.start().await.expect("memory opens");
        hub.status(&self.swarm).await.expect("it runs");
        hub.shutdown().await;
    }
}

fn receipts(c: &mut Criterion) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let mut group = c.benchmark_group("receipts_waiting");
    group.sample_size(20);
    for losses in [0, LOSSES] {
        let scene = runtime.block_on(Scene::with(losses));
        group.bench_function(format!("commit/{losses}"), |b| {
            b.iter(|| runtime.block_on(scene.commit()));
        });
        runtime.block_on(scene.agent.shutdown());
        runtime.block_on(scene.hub.shutdown());
        group.sample_size(10);
        group.bench_function(format!("start/{losses}"), |b| {
            b.iter(|| runtime.block_on(scene.start()));
        });
    }
    group.finish();
}

criterion_group!(benches, receipts);
criterion_main!(benches);
