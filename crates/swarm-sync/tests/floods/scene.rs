//! A hub in a thread of its own, as `swarm-sync serve` runs it, an honest agent, and what is measured.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use swarm_sync::{
    Agent, AgentId, Client, CoordinatorOptions, Durability, Key, LinkOptions, MemoryStore,
    Operation, StateSynchronizer, Store, StoreError, SwarmId, TcpCoordinator, TcpLink, Value,
};
use sync_core::{Batch, Row};
use tokio::runtime::{Builder, Runtime};

use crate::attacks::{Done, Plan};

/// Hostile peers at once.
pub(crate) const PEERS: usize = 12;

pub(crate) const FRAME_BYTES_MAX: usize = 1 << 20;

/// The key of a value of several megabytes.
pub(crate) const LARGE: &str = "large";

/// Elements of the large value, half a megabyte each.
const LARGE_ELEMENTS: u8 = 7;

/// An honest write is acknowledged by the hub within this time, whatever others do. It is tenths of a
/// second on two processors that attackers, hub and agent share; the rest is for what else they do.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);

/// Honest writes during each attack, one after the other.
const WRITES: u32 = 100;

/// How long a commit takes, so that answers wait for the store as they do for a disk.
const COMMIT: Duration = Duration::from_millis(5);

/// What the hub holds beside what each connection may: answers and commits that wait for the store
/// (16 MiB), batches that are on their way into it (32 MiB), one answer of the largest kind while it
/// is made and encoded (16 MiB), strangers (48 MiB), and what compressing takes (32 MiB).
const SHARED_BYTES_MAX: usize = (16 + 32 + 16 + 48 + 32) << 20;

/// What a connection's swarm may have learned.
const DICTIONARY_BYTES: usize = 256 << 10;

/// Read ahead of a frame, and taken out of a queue to be written.
const STEP_BYTES: usize = 256 << 10;

/// One attack at a time: they measure one process.
static ALONE: Mutex<()> = Mutex::new(());

fn options() -> CoordinatorOptions {
    CoordinatorOptions {
        connections_max: PEERS + 4,
        frame_bytes_max: FRAME_BYTES_MAX,
        outbox_bytes_max: 4 << 20,
        hello: Duration::from_secs(1),
        silence: Duration::from_secs(2),
        ..CoordinatorOptions::default()
    }
}

/// What `docs/protocol.md` states, for these options.
fn ceiling() -> usize {
    let options = options();
    let receiving = 2 * options.frame_bytes_max + STEP_BYTES;
    let in_line = 2 * options.frame_bytes_max + STEP_BYTES;
    let queued = options.outbox_bytes_max + 2 * options.frame_bytes_max + STEP_BYTES;
    let each = receiving + in_line + queued + DICTIONARY_BYTES;
    options.connections_max * each + SHARED_BYTES_MAX
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).expect("a key")
}

/// A store that takes its time.
#[derive(Debug)]
struct Slow(MemoryStore);

#[async_trait]
impl Store for Slow {
    async fn commit(&self, batches: Vec<Batch>) -> Result<(), StoreError> {
        tokio::time::sleep(COMMIT).await;
        self.0.commit(batches).await
    }

    async fn scan(
        &self,
        swarm: &SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.0.scan(swarm, after, limit).await
    }

    async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
        self.0.swarms().await
    }

    fn durability(&self) -> Durability {
        self.0.durability()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.0.close().await
    }
}

/// What is left after an attack.
pub(crate) struct Attacked {
    scene: Scene,
    runtime: Runtime,
}

struct Scene {
    /// Held so that the hub goes on.
    _hub_runtime: Runtime,
    coordinator: Arc<TcpCoordinator>,
    hub: StateSynchronizer,
    honest: Agent,
}

impl Scene {
    async fn new() -> Self {
        // One thread, as the program has it; it is driven by the runtime's own worker.
        let hub_runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let started = hub_runtime.spawn(async {
            let bound = TcpCoordinator::bind("127.0.0.1:0", options()).await;
            let coordinator = Arc::new(bound.expect("any port"));
            let store = Arc::new(Slow(MemoryStore::new()));
            let builder = StateSynchronizer::builder(store, coordinator.clone());
            (coordinator, builder.start().await.expect("an empty store"))
        });
        let (coordinator, hub) = started.await.expect("it starts");
        let link = TcpLink::new(coordinator.local_addr(), LinkOptions::default());
        let client = Client::connect(
            &link,
            team(),
            AgentId::new("client").expect("a name"),
            ACKNOWLEDGED_WITHIN,
        )
        .await;
        let mut client = client.expect("the hub is there");
        for n in 0..LARGE_ELEMENTS {
            let element = Operation::Insert(Value::Bytes(vec![n; 500_000]));
            client
                .write(key(LARGE), element, None)
                .await
                .expect("a write");
        }
        client.close().await;
        let honest = Agent::builder("honest", link).swarm("team").start().await;
        let honest = honest.expect("memory opens");
        honest
            .wait_in_step(ACKNOWLEDGED_WITHIN)
            .await
            .expect("the hub is there");
        Self {
            _hub_runtime: hub_runtime,
            coordinator,
            hub,
            honest,
        }
    }

