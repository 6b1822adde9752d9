//! A hub and many agents, connected over TCP on loopback, in one process.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use swarm_sync::{
    Agent, AgentId, Client, CoordinatorOptions, Durability, LinkOptions, StateSynchronizer, Store,
    SwarmId, TcpCoordinator, TcpLink, Traffic, Value,
};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::key;

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A hub on a thread of its own, as one is meant to be run, and agents and a client on the caller's runtime.
#[derive(Debug)]
pub struct Crowd {
    /// The hub.
    pub hub: StateSynchronizer,
    /// Agents that hold everything.
    pub agents: Vec<Agent>,
    /// One that holds nothing.
    pub client: Client,
    /// Their swarm.
    pub swarm: SwarmId,
    coordinator: Arc<TcpCoordinator>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

#[expect(
    clippy::missing_panics_doc,
    reason = "a benchmark that cannot do its work fails"
)]
impl Crowd {
    /// Starts the hub with its state in `store`, and `count` agents with theirs in memory.
    pub async fn start(store: Arc<dyn Store>, count: usize) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, started) = oneshot::channel();
        let thread = thread::spawn(move || serve(store, tell, stopped));
        let (hub, coordinator) = started.await.expect("the hub starts");
        let swarm = SwarmId::new("bench").expect("a valid name");
        let link = TcpLink::new(coordinator.local_addr(), LinkOptions::default());
        let mut agents = Vec::new();
        for n in 0..count {
            let agent = Agent::builder(format!("agent-{n:03}"), link.clone()).swarm("bench");
            agents.push(agent.start().await.expect("memory opens"));
        }
        for agent in &agents {
            let in_step = agent.wait_in_step(PATIENCE).await;
            in_step.expect("the hub is there");
        }
        let name = AgentId::new("client").expect("a valid name");
        let client = Client::connect(&link, swarm.clone(), name, PATIENCE).await;
        Self {
            hub,
            agents,
            client: client.expect("the hub is there"),
            swarm,
            coordinator,
            stop,
            thread,
        }
    }

    /// The first agent writes a value of its own to each of `count` keys, and all of the crowd gets them.
    pub async fn fill(&self, count: usize, value_of: impl Fn(usize) -> Value) {
        for n in 0..count {
            let written = self.agents[0].set(key(n), value_of(n)).await;
            written.expect("it fits");
        }
        self.settle().await;
    }

    /// Each agent writes a value of its own to the key that `key_of` names for it, all at the same time.
    pub async fn write_all(
        &self,
        key_of: impl Fn(usize) -> usize,
        value_of: impl Fn(usize) -> Value,
    ) {
        let mut writes = JoinSet::new();
        for (n, agent) in self.agents.iter().enumerate() {
            let (agent, key, value) = (agent.clone(), key(key_of(n)), value_of(n));
            writes.spawn(async move { agent.set(key, value).await });
        }
        while let Some(written) = writes.join_next().await {
            written.expect("no write panics").expect("every write fits");
        }
    }

    /// Waits until all hold the same, and forgets what came back meanwhile.
    pub async fn settle(&self) {
        for agent in &self.agents {
            let flushed = agent.flush(Durability::Hub, Some(PATIENCE)).await;
            flushed.expect("the hub takes them");
        }
        let status = self.hub.status(&self.swarm).await.expect("the hub runs");
        for agent in &self.agents {
            while agent.digest().await.expect("it runs") != status.digest {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let receipts = agent.receipts().await.expect("it runs");
            let taken = receipts.into_iter().map(|receipt| receipt.write).collect();
            agent.take_receipts(taken).await.expect("it runs");
        }
    }

    /// Bytes that the hub has moved, of all connections.
    pub fn traffic(&self) -> Traffic {
        self.coordinator.traffic()
    }

    /// Stops everything.
    pub async fn stop(self) {
        for agent in &self.agents {
            agent.shutdown().await;
        }
        self.client.close().await;
        // The thread's end is its answer.
        let _ = self.stop.send(());
        self.thread.join().expect("the hub did not panic");
    }
}

type Started = (StateSynchronizer, Arc<TcpCoordinator>);

fn serve(store: Arc<dyn Store>, tell: oneshot::Sender<Started>, stopped: oneshot::Receiver<()>) {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let bound = TcpCoordinator::bind("127.0.0.1:0", CoordinatorOptions::default()).await;
        let coordinator = Arc::new(bound.expect("a port is free"));
        let hub = StateSynchronizer::builder(store, coordinator.clone());
        let hub = hub.start().await.expect("the store opens");
        tell.send((hub.clone(), coordinator))
            .expect("somebody waits for it");
        let _ = stopped.await;
        hub.shutdown().await;
    });
}
