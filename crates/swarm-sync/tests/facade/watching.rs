//! Watching through the tasks: from the hub's process, as an agent, from afar; across lost connections and
//! restarts of the hub.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{
    Agent, AgentId, ChangeKind, Client, Coordinator, CoordinatorOptions, LinkOptions, MemoryStore,
    Pattern, Since, SledStore, StateSynchronizer, Store, TcpCoordinator, TcpLink, Value, Watch,
    WatchEvent,
};

use crate::support::{PATIENCE, Wire, flush, team};

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).expect("a pattern")
}

async fn next(watch: &mut Watch) -> WatchEvent {
    let next = tokio::time::timeout(PATIENCE, watch.next()).await;
    next.expect("something happens").expect("the hub is there")
}

async fn change(watch: &mut Watch) -> (String, Option<Value>) {
    match next(watch).await {
        WatchEvent::Change(change) => (change.state.key.to_string(), change.state.value),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn everybody_who_watches_sees_every_change_in_order() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let [writer, watcher] = wire.agents::<2>().await;
        let link: Arc<dyn swarm_sync::Link> = match &wire {
            Wire::Memory(memory) => Arc::new(memory.link()),
            Wire::Tcp(tcp) => Arc::new(TcpLink::new(tcp.local_addr(), LinkOptions::default())),
        };
        let name = AgentId::new("afar").expect("a name");
        let start = Some(Since::START);
        let mut watches = [
            hub.watch(&team(), pattern("task_*"), start),
            watcher.watch(pattern("task_*"), start),
            Client::watch(link, team(), name, pattern("task_*"), start),
        ];
        writer.set("task_1", 0).await.unwrap();
        flush(&writer).await;
        for watch in &mut watches {
            // Nobody watched when it was made, perhaps.
            let first = match next(watch).await {
                WatchEvent::Compacted { .. } => change(watch).await,
                WatchEvent::Change(change) => (change.state.key.to_string(), change.state.value),
                other => panic!("{other:?}"),
            };
            assert_eq!(first, ("task_1".to_owned(), Some(Value::Int(0))));
        }
        for n in 1..=20 {
            writer.set("task_1", n).await.unwrap();
            writer.set("other", n).await.unwrap();
            flush(&writer).await;
        }
        writer.delete("task_1").await.unwrap();
        for watch in &mut watches {
            for n in 1..=20 {
                let expected = ("task_1".to_owned(), Some(Value::Int(n)));
                assert_eq!(change(watch).await, expected);
            }
            let WatchEvent::Change(last) = next(watch).await else {
                panic!("a delete is a change")
            };
            assert_eq!(last.kind, ChangeKind::Deleted);
        }
    }
}

/// One line at a time of work lets the watcher fall behind; nothing is lost on it.
#[tokio::test]
async fn a_watcher_that_takes_its_time_misses_nothing() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [writer] = wire.agents::<1>().await;
    let mut watch = hub.watch(&team(), pattern("*"), None);
    // The first question settles from where.
    let asked = tokio::time::timeout(Duration::from_millis(50), watch.next()).await;
    assert!(asked.is_err(), "nothing has happened yet");
    for n in 0..500 {
        writer.set("k", n).await.unwrap();
        // A commit of its own, so that there is one to miss.
        flush(&writer).await;
    }
    for n in 0..500 {
        let expected = ("k".to_owned(), Some(Value::Int(n)));
        assert_eq!(change(&mut watch).await, expected);
    }
}

async fn serve(store: Arc<dyn Store>, address: &str) -> (StateSynchronizer, Arc<TcpCoordinator>) {
    let bound = TcpCoordinator::bind(address, CoordinatorOptions::default()).await;
    let tcp = Arc::new(bound.expect("the address is free"));
    let coordinator: Arc<dyn Coordinator> = tcp.clone();
    let hub = StateSynchronizer::builder(store, coordinator).start().await;
    (hub.expect("the store opens"), tcp)
}

fn sled(path: &Path) -> Arc<dyn Store> {
    Arc::new(SledStore::open(path).expect("a directory"))
}

#[tokio::test]
async fn a_watch_goes_on_when_the_hub_is_back() {
    let place = tempfile::tempdir().expect("a directory");
    let store = sled(place.path());
    let (hub, tcp) = serve(Arc::clone(&store), "127.0.0.1:0").await;
    let address = tcp.local_addr();
    let writer = Agent::builder("writer", TcpLink::new(address, LinkOptions::default()))
        .swarm("team")
        .start()
        .await
        .unwrap();
    let link = Arc::new(TcpLink::new(address, LinkOptions::default()));
    let name = AgentId::new("afar").expect("a name");
    let mut watch = Client::watch(link, team(), name, pattern("*"), Some(Since::START));
    writer.set("k", 1).await.unwrap();
    while !matches!(next(&mut watch).await, WatchEvent::Change(_)) {}
    hub.shutdown().await;
    drop((hub, tcp));
    store.close().await.unwrap();
    drop(store);
    writer.set("k", 2).await.unwrap();
    writer.set("l", 3).await.unwrap();
    let (hub, _tcp) = serve(sled(place.path()), &address.to_string()).await;
    flush(&writer).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match next(&mut watch).await {
            WatchEvent::Change(change) => seen.push(change.state.key.to_string()),
            WatchEvent::Compacted { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    seen.sort();
    assert_eq!(seen, ["k", "l"]);
    // A hub that knows nothing of that position says so.
    let position = watch.position().expect("it has been somewhere");
    hub.shutdown().await;
    let stranger = Wire::memory();
    let other = stranger.hub(Arc::new(MemoryStore::new())).await;
    let mut lost = other.watch(&team(), pattern("*"), Some(position));
    assert!(matches!(next(&mut lost).await, WatchEvent::Reload { .. }));
}