    /// The slowest of the honest agent's writes.
    async fn honest_writes(&self) -> Duration {
        let mut slowest = Duration::ZERO;
        for n in 0..WRITES {
            let began = Instant::now();
            self.honest
                .set("honest", i64::from(n))
                .await
                .expect("a write");
            let level = Durability::Hub;
            let flushed = self.honest.flush(level, Some(ACKNOWLEDGED_WITHIN)).await;
            flushed.expect("acknowledged in time");
            slowest = slowest.max(began.elapsed());
        }
        slowest
    }
}

impl Attacked {
    /// Those who are gone without a word are found out, and the hub goes on.
    pub(crate) fn only_the_honest_remain(self) {
        let Self { scene, runtime } = self;
        runtime.block_on(async {
            let alone = async {
                while scene.coordinator.connections() > 1 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            let limit = Duration::from_secs(20);
            let found = tokio::time::timeout(limit, alone).await;
            found.expect("they are given up");
            scene.honest_writes().await;
        });
    }
}

fn team() -> SwarmId {
    SwarmId::new("team").expect("a name")
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Runs the plans, all at once and over and over, while the honest agent writes.
pub(crate) fn under(name: &str, plans: impl Iterator<Item = Plan>) -> Attacked {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let hostile = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let runtime = runtime();
    let (scene, report) = runtime.block_on(async {
        let scene = Scene::new().await;
        let before = Memory::now_and_reset();
        let mut all = Vec::new();
        let address: SocketAddr = scene.coordinator.local_addr();
        for (number, plan) in plans.enumerate() {
            let done = Arc::new(Done::default());
            hostile.spawn(plan.run(address, number, Arc::clone(&done)));
            all.push((plan, done));
        }
        let slowest = scene.honest_writes().await;
        // The hub's own callers are served, too.
        let asked = Instant::now();
        let status = tokio::time::timeout(ACKNOWLEDGED_WITHIN, scene.hub.status(&team())).await;
        status.expect("an answer in time").expect("an answer");
        let asked = asked.elapsed();
        let grown = Memory::grown_since(before);
        let sum = |count: fn(&Done) -> &AtomicU64| -> u64 {
            let each = all.iter().map(|(_, done)| count(done).load(Ordering::Relaxed));
            each.sum()
        };
        let connections = sum(|done| &done.connections);
        let report = format!(
            "{name}: {WRITES} writes, the slowest acknowledged after {slowest:?}, a status after {asked:?}; \
             {connections} connections, {} of them welcomed, and {} bytes from the hostile; \
             memory grew by {}",
            sum(|done| &done.welcomes),
            sum(|done| &done.bytes),
            grown.map_or_else(|| "an amount not measured here".to_owned(), |bytes| format!("{} KiB of at most {}", bytes / 1024, ceiling() / 1024)),
        );
        assert!(connections > 0, "nobody came");
        for (number, (plan, done)) in all.iter().enumerate() {
            let welcomes = done.welcomes.load(Ordering::Relaxed);
            let let_in = welcomes > 0 || !plan.says_hello();
            assert!(let_in, "number {number} never got in to attack: {plan:?}; {report}");
        }
        assert!(grown.is_none_or(|bytes| bytes <= ceiling()), "{report}");
        (scene, report)
    });
    print_line(&report);
    hostile.shutdown_background();
    Attacked { scene, runtime }
}

#[expect(clippy::print_stdout, reason = "what was measured is worth reading")]
fn print_line(report: &str) {
    println!("{report}");
}

/// The memory of this process, from `/proc`; nothing on systems that have none.
struct Memory;

impl Memory {
    /// What is resident now; the peak counts from here.
    fn now_and_reset() -> Option<usize> {
        // Where it is refused the peak is an earlier one: more than is due, never less.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Self::field("VmRSS:")
    }

    fn grown_since(before: Option<usize>) -> Option<usize> {
        Some(Self::field("VmHWM:")?.saturating_sub(before?))
    }

    fn field(name: &str) -> Option<usize> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: usize = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    }
}
