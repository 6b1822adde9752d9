//! How long a small write takes from one agent to another over TCP behind large ones: with a policy that
//! calls it critical, and without.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use swarm_sync::{
    Agent, CoordinatorOptions, Key, LinkOptions, MemoryStore, Pattern, Policies, Policy, Priority,
    SledStore, StateSynchronizer, Store, TcpCoordinator, TcpLink, Value,
};
use sync_benches::noise;
use tokio::runtime::{Builder, Runtime};

/// The large writes before the small one.
const LARGE: usize = 32;

/// Bytes of each.
const LARGE_BYTES: usize = 500 * 1024;

/// How often it is looked for.
const LOOK: Duration = Duration::from_micros(500);

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn table(priority: Priority) -> Policies {
    let mut alarm = Policy::new(Pattern::new("alarm").expect("a pattern"));
    alarm.priority = priority;
    Policies::new(vec![alarm]).expect("a table")
}

struct Scene {
    hub: StateSynchronizer,
    writer: Agent,
    reader: Agent,
}

impl Scene {
    async fn start(store: Arc<dyn Store>, priority: Priority) -> Self {
        let any = "127.0.0.1:0";
        let coordinator = TcpCoordinator::bind(any, CoordinatorOptions::default()).await;
        let coordinator = coordinator.expect("a free port");
        let address = coordinator.local_addr().to_string();
        let hub = StateSynchronizer::builder(store, Arc::new(coordinator));
        let hub = hub.policies(table(priority)).start().await;
        let agent = |name: &str| {
            let link = TcpLink::new(&address, LinkOptions::default());
            Agent::builder(name, link).swarm("bench").start()
        };
        let (writer, reader) = (agent("writer").await, agent("reader").await);
        let scene = Self {
            hub: hub.expect("the store opens"),
            writer: writer.expect("memory opens"),
            reader: reader.expect("memory opens"),
        };
        for agent in [&scene.writer, &scene.reader] {
            let limit = Duration::from_mins(1);
            agent.wait_in_step(limit).await.expect("the hub is there");
        }
        scene
    }

    /// From the small write to the moment it is seen; everything has arrived when this returns.
    async fn once(&self, round: i64) -> Duration {
        for n in 0..LARGE {
            let value = Value::Bytes(noise(round.unsigned_abs() * 1_000 + n as u64, LARGE_BYTES));
            let key = Key::new(format!("bulk{n}")).expect("a key");
            self.writer.set(key, value).await.expect("it fits");
        }
        let start = Instant::now();
        self.writer.set("alarm", round).await.expect("it fits");
        while self.shown().await != Some(Value::Int(round)) {
            tokio::time::sleep(LOOK).await;
        }
        let took = start.elapsed();
        let all = Some(Duration::from_mins(5));
        let flushed = self.writer.flush(swarm_sync::Durability::Hub, all).await;
        flushed.expect("the hub takes them");
        let limit = Duration::from_mins(5);
        self.reader
            .wait_in_step(limit)
            .await
            .expect("it catches up");
        took
    }

    async fn shown(&self) -> Option<Value> {
        let read = self.reader.get("alarm").await.expect("the agent runs");
        read.and_then(|state| state.value)
    }
}

fn measure(c: &mut Criterion, name: &str, priority: Priority, store: Arc<dyn Store>) {
    let runtime = runtime();
    let scene = runtime.block_on(Scene::start(store, priority));
    let mut round = 0;
    let mut group = c.benchmark_group("small_write_behind_16_mb");
    group.sample_size(10);
    group.bench_function(name, |b| {
        b.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                round += 1;
                took += runtime.block_on(scene.once(round));
            }
            took
        });
    });
    group.finish();
    runtime.block_on(async {
        scene.writer.shutdown().await;
        scene.reader.shutdown().await;
        scene.hub.shutdown().await;
    });
}

fn priorities(c: &mut Criterion) {
    for (name, priority) in [
        ("critical", Priority::Critical),
        ("usual", Priority::Medium),
    ] {
        let memory = Arc::new(MemoryStore::new());
        measure(c, &format!("{name}/memory"), priority, memory);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let sled = SledStore::open(directory.path()).expect("an empty directory opens");
        measure(c, &format!("{name}/sled"), priority, Arc::new(sled));
    }
}

criterion_group!(benches, priorities);
criterion_main!(benches);
