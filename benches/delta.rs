//! `delta_sync` of 10 changes must cost the same among a thousand keys and among a million.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use swarm_sync::{MemoryStore, Since, SledStore, Store};
use sync_benches::Pair;
use tokio::runtime::{Builder, Runtime};

const CHANGES: usize = 10;

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn measure(c: &mut Criterion, group: &str, keys: usize, store: Arc<dyn Store>) {
    let runtime = runtime();
    let (pair, since) = runtime.block_on(async {
        let pair = Pair::start(store).await;
        pair.fill(keys).await;
        let since = pair.change(CHANGES).await;
        (pair, Since::Revision(since))
    });
    c.benchmark_group(group)
        .bench_function(keys.to_string(), |b| {
            b.iter(|| {
                let delta = runtime.block_on(pair.hub.delta_sync(&pair.swarm, since));
                let delta = delta.expect("the revision is the hub's");
                assert_eq!(delta.changes.len(), CHANGES);
                black_box(delta)
            });
        });
    runtime.block_on(async {
        pair.agent.shutdown().await;
        pair.hub.shutdown().await;
    });
}

fn memory(c: &mut Criterion) {
    for keys in [1_000, 100_000, 1_000_000] {
        measure(
            c,
            "delta_sync_10_changes/memory",
            keys,
            Arc::new(MemoryStore::new()),
        );
    }
}

fn sled(c: &mut Criterion) {
    for keys in [1_000, 100_000] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = SledStore::open(directory.path()).expect("an empty directory opens");
        measure(c, "delta_sync_10_changes/sled", keys, Arc::new(store));
    }
}

criterion_group!(benches, memory, sled);
criterion_main!(benches);
