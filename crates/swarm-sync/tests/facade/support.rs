//! A hub and agents on either transport, and waits that end.

use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{
    Agent, AgentBuilder, AgentId, Client, Coordinator, CoordinatorOptions, Durability, Key, Link,
    LinkOptions, MemoryCoordinator, MemoryStore, RequestError, StateSynchronizer, Store, SwarmId,
    TcpCoordinator, TcpLink, WriteId,
};

/// Longer than anything here takes, short enough to end a hung test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How agents reach the hub.
pub(crate) enum Wire {
    Memory(Arc<MemoryCoordinator>),
    Tcp(Arc<TcpCoordinator>),
}

impl Wire {
    /// Both kinds, one after the other.
    pub(crate) async fn both() -> [Self; 2] {
        [Self::memory(), Self::tcp("127.0.0.1:0").await]
    }

    pub(crate) fn memory() -> Self {
        Self::Memory(Arc::new(MemoryCoordinator::default()))
    }

    pub(crate) async fn tcp(address: &str) -> Self {
        let bound = TcpCoordinator::bind(address, CoordinatorOptions::default()).await;
        Self::Tcp(Arc::new(bound.expect("the address is free")))
    }

    pub(crate) fn coordinator(&self) -> Arc<dyn Coordinator> {
        match self {
            Self::Memory(memory) => memory.clone(),
            Self::Tcp(tcp) => tcp.clone(),
        }
    }

    pub(crate) async fn hub(&self, store: Arc<dyn Store>) -> StateSynchronizer {
        StateSynchronizer::builder(store, self.coordinator())
            .start()
            .await
            .expect("the store opens")
    }

    pub(crate) async fn memory_hub(&self) -> StateSynchronizer {
        self.hub(Arc::new(MemoryStore::new())).await
    }

    pub(crate) fn agent(&self, name: &str) -> AgentBuilder {
        let builder = match self {
            Self::Memory(memory) => Agent::builder(name, memory.link()),
            Self::Tcp(tcp) => {
                Agent::builder(name, TcpLink::new(tcp.local_addr(), LinkOptions::default()))
            }
        };
        builder.swarm("team")
    }

    pub(crate) fn link(&self) -> Arc<dyn Link> {
        match self {
            Self::Memory(memory) => Arc::new(memory.link()),
            Self::Tcp(tcp) => Arc::new(TcpLink::new(tcp.local_addr(), LinkOptions::default())),
        }
    }

    pub(crate) async fn client(&self) -> Client {
        let link = self.link();
        let name = AgentId::new("client").expect("a name");
        let client = Client::connect(&*link, team(), name, PATIENCE).await;
        client.expect("the hub is there")
    }

    pub(crate) async fn agents<const N: usize>(&self) -> [Agent; N] {
        let mut agents = Vec::new();
        for n in 0..N {
            let agent = self.agent(&format!("agent-{n}")).start().await;
            agents.push(agent.expect("memory opens"));
        }
        for agent in &agents {
            agent
                .wait_in_step(PATIENCE)
                .await
                .expect("the hub is there");
        }
        agents.try_into().expect("N were started")
    }
}

pub(crate) fn team() -> SwarmId {
    SwarmId::new("team").expect("a name")
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).expect("a key")
}

pub(crate) async fn flush(agent: &Agent) {
    agent
        .flush(Durability::Hub, Some(PATIENCE))
        .await
        .expect("the hub takes them");
}

/// Asks until the answer satisfies, at most [`PATIENCE`] long.
pub(crate) async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"))
}

/// Waits until every replica holds what the hub holds.
pub(crate) async fn converged(hub: &StateSynchronizer, agents: &[&Agent]) {
    eventually("equal digests", async || {
        let digest = hub.status(&team()).await.ok()?.digest;
        for agent in agents {
            if agent.digest().await.ok()? != digest {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// Two agents that wrote the key `k` while they did not hear each other.
pub(crate) struct Race {
    pub(crate) hub: StateSynchronizer,
    pub(crate) a: Agent,
    pub(crate) b: Agent,
    /// The write of `a`, `early`, which lost.
    pub(crate) lost: WriteId,
    /// The write of `b`, `late`.
    pub(crate) won: WriteId,
}

/// Such a race, decided and heard of by both.
pub(crate) async fn race(wire: &Wire) -> Race {
    let hub = wire.memory_hub().await;
    let [a, b] = wire.agents::<2>().await;
    for agent in [&a, &b] {
        agent.go_offline().await.expect("it runs");
    }
    let lost = a.set("k", "early").await.expect("it writes cut off");
    let won = b.set("k", "late").await.expect("it writes cut off");
    for agent in [&a, &b] {
        agent.go_online().await.expect("it runs");
        flush(agent).await;
    }
    converged(&hub, &[&a, &b]).await;
    let [lost, won] = [lost, won].map(|ack| ack.write_id.expect("it wrote"));
    Race {
        hub,
        a,
        b,
        lost,
        won,
    }
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, RequestError>) -> &'static str {
    result.expect_err("an error").kind()
}
