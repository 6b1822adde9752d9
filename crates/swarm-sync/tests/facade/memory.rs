//! The memory provider: through the hub's own handle, an agent and a client.

use std::path::Path;
use std::sync::Arc;

use swarm_sync::{
    AgentId, Client, Key, Memory, MemoryProvider, Namespace, Pattern, SledStore, StateSynchronizer,
    Store, SwarmId, Value,
};

use crate::support::{PATIENCE, Wire, key, kind, team};

fn notes() -> Namespace {
    Namespace::new("notes").expect("a name")
}

fn all() -> Pattern {
    Pattern::new("*").expect("a pattern")
}

async fn store(memory: &dyn MemoryProvider, name: &str, value: i64, persistent: bool) {
    let stored = memory
        .store(&notes(), &key(name), value.into(), persistent)
        .await;
    stored.expect("there is room");
}

async fn read(memory: &dyn MemoryProvider, name: &str) -> Option<Value> {
    let read = memory.retrieve(&notes(), &key(name)).await;
    read.expect("the hub is there")
}

async fn open(wire: &Wire, path: &Path) -> (Arc<dyn Store>, StateSynchronizer) {
    let store: Arc<dyn Store> = Arc::new(SledStore::open(path).expect("the directory opens"));
    let hub = wire.hub(store.clone()).await;
    (store, hub)
}

#[tokio::test]
async fn everybody_in_a_swarm_shares_one_memory() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let [agent] = wire.agents::<1>().await;
        let client: Memory = wire.client().await.memory();
        let faces: [Arc<dyn MemoryProvider>; 3] = [
            Arc::new(hub.memory(&team())),
            Arc::new(agent.memory()),
            Arc::new(client),
        ];
        for (number, writer) in (0..).zip(&faces) {
            let before = read(&**writer, "k").await;
            assert_eq!(before, (number > 0).then(|| Value::Int(number - 1)));
            store(&**writer, "k", number, number % 2 == 0).await;
            for reader in &faces {
                assert_eq!(read(&**reader, "k").await, Some(number.into()));
            }
        }
        let last = &faces[2];
        let absent = last.retrieve_or(&notes(), &key("none"), 7.into()).await;
        assert_eq!(absent.unwrap(), 7.into());
        let there = last.retrieve_or(&notes(), &key("k"), 7.into()).await;
        assert_eq!(there.unwrap(), 2.into());
        let stats = last.stats().await.unwrap();
        assert_eq!(stats.namespaces.len(), 1);
        assert_eq!(stats.namespaces[0].persistent, 1);
        assert!(last.delete(&notes(), &key("k")).await.unwrap());
        assert!(!faces[0].delete(&notes(), &key("k")).await.unwrap());
        assert_eq!(agent.keys("*").await.unwrap(), [], "no replica holds it");
        hub.shutdown().await;
    }
}

#[tokio::test]
async fn what_is_persistent_is_there_after_a_restart_and_the_rest_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let wire = Wire::memory();
    let (disk, hub) = open(&wire, directory.path()).await;
    let memory = hub.memory(&team());
    store(&memory, "persistent", 1, true).await;
    store(&memory, "volatile", 1, false).await;
    store(&memory, "both", 1, true).await;
    store(&memory, "both", 2, false).await;
    let large = Value::from("x".repeat(500_000));
    let stored = memory
        .store(&notes(), &key("large"), large.clone(), true)
        .await;
    stored.expect("a value may be that large");
    hub.shutdown().await;
    disk.close().await.unwrap();

    let (disk, hub) = open(&Wire::memory(), directory.path()).await;
    let memory = hub.memory(&team());
    let keys = memory.list_keys(&notes(), &all()).await.unwrap();
    assert_eq!(keys, ["large", "persistent"].map(key));
    assert_eq!(read(&memory, "persistent").await, Some(1.into()));
    assert_eq!(read(&memory, "large").await, Some(large));
    let status = hub.status(&team()).await.unwrap();
    assert_eq!((status.revision.get(), status.keys), (0, 0), "no commit");
    hub.shutdown().await;
    disk.close().await.unwrap();
}

