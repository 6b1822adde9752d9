//! What one swarm asks for does not hold up another: counted in messages, not in time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use swarm_sync::{
    AgentId, AgentStatus, Client, Coordinator, MemoryStore, Operation, Pattern, StateSynchronizer,
    SwarmId, TransportError,
};
use sync_core::{
    Ask, Body, Connection, CoordinatorEvent, Frame, Hello, Incarnation, Role, SessionId, Since,
    TopologyInfo, Traffic, codec,
};

use crate::support::{PATIENCE, Wire, flush, key, team};

/// Peers that ask, and keys that each of their questions is held against.
const ASKERS: usize = 8;
const KEYS: usize = 300;

/// Messages of others that may be handled between the hub's having one and its turn. Two dear questions
/// take a quantum; the rest is for cheap ones and for a machine that is much faster. In one line for all
/// it was hundreds.
const OVERTAKEN_MAX: u64 = 64;

/// What was counted.
#[derive(Debug, Default)]
struct Counts {
    honest: BTreeMap<SessionId, Vec<u64>>,
    handled: u64,
    /// Per honest message the messages of others that were handled while it was in line.
    waited: Vec<u64>,
}

/// A coordinator that counts what is handled while the honest wait.
#[derive(Debug)]
struct Counting {
    inner: Arc<dyn Coordinator>,
    counts: Mutex<Counts>,
}

impl Counting {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Coordinator for Counting {
    async fn register(&self, swarm: &SwarmId, agent: &AgentId) -> Result<(), TransportError> {
        self.inner.register(swarm, agent).await
    }

    async fn unregister(&self, swarm: &SwarmId, agent: &AgentId) -> Result<bool, TransportError> {
        self.inner.unregister(swarm, agent).await
    }

    async fn send(&self, session: SessionId, frames: Vec<Frame>) -> Result<(), TransportError> {
        self.inner.send(session, frames).await
    }

    async fn broadcast(&self, swarm: &SwarmId, frame: Frame) -> usize {
        self.inner.broadcast(swarm, frame).await
    }

    async fn agent_status(&self, swarm: &SwarmId, agent: &AgentId) -> AgentStatus {
        self.inner.agent_status(swarm, agent).await
    }

    async fn topology_info(&self, swarm: &SwarmId) -> TopologyInfo {
        self.inner.topology_info(swarm).await
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }

    async fn disconnect(&self, session: SessionId, reason: &str) {
        self.inner.disconnect(session, reason).await;
    }

    async fn refuse(&self, session: SessionId, reason: &str) {
        self.inner.refuse(session, reason).await;
    }

    async fn recv(&self, limit: usize) -> Vec<CoordinatorEvent> {
        self.inner.recv(limit).await
    }

    async fn take(&self, limit: usize) -> Vec<CoordinatorEvent> {
        let events = self.inner.take(limit).await;
        let mut counts = self.counts();
        let handled = counts.handled;
        for event in &events {
            match event {
                CoordinatorEvent::Connected { session, hello } if hello.swarm == team() => {
                    counts.honest.insert(*session, Vec::new());
                }
                CoordinatorEvent::Received { session, .. } => {
                    if let Some(taken) = counts.honest.get_mut(session) {
                        taken.push(handled);
                    }
                }
                _ => {}
            }
        }
        events
    }

    fn handled(&self, event: &CoordinatorEvent) {
        self.inner.handled(event);
        let CoordinatorEvent::Received { session, .. } = event else {
            return;
        };
        let mut counts = self.counts();
        let handled = counts.handled;
        match counts.honest.get_mut(session) {
            Some(taken) => {
                let waited = handled - taken.remove(0);
                counts.waited.push(waited);
            }
            None => counts.handled += 1,
        }
    }

    async fn shutdown(&self) {
        self.inner.shutdown().await;
    }
}

fn greedy() -> SwarmId {
    SwarmId::new("greedy").expect("a name")
}

/// Keys that a pattern has to be held against to its end.
async fn write_long_keys(wire: &Wire) {
    let name = AgentId::new("writer").expect("a name");
    let client = Client::connect(&*wire.link(), greedy(), name, PATIENCE).await;
    let mut client = client.expect("the hub is there");
    for n in 0..KEYS {
        let long = key(&format!("{}{n:04}", "a".repeat(1_000)));
        let written = client.write(long, Operation::Put(1.into()), None).await;
        written.expect("a write");
    }
    client.close().await;
}

/// Half of them list, half watch from the start; each question is as dear as one may be.
fn question(asker: usize) -> Frame {
    let pattern = Pattern::new(format!("*?{}b*", "a".repeat(100))).expect("a pattern");
    let ask = if asker.is_multiple_of(2) {
        let after = None;
        Ask::Keys { pattern, after }
    } else {
        Ask::Watch {
            pattern,
            from: Some(Since::START),
            wait_ms: 60_000,
        }
    };
    codec::encode(&Body::Request { request: 1, ask }.into())
}

/// Asks again and again, and reads the answers.
async fn keep_asking(wire: &Wire, asker: usize) {
    let name = AgentId::new(format!("asker-{asker}")).expect("a name");
    let hello = Hello::new(greedy(), name, Incarnation::from_random(1), Role::Client);
    let connection = wire.link().connect(&hello).await;
    let Connection {
        mut sender,
        mut receiver,
        ..
    } = connection.expect("the hub is there");
    tokio::spawn(async move { while receiver.recv(64).await.is_ok() {} });
    tokio::spawn(async move { while sender.send(vec![question(asker); 64]).await.is_ok() {} });
}

/// Bad input, row 14.
#[tokio::test]
async fn the_questions_of_one_swarm_do_not_hold_up_another() {
    let wire = Wire::memory();
    let coordinator = Arc::new(Counting {
        inner: wire.coordinator(),
        counts: Mutex::default(),
    });
    let store = Arc::new(MemoryStore::new());
    let hub = StateSynchronizer::builder(store, coordinator.clone()).start();
    let hub = hub.await.expect("an empty store");
    write_long_keys(&wire).await;
    let [honest] = wire.agents().await;
    for asker in 0..ASKERS {
        keep_asking(&wire, asker).await;
    }
    for n in 0..50_i64 {
        honest.set("honest", n).await.expect("a write");
        flush(&honest).await;
    }
    hub.status(&team()).await.expect("its own callers, too");
    let (handled, waited) = {
        let counts = coordinator.counts();
        (counts.handled, counts.waited.clone())
    };
    assert!(waited.len() > 50, "{} messages are no test", waited.len());
    assert!(handled > KEYS as u64, "nobody asked: {handled}");
    let most = waited.iter().max().copied().unwrap_or_default();
    assert!(most <= OVERTAKEN_MAX, "{most} were handled in between");
    hub.shutdown().await;
}
