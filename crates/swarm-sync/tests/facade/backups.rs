//! A hub that is copied while it serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use swarm_sync::keeping::{KeepingError, restore};
use swarm_sync::{MemoryStore, SledStore, Value};

use crate::support::{Wire, flush, key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_made_while_others_write_has_what_was_acknowledged_before() {
    let place = tempfile::tempdir().unwrap();
    let store = Arc::new(SledStore::open(place.path().join("hub")).unwrap());
    let wire = Wire::memory();
    let hub = wire.hub(store).await;
    let agent = Arc::new(wire.agent("a").start().await.unwrap());
    let at_hub = Arc::new(AtomicI64::new(0));
    let writing = tokio::spawn({
        let (agent, at_hub) = (Arc::clone(&agent), Arc::clone(&at_hub));
        async move {
            for n in 1..=60 {
                agent.set("k", n).await.unwrap();
                flush(&agent).await;
                at_hub.store(n, Ordering::SeqCst);
            }
        }
    });
    let mut copies = Vec::new();
    while !writing.is_finished() {
        let acknowledged = at_hub.load(Ordering::SeqCst);
        if acknowledged == 0 {
            tokio::task::yield_now().await;
            continue;
        }
        let file = place.path().join(format!("{}.backup", copies.len()));
        hub.backup(&file).await.unwrap();
        copies.push((file, acknowledged));
    }
    writing.await.unwrap();
    let again = hub.backup(&copies[0].0).await;
    assert!(
        matches!(again, Err(KeepingError::Exists { .. })),
        "{again:?}"
    );
    hub.shutdown().await;
    let late = hub.backup(place.path().join("late")).await;
    assert!(
        matches!(late, Err(KeepingError::Stopped { .. })),
        "{late:?}"
    );

    for (file, acknowledged) in copies {
        let store = Arc::new(MemoryStore::new());
        restore(&file, &*store).await.unwrap();
        let wire = Wire::memory();
        let hub = wire.hub(store).await;
        let held = wire.client().await.get(key("k")).await.unwrap();
        let Some(Value::Int(held)) = held.and_then(|state| state.value) else {
            panic!("{acknowledged} were acknowledged, and there is none");
        };
        assert!(held >= acknowledged, "{held} of {acknowledged}");
        hub.shutdown().await;
    }
}
