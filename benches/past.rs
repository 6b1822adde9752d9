//! What remembering each commit costs, and what asking for it does. Both sides of a comparison take turns
//! within one run, so that whatever else the machine does meets both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use swarm_sync::{
    Agent, AgentId, Client, Durability, Limits, MemoryCoordinator, MemoryStore, Operation,
    SledStore, StateSynchronizer, Store, SwarmId,
};
use sync_benches::{key, value};
use tokio::runtime::{Builder, Runtime};

/// Clients that write at the same time, so that commits share flushes, and writes of each in one turn.
const CLIENTS: usize = 32;
const WRITES: usize = 50;

/// Turns of each side. What else a machine does comes in bursts: with so many the middle one is met by none.
const TURNS: usize = 61;

/// Keys that they go to: each is written again and again, so that there is something to drop.
const KEYS: usize = 100;

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A hub that remembers its commits or does not, and those who write there.
struct Side {
    hub: StateSynchronizer,
    agent: Agent,
    clients: Vec<Client>,
    took: Vec<Duration>,
}

impl Side {
    async fn start(store: Arc<dyn Store>, remembers: bool) -> Self {
        let mut limits = Limits::default();
        if !remembers {
            limits.history_commits = 0;
            limits.journal_max = 0;
        }
        let coordinator = Arc::new(MemoryCoordinator::default());
        let hub = StateSynchronizer::builder(store, coordinator.clone()).limits(limits);
        let hub = hub.start().await.expect("the store opens");
        let agent = Agent::builder("agent", coordinator.link()).swarm("bench");
        let agent = agent.start().await.expect("memory opens");
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let link = coordinator.link();
            let swarm = SwarmId::new("bench").expect("a valid name");
            let name = AgentId::new("client").expect("a valid name");
            let client = Client::connect(&link, swarm, name, Duration::from_mins(1)).await;
            clients.push(client.expect("the hub is there"));
        }
        let took = Vec::new();
        Self {
            hub,
            agent,
            clients,
            took,
        }
    }

    /// Every write of a client is a commit of its own.
    async fn turn(&mut self, turn: usize) {
        let start = Instant::now();
        let fill = u8::try_from(turn % 250).expect("below 250");
        let mut writing = tokio::task::JoinSet::new();
        for (at, mut client) in self.clients.drain(..).enumerate() {
            writing.spawn(async move {
                for n in 0..WRITES {
                    let operation = Operation::Put(value(fill));
                    let key = key((at * WRITES + n) % KEYS);
                    let written = client.write(key, operation, None).await;
                    written.expect("it fits");
                }
                client
            });
        }
        while let Some(client) = writing.join_next().await {
            self.clients.push(client.expect("no write panics"));
        }
        self.took.push(start.elapsed());
    }

    /// Commits a second, in the middle turn.
    fn rate(&self) -> f64 {
        let commits = u32::try_from(CLIENTS * WRITES).expect("a few");
        let took = self.took.iter().map(Duration::as_secs_f64);
        f64::from(commits) / middle(took.collect())
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What the one side does in the time of the other, of turns that follow on each other.
fn ratio(with: &Side, without: &Side) -> f64 {
    let turns = with.took.iter().zip(&without.took);
    middle(turns.map(|(on, off)| off.div_duration_f64(*on)).collect())
}

#[expect(clippy::print_stdout, reason = "a measurement is told")]
fn throughput(name: &str, stores: [Arc<dyn Store>; 2]) {
    runtime().block_on(async {
        let [first, second] = stores;
        let mut with = Side::start(first, true).await;
        let mut without = Side::start(second, false).await;
        for turn in 0..TURNS {
            // Neither always comes first.
            if turn % 2 == 0 {
                with.turn(turn).await;
                without.turn(turn).await;
            } else {
                without.turn(turn).await;
                with.turn(turn).await;
            }
        }
        println!(
            "commits/{name}: {:.0}/s with history, {:.0}/s without: {:.2}",
            with.rate(),
            without.rate(),
            ratio(&with, &without)
        );
        for side in [with, without] {
            side.agent.shutdown().await;
            side.hub.shutdown().await;
        }
    });
}

fn remembering(c: &mut Criterion) {
    throughput(
        "memory",
        [Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new())],
    );
    let directory = tempfile::tempdir().expect("a temporary directory");
    let sled = |name: &str| -> Arc<dyn Store> {
        let store = SledStore::open(directory.path().join(name));
        Arc::new(store.expect("an empty directory opens"))
    };
    throughput("sled", [sled("with"), sled("without")]);
    asking(c);
}

/// The same questions of a key among few and among many, with a short past and a long one.
fn asking(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("past");
    for keys in [100, 10_000] {
        let swarm = SwarmId::new("bench").expect("a valid name");
        let asked = key(0);
        let store = Arc::new(MemoryStore::new());
        let side = runtime.block_on(Side::start(store, true));
        runtime.block_on(async {
            for n in 0..keys + 16 {
                let number = if n < keys { n } else { 0 };
                let fill = u8::try_from(n % 250).expect("below 250");
                let set = side.agent.set(key(number), value(fill)).await;
                set.expect("it fits");
            }
            let limit = Some(Duration::from_mins(5));
            let flushed = side.agent.flush(Durability::Hub, limit).await;
            flushed.expect("the hub takes them");
        });
        for commits in [1, 16] {
            group.bench_function(format!("history of {commits}, {keys} keys"), |b| {
                b.iter(|| {
                    let answer = side.hub.history(&swarm, &asked, None, commits);
                    runtime.block_on(answer).expect("an answer")
                });
            });
        }
        group.bench_function(format!("explain, {keys} keys"), |b| {
            b.iter(|| {
                let answer = side.hub.explain(&swarm, &asked);
                runtime.block_on(answer).expect("an answer")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, remembering);
criterion_main!(benches);
