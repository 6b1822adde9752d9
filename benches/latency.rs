//! The latencies that the specification names, for a hundred agents over TCP: full synchronization, delta,
//! version query. Beside criterion's figures it prints the middle and the hundredth slowest of all runs,
//! and the bytes.
#![expect(clippy::print_stdout, reason = "these figures are the purpose")]

use std::cell::RefCell;
use std::ops::AsyncFnMut;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use swarm_sync::{Agent, Key, MemoryStore, Since, SledStore, Store, SyncReport, Traffic, Value};
use sync_benches::{Crowd, PATIENCE, key, noise};
use tokio::runtime::{Builder, Runtime};

const AGENTS: usize = 100;

/// The specification's example: a hundred states of a kilobyte, of which ten have changed.
const KEYS: usize = 100;
const CHANGES: usize = 10;
const VALUE_BYTES: usize = 1_024;

/// Makes unlike seeds of numbers that follow on each other.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// How long the hub's count stands still before it is taken: far longer than counting a message takes, and
/// far shorter than the pause between signs of life.
const QUIET: Duration = Duration::from_millis(20);

/// Bytes that no compression makes fewer, so that what is counted is what there is to send. No two writes
/// are of the same bytes, or a digest would say that there is nothing new.
fn value(number: usize) -> Value {
    let mut bytes = noise((number as u64).wrapping_mul(SPREAD), VALUE_BYTES);
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Value::Bytes(bytes)
}

/// One thread that all agents share, and that goes on while criterion looks at its figures: one that only
/// moves within `block_on` is silent meanwhile, and the hub closes its connections.
fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    runtime.expect("a runtime")
}

/// Runs `once` as often as criterion likes; it says how long what counts has taken.
fn measure(
    c: &mut Criterion,
    runtime: &Runtime,
    name: &str,
    mut once: impl AsyncFnMut() -> Duration,
) {
    let taken = RefCell::new(Vec::new());
    c.bench_function(name, |b| {
        b.iter_custom(|times| {
            let mut sum = Duration::ZERO;
            for _ in 0..times {
                let time = runtime.block_on(once());
                taken.borrow_mut().push(time);
                sum += time;
            }
            sum
        });
    });
    let mut taken = taken.into_inner();
    if taken.is_empty() {
        return;
    }
    taken.sort();
    let of = |percent: usize| taken[(taken.len() - 1) * percent / 100];
    let (runs, half, most) = (taken.len(), of(50), of(99));
    println!("{name}: p50 {half:.2?}, p99 {most:.2?}, {runs} runs");
}

async fn sync(crowd: &Crowd, keys: &[Key]) -> SyncReport {
    let report = crowd
        .hub
        .synchronize_many(&crowd.swarm, keys, Some(PATIENCE));
    let report = report.await.expect("agents are there");
    assert_eq!(
        (report.responded.len(), report.in_step.len()),
        (AGENTS, AGENTS)
    );
    report
}

/// Nothing has changed; each agent has written; for one key and for many.
fn full(c: &mut Criterion, store_name: &str, store: Arc<dyn Store>) {
    let runtime = runtime();
    let crowd = runtime.block_on(async {
        let crowd = Crowd::start(store, AGENTS).await;
        crowd.fill(KEYS, value).await;
        crowd
    });
    let mut written = KEYS;
    for count in [1, KEYS] {
        let keys: Vec<Key> = (0..count).map(key).collect();
        let name = format!("full/{store_name}/{count}_keys");
        measure(c, &runtime, &format!("{name}/unchanged"), async || {
            let start = Instant::now();
            let report = sync(&crowd, &keys).await;
            assert_eq!(report.bytes, 0);
            start.elapsed()
        });
        measure(c, &runtime, &format!("{name}/all_write"), async || {
            written += AGENTS;
            let start = Instant::now();
            crowd
                .write_all(|agent| agent % count, |agent| value(written + agent))
                .await;
            sync(&crowd, &keys).await;
            let taken = start.elapsed();
            crowd.settle().await;
            taken
        });
    }
    runtime.block_on(crowd.stop());
}

fn full_memory(c: &mut Criterion) {
    full(c, "memory", Arc::new(MemoryStore::new()));
}

