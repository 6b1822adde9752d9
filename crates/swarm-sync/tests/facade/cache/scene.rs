//! A hub, a writer, and caches behind a wire that a test controls. All in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use swarm_sync::{
    AgentId, CacheOptions, CachedClient, Client, Clock, MemoryCoordinator, MemoryStore, Now,
    Operation, StartError, StateSynchronizer, Store, Value,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::wire::TestLink;
use crate::support::{PATIENCE, eventually, key, team};

/// The lifetime in tests that wait for its end.
pub(super) const TTL: Duration = Duration::from_secs(1);

/// A key that only [`Scene::told`] writes.
const MARK: &str = "mark";

/// Virtual time, and a wall clock that also goes on while the machine sleeps.
#[derive(Debug)]
pub(super) struct VirtualClock {
    start: Instant,
    slept_ms: AtomicU64,
}

impl VirtualClock {
    /// As a machine that was asleep meanwhile sees it.
    pub(super) fn sleep_through(&self, time: Duration) {
        self.slept_ms.fetch_add(millis(time), Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        let mono = self.start.elapsed();
        let slept = self.slept_ms.load(Ordering::SeqCst);
        Now {
            mono,
            wall_ms: 1_700_000_000_000 + millis(mono) + slept,
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("a test is short")
}

/// One hub at a time.
struct Hub {
    coordinator: Arc<MemoryCoordinator>,
    synchronizer: StateSynchronizer,
    writer: Client,
}

pub(super) struct Scene {
    pub(super) clock: Arc<VirtualClock>,
    pub(super) wire: Arc<TestLink>,
    hub: Mutex<Hub>,
    store: Arc<dyn Store>,
    marks: AtomicI64,
}

impl Scene {
    pub(super) async fn start() -> Self {
        let clock = Arc::new(VirtualClock {
            start: Instant::now(),
            slept_ms: AtomicU64::new(0),
        });
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let hub = open(Arc::clone(&store), Arc::clone(&clock)).await;
        Self {
            wire: Arc::new(TestLink::new(hub.coordinator.link())),
            hub: Mutex::new(hub),
            clock,
            store,
            marks: AtomicI64::new(0),
        }
    }

    pub(super) async fn try_cache(
        &self,
        options: CacheOptions,
    ) -> Result<CachedClient, StartError> {
        let options = CacheOptions {
            clock: self.clock.clone(),
            ..options
        };
        let name = AgentId::new("cache").expect("a name");
        CachedClient::connect(self.wire.clone(), team(), name, options).await
    }

    pub(super) async fn cache(&self, options: CacheOptions) -> CachedClient {
        self.try_cache(options).await.expect("the hub is there")
    }

    /// Writes at the hub, past the wire.
    pub(super) async fn write(&self, name: &str, number: i64) {
        self.put(name, Value::Int(number)).await;
    }

    pub(super) async fn put(&self, name: &str, value: Value) {
        self.perform(name, Operation::Put(value)).await;
    }

    pub(super) async fn delete(&self, name: &str) {
        self.perform(name, Operation::Delete).await;
    }

    async fn perform(&self, name: &str, operation: Operation) {
        let writer = &mut self.hub.lock().await.writer;
        let written = writer.write(key(name), operation, None).await;
        written.expect("the hub takes it");
    }

    /// Waits until the cache has heard of every change made so far: of one that is made now, after them.
    pub(super) async fn told(&self, cache: &CachedClient) {
        cache.get(MARK).await.expect("the hub is there");
        let mark = self.marks.fetch_add(1, Ordering::SeqCst);
        self.write(MARK, mark).await;
        eventually("the cache is told", async || {
            let read = cache.get(MARK).await.ok()?;
            (read.value() == Some(&Value::Int(mark))).then_some(())
        })
        .await;
    }

    pub(super) fn connections(&self) -> usize {
        let hub = self.hub.try_lock().expect("nobody writes");
        hub.coordinator.connections()
    }

    pub(super) async fn until_connected(&self, peers: usize) {
        eventually("the connection is gone", async || {
            (self.connections() == peers).then_some(())
        })
        .await;
    }

    /// Another run of the hub on the same store. The wire leads to it from the next connection on.
    pub(super) async fn restart_hub(&self) {
        self.replace_hub(Arc::clone(&self.store)).await;
    }

    /// A hub that knows nothing of what this one held.
    pub(super) async fn lose_state(&self) {
        self.replace_hub(Arc::new(MemoryStore::new())).await;
    }

    async fn replace_hub(&self, store: Arc<dyn Store>) {
        let mut hub = self.hub.lock().await;
        hub.synchronizer.shutdown().await;
        *hub = open(store, Arc::clone(&self.clock)).await;
        self.wire.lead_to(hub.coordinator.link());
    }
}

async fn open(store: Arc<dyn Store>, clock: Arc<VirtualClock>) -> Hub {
    let coordinator = Arc::new(MemoryCoordinator::default());
    let synchronizer = StateSynchronizer::builder(store, coordinator.clone());
    let synchronizer = synchronizer.clock(clock).start().await;
    let name = AgentId::new("writer").expect("a name");
    let writer = Client::connect(&coordinator.link(), team(), name, PATIENCE).await;
    Hub {
        coordinator,
        synchronizer: synchronizer.expect("memory opens"),
        writer: writer.expect("the hub is there"),
    }
}

pub(super) fn short_lived() -> CacheOptions {
    CacheOptions {
        ttl: TTL,
        ..CacheOptions::default()
    }
}