/// Bad input, row 16.
#[tokio::test]
async fn a_swarm_does_not_see_the_memory_of_another() {
    let directory = tempfile::tempdir().unwrap();
    let wire = Wire::memory();
    let (disk, hub) = open(&wire, directory.path()).await;
    let other = SwarmId::new("other").unwrap();
    let (ours, theirs) = (hub.memory(&team()), hub.memory(&other));
    store(&ours, "k", 1, true).await;
    assert_eq!(read(&theirs, "k").await, None);
    store(&theirs, "k", 2, true).await;
    let agent = wire.agent("agent").swarm("other").start().await.unwrap();
    agent.wait_in_step(PATIENCE).await.unwrap();
    assert_eq!(read(&agent.memory(), "k").await, Some(2.into()));
    assert_eq!(theirs.clear_namespace(&notes()).await.unwrap(), 1);
    assert_eq!(read(&ours, "k").await, Some(1.into()));
    assert_eq!(theirs.stats().await.unwrap().bytes, 0);
    hub.shutdown().await;
    disk.close().await.unwrap();

    let (disk, hub) = open(&Wire::memory(), directory.path()).await;
    assert_eq!(read(&hub.memory(&team()), "k").await, Some(1.into()));
    assert_eq!(read(&hub.memory(&other), "k").await, None);
    hub.shutdown().await;
    disk.close().await.unwrap();
}

#[tokio::test]
async fn listings_and_stats_span_all_pages_and_a_large_clear_ends() {
    let directory = tempfile::tempdir().unwrap();
    let wire = Wire::memory();
    let (disk, hub) = open(&wire, directory.path()).await;
    let memory = hub.memory(&team());
    let mut stores = tokio::task::JoinSet::new();
    for number in 0..2_500_i64 {
        let memory = memory.clone();
        stores.spawn(async move {
            store(&memory, &format!("k{number:04}"), number, number % 5 > 0).await;
            let own = Namespace::new(format!("n{}", number % 600)).expect("a name");
            let stored = memory.store(&own, &key("k"), number.into(), false).await;
            stored.expect("there is room");
        });
    }
    stores.join_all().await;
    let keys: Vec<Key> = memory.list_keys(&notes(), &all()).await.unwrap();
    assert_eq!(keys.len(), 2_500);
    assert!(keys.is_sorted());
    assert_eq!(memory.stats().await.unwrap().namespaces.len(), 601);
    assert_eq!(memory.clear_namespace(&notes()).await.unwrap(), 2_500);
    assert_eq!(memory.stats().await.unwrap().namespaces.len(), 600);
    store(&memory, "k0001", 7, true).await;
    hub.shutdown().await;
    disk.close().await.unwrap();

    let (disk, hub) = open(&Wire::memory(), directory.path()).await;
    let memory = hub.memory(&team());
    let keys = memory.list_keys(&notes(), &all()).await.unwrap();
    assert_eq!(keys, [key("k0001")]);
    hub.shutdown().await;
    disk.close().await.unwrap();
}

#[tokio::test]
async fn without_a_hub_there_is_no_memory_and_a_sentence_says_so() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [agent] = wire.agents::<1>().await;
    let memory = agent.memory();
    store(&memory, "k", 1, true).await;
    agent.go_offline().await.unwrap();
    let refused = memory.retrieve(&notes(), &key("k")).await;
    let error = refused.expect_err("the replica does not hold it");
    assert_eq!(error.kind(), "unavailable");
    assert!(
        error.to_string().contains("using the swarm's memory"),
        "{error}"
    );
    agent.go_online().await.unwrap();
    agent.wait_in_step(PATIENCE).await.unwrap();
    assert_eq!(read(&memory, "k").await, Some(1.into()));
    hub.shutdown().await;
}

#[tokio::test]
async fn a_value_over_the_limit_is_said_to_be_too_large_whoever_stores_it() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let [agent] = wire.agents::<1>().await;
        let name = AgentId::new("client").unwrap();
        let client = Client::connect(&*wire.link(), team(), name, PATIENCE).await;
        let client = client.unwrap().memory();
        for bytes in [600_000, 1_000_000, 2_000_000] {
            let value = Value::from("x".repeat(bytes));
            for memory in [&hub.memory(&team()), &agent.memory(), &client] {
                let refused = memory.store(&notes(), &key("k"), value.clone(), true).await;
                assert_eq!(kind(refused), "too-large", "{memory:?}: {bytes}");
                assert_eq!(read(memory, "k").await, None);
            }
        }
        let deep = (0..40).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        let refused = agent.memory().store(&notes(), &key("k"), deep, true).await;
        assert_eq!(kind(refused), "invalid");
        hub.shutdown().await;
    }
}
