//! A disk that is nearly full, under the real drivers: what is free is what the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use swarm_sync::{
    Durability, KEEP_FREE, MemoryStore, StateSynchronizer, Store, StoreError, SwarmId, Value,
};
use sync_core::{Batch, Operation, Row};

use crate::support::{PATIENCE, Wire, converged, eventually, flush, key, kind, team};

/// A store on a disk of which so much is free.
#[derive(Debug)]
struct OnDisk {
    memory: MemoryStore,
    free: AtomicU64,
}

impl OnDisk {
    fn new() -> Arc<Self> {
        let (memory, free) = (MemoryStore::new(), AtomicU64::new(u64::MAX));
        Arc::new(Self { memory, free })
    }

    fn leave(&self, bytes: u64) {
        self.free.store(bytes, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Store for OnDisk {
    async fn commit(&self, group: Vec<Batch>) -> Result<(), StoreError> {
        self.memory.commit(group).await
    }

    async fn scan(
        &self,
        swarm: &SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.memory.scan(swarm, after, limit).await
    }

    async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
        self.memory.swarms().await
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    fn bytes_free(&self) -> Option<u64> {
        Some(self.free.load(Ordering::SeqCst))
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.memory.close().await
    }
}

async fn takes_writes(hub: &StateSynchronizer) -> bool {
    hub.status(&team()).await.expect("it runs").takes_writes
}

/// Bad input, row 21.
#[tokio::test]
async fn writes_wait_at_agents_while_the_hubs_disk_is_nearly_full_and_come_in_when_it_is_not() {
    let (store, wire) = (OnDisk::new(), Wire::memory());
    let hub = wire.hub(store.clone()).await;
    let [a, b] = wire.agents::<2>().await;
    a.set("k", 1).await.unwrap();
    a.set("old", 1).await.unwrap();
    flush(&a).await;
    converged(&hub, &[&a, &b]).await;
    store.leave(KEEP_FREE - 1);
    eventually("it is noticed", async || {
        (!takes_writes(&hub).await).then_some(())
    })
    .await;

    a.set("k", 2).await.expect("its own disk has room");
    let mut client = wire.client().await;
    let put = || Operation::Put(1.into());
    assert_eq!(kind(client.write(key("l"), put(), None).await), "no-space");
    let read = client.get(key("k")).await.unwrap().expect("it is there");
    assert_eq!(read.value, Some(Value::Int(1)));
    let flushed = a
        .flush(Durability::Hub, Some(Duration::from_millis(50)))
        .await;
    assert_eq!(kind(flushed), "deadline");
    assert_eq!(a.state().await.unwrap().replica.pending_writes, 1);
    assert_eq!(
        a.get("k").await.unwrap().unwrap().value,
        Some(Value::Int(2))
    );
    let deleted = client.write(key("old"), Operation::Delete, None).await;
    deleted.expect("it takes away");

    store.leave(KEEP_FREE * 2);
    eventually("it is noticed", async || {
        takes_writes(&hub).await.then_some(())
    })
    .await;
    let written = client.write(key("l"), put(), None).await;
    written.expect("there is room");
    flush(&a).await;
    converged(&hub, &[&a, &b]).await;
    assert!(a.receipts().await.unwrap().is_empty());
    client.close().await;
    hub.shutdown().await;
}

/// Bad input, row 21.
#[tokio::test]
async fn an_agent_whose_disk_is_nearly_full_refuses_its_own_writes_and_follows_the_others() {
    let (store, wire) = (OnDisk::new(), Wire::memory());
    let hub = wire.memory_hub().await;
    let agent = wire.agent("a").store(store.clone()).keep_free(1_000);
    let agent = agent.start().await.expect("it opens");
    let [other] = wire.agents::<1>().await;
    agent.set("k", 1).await.expect("there is room");
    flush(&agent).await;
    store.leave(999);
    let refused = eventually("it is noticed", async || agent.set("k", 2).await.err()).await;
    assert_eq!(refused.kind(), "no-space");
    assert!(refused.to_string().contains("the disk of the agent a"));
    other.set("l", 3).await.unwrap();
    flush(&other).await;
    agent.wait_in_step(PATIENCE).await.unwrap();
    converged(&hub, &[&agent, &other]).await;
    store.leave(1_250);
    eventually("it is noticed", async || agent.set("k", 4).await.ok()).await;
    flush(&agent).await;
    converged(&hub, &[&agent, &other]).await;
    hub.shutdown().await;
}