fn full_sled(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SledStore::open(directory.path()).expect("an empty directory opens");
    full(c, "sled", Arc::new(store));
}

/// What the hub has sent, once it has counted it: it counts after it has sent.
fn counted(crowd: &Crowd) -> u64 {
    let mut before = None;
    loop {
        let Traffic { sent, .. } = crowd.traffic();
        if before == Some(sent) {
            return sent;
        }
        before = Some(sent);
        thread::sleep(QUIET);
    }
}

/// Asks once with nothing else going on, several times because of signs of life in between.
fn bytes_of(crowd: &mut Crowd, runtime: &Runtime, since: Since) -> u64 {
    let mut once = || {
        let before = counted(crowd);
        runtime
            .block_on(crowd.client.delta(since))
            .expect("the hub runs");
        counted(crowd) - before
    };
    (0..10).map(|_| once()).min().expect("there are ten")
}

/// What was counted holds at least the values, as nothing makes them smaller.
fn show_bytes(name: &str, bytes: u64, values: usize) {
    assert!(bytes > (values * VALUE_BYTES) as u64, "{name}: {bytes}");
    println!("{name}: {bytes} bytes");
}

/// The version of a key, what changed, and all there is, asked by a client.
fn asked(c: &mut Criterion) {
    let runtime = runtime();
    let (mut crowd, since) = runtime.block_on(async {
        let crowd = Crowd::start(Arc::new(MemoryStore::new()), AGENTS).await;
        crowd.fill(KEYS, value).await;
        let before = crowd.hub.status(&crowd.swarm).await.expect("the hub runs");
        crowd.fill(CHANGES, |n| value(KEYS + n)).await;
        (crowd, Since::Revision(before.revision))
    });
    measure(c, &runtime, "version", async || {
        let start = Instant::now();
        let version = crowd.client.version(key(0)).await;
        let taken = start.elapsed();
        assert!(version.expect("the hub runs").is_some());
        taken
    });
    for (name, since, count) in [
        ("delta", since, CHANGES),
        ("everything", Since::START, KEYS),
    ] {
        measure(c, &runtime, name, async || {
            let start = Instant::now();
            let delta = crowd.client.delta(since).await.expect("the hub runs");
            assert_eq!(delta.changes.len(), count);
            start.elapsed()
        });
        show_bytes(name, bytes_of(&mut crowd, &runtime, since), count);
    }
    runtime.block_on(crowd.stop());
}

async fn received(agent: &Agent) -> u64 {
    agent.state().await.expect("it runs").traffic.received
}

/// An agent comes back: from the decision to connect until it holds the ten states that it has missed.
fn comes_back(c: &mut Criterion) {
    let runtime = runtime();
    let crowd = runtime.block_on(async {
        let crowd = Crowd::start(Arc::new(MemoryStore::new()), AGENTS).await;
        crowd.fill(KEYS, value).await;
        crowd
    });
    let (away, here) = (&crowd.agents[1], &crowd.agents[0]);
    let (mut written, mut bytes) = (KEYS, 0);
    measure(c, &runtime, "comes_back", async || {
        away.go_offline().await.expect("it runs");
        for n in 0..CHANGES {
            written += 1;
            let value = value(written);
            here.set(key(n), value).await.expect("it fits");
        }
        let flushed = here
            .flush(swarm_sync::Durability::Hub, Some(PATIENCE))
            .await;
        flushed.expect("the hub takes them");
        let before = received(away).await;
        let start = Instant::now();
        away.go_online().await.expect("it runs");
        away.wait_in_step(PATIENCE).await.expect("the hub is there");
        let taken = start.elapsed();
        bytes = received(away).await - before;
        let held = away.get(key(CHANGES - 1)).await.expect("it runs");
        let held = held.expect("it was written").value;
        assert_eq!(held, Some(value(written)));
        taken
    });
    show_bytes("comes_back", bytes, CHANGES);
    runtime.block_on(crowd.stop());
}

fn config() -> Criterion {
    Criterion::default().sample_size(50)
}

criterion_group! {
    name = benches;
    config = config();
    targets = asked, comes_back, full_memory, full_sled
}
criterion_main!(benches);
