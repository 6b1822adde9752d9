//! Durable commits: many writers share a flush.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use swarm_sync::{SledStore, Store, SwarmId};
use sync_benches::VALUE_BYTES;
use sync_core::{Batch, RowOp};
use tokio::runtime::Builder;

/// Commits that each writer makes per iteration: enough for groups to form.
const COMMITS_PER_WRITER: usize = 8;

fn batch(swarm: &SwarmId, writer: usize, number: usize) -> Batch {
    let key = format!("w/{writer:04}/{number:04}").into_bytes().into();
    let op = RowOp::Put {
        key,
        value: vec![1; VALUE_BYTES].into(),
    };
    Batch {
        swarm: swarm.clone(),
        ops: vec![op],
    }
}

async fn write_all(store: &Arc<dyn Store>, swarm: &SwarmId, writers: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let (store, swarm) = (Arc::clone(store), swarm.clone());
        tasks.spawn(async move {
            for number in 0..COMMITS_PER_WRITER {
                let group = vec![batch(&swarm, writer, number)];
                store.commit(group).await.expect("the disk takes it");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no writer panics");
    }
}

fn commits(c: &mut Criterion) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let swarm = SwarmId::new("bench").expect("a valid name");
    let mut group = c.benchmark_group("durable_commits/sled");
    group.sample_size(20);
    for writers in [1, 8, 64] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let opened = SledStore::open(directory.path()).expect("an empty directory opens");
        let store: Arc<dyn Store> = Arc::new(opened);
        group.throughput(Throughput::Elements((writers * COMMITS_PER_WRITER) as u64));
        group.bench_function(format!("{writers}_writers"), |b| {
            b.iter(|| runtime.block_on(write_all(&store, &swarm, writers)));
        });
        runtime.block_on(store.close()).expect("the store closes");
    }
    group.finish();
}

criterion_group!(benches, commits);
criterion_main!(benches);
