//! Shared workloads of the benchmarks, the same at every run.

mod crowd;

use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{
    Agent, Durability, Key, MemoryCoordinator, Revision, StateSynchronizer, Store, SwarmId, Value,
};
use sync_core::{
    AgentId, Context, Entry, Incarnation, Payload, Seq, Stamp, Write, WriteId, Writer,
};

pub use self::crowd::{Crowd, PATIENCE};

/// Bytes of a value in the delta and commit benchmarks.
pub const VALUE_BYTES: usize = 64;

/// Writes in flight while a swarm is filled.
const FILL_AT_ONCE: usize = 4_096;

/// A writer of that name.
#[expect(
    clippy::missing_panics_doc,
    reason = "benchmarks name their writers validly"
)]
pub fn writer(name: &str) -> Writer {
    Writer::new(
        AgentId::new(name).expect("a valid name"),
        Incarnation::from_random(7),
    )
}

/// The delta that adds an element to a set for the first time.
pub fn addition(writer: &Writer, seq: u64, prev: u64) -> Entry {
    let write = Write {
        stamp: Stamp::at_millis(seq),
        payload: Payload::element(&Value::Text(format!("element-{seq:08}"))),
        prev: Seq::new(prev),
        over: Context::new(),
        note: None,
    };
    Entry::of_write(WriteId::new(writer.clone(), Seq::new(seq)), write)
}

/// Bytes that no compression makes fewer, and that are others for another seed.
pub fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..bytes).map(|_| next()).collect()
}

/// A set of `count` elements by one writer.
pub fn set_of(count: u64) -> Entry {
    let writer = writer("filler");
    let mut set = Entry::new();
    for seq in 1..=count {
        set.join(addition(&writer, seq, seq - 1));
    }
    set
}

/// A hub with one agent, connected in memory.
#[derive(Debug)]
pub struct Pair {
    /// The hub.
    pub hub: StateSynchronizer,
    /// The agent.
    pub agent: Agent,
    /// Their swarm.
    pub swarm: SwarmId,
}

impl Pair {
    /// Starts both; the hub keeps its state in `store`.
    #[expect(
        clippy::missing_panics_doc,
        reason = "a benchmark that cannot start fails"
    )]
    pub async fn start(store: Arc<dyn Store>) -> Self {
        let coordinator = Arc::new(MemoryCoordinator::default());
        let hub = StateSynchronizer::builder(store, coordinator.clone());
        let hub = hub.start().await.expect("the store opens");
        let agent = Agent::builder("agent", coordinator.link()).swarm("bench");
        let agent = agent.start().await.expect("memory opens");
        Self {
            hub,
            agent,
            swarm: SwarmId::new("bench").expect("a valid name"),
        }
    }

    /// Writes `keys` keys and waits until the hub has them.
    #[expect(
        clippy::missing_panics_doc,
        reason = "a benchmark that cannot fill fails"
    )]
    pub async fn fill(&self, keys: usize) {
        for first in (0..keys).step_by(FILL_AT_ONCE) {
            let mut writes = tokio::task::JoinSet::new();
            for number in first..keys.min(first + FILL_AT_ONCE) {
                let agent = self.agent.clone();
                writes.spawn(async move { agent.set(key(number), value(0)).await });
            }
            while let Some(written) = writes.join_next().await {
                written.expect("no write panics").expect("every write fits");
            }
            self.flush().await;
        }
    }

    /// Changes `count` keys in a commit each; returns the revision before.
    #[expect(
        clippy::missing_panics_doc,
        reason = "a benchmark that cannot write fails"
    )]
    pub async fn change(&self, count: usize) -> Revision {
        let before = self
            .hub
            .status(&self.swarm)
            .await
            .expect("the hub runs")
            .revision;
        for n in 0..count {
            self.agent.set(key(n), value(1)).await.expect("it fits");
            self.flush().await;
        }
        before
    }

    async fn flush(&self) {
        let limit = Some(Duration::from_mins(5));
        self.agent
            .flush(Durability::Hub, limit)
            .await
            .expect("the hub takes them");
    }
}

/// A value of [`VALUE_BYTES`] bytes.
pub fn value(fill: u8) -> Value {
    Value::Bytes(vec![fill; VALUE_BYTES])
}

/// A key of the filled range.
#[expect(clippy::missing_panics_doc, reason = "the name is a key")]
pub fn key(number: usize) -> Key {
    Key::new(format!("key-{number:08}")).expect("a key")
}
