//! Where a watch begins, where another one can go on, and what giving up to wait leaves behind.

use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{
    Agent, AgentId, Client, CoordinatorOptions, Link, LinkOptions, MemoryStore, Pattern, Since,
    StateSynchronizer, TcpCoordinator, TcpLink, Value, Watch, WatchEvent,
};

use crate::support::{PATIENCE, Wire, flush, team};

/// Long enough for whatever is not to happen.
const A_WHILE: Duration = Duration::from_millis(300);

fn any() -> Pattern {
    Pattern::new("*").expect("a pattern")
}

fn from_afar(wire: &Wire, from: Option<Since>) -> Watch {
    let link: Arc<dyn Link> = match wire {
        Wire::Memory(memory) => Arc::new(memory.link()),
        Wire::Tcp(tcp) => Arc::new(TcpLink::new(tcp.local_addr(), LinkOptions::default())),
    };
    let name = AgentId::new("afar").expect("a name");
    Client::watch(link, team(), name, any(), from)
}

fn all(hub: &StateSynchronizer, agent: &Agent, wire: &Wire, from: Option<Since>) -> [Watch; 3] {
    let local = hub.watch(&team(), any(), from);
    [local, agent.watch(any(), from), from_afar(wire, from)]
}

async fn next(watch: &mut Watch) -> WatchEvent {
    let next = tokio::time::timeout(PATIENCE, watch.next()).await;
    next.expect("something happens").expect("the hub is there")
}

async fn changed_key(watch: &mut Watch) -> String {
    loop {
        match next(watch).await {
            WatchEvent::Change(change) => return change.state.key.to_string(),
            WatchEvent::Compacted { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn nothing(watch: &mut Watch) {
    if let Ok(next) = tokio::time::timeout(A_WHILE, watch.next()).await {
        panic!("{next:?}");
    }
}

fn keys(events: &[WatchEvent]) -> Vec<&str> {
    let changes = events.iter().map(|event| match event {
        WatchEvent::Change(change) => change.state.key.as_str(),
        other => panic!("{other:?}"),
    });
    changes.collect()
}

/// Else each turn of the loop would leave a question at the hub, which bears 64 of them.
#[tokio::test]
async fn giving_up_to_wait_loses_nothing_and_leaves_nothing_behind() {
    let wire = Wire::tcp("127.0.0.1:0").await;
    let hub = wire.memory_hub().await;
    let [writer] = wire.agents::<1>().await;
    let mut watches = all(&hub, &writer, &wire, Some(Since::START));
    for watch in &mut watches {
        for tick in 0..200 {
            tokio::select! {
                met = watch.next() => panic!("{met:?} at tick {tick}"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
        }
    }
    writer.set("k", 1).await.unwrap();
    for watch in &mut watches {
        assert_eq!(changed_key(watch).await, "k");
    }
}

#[tokio::test]
async fn a_watch_without_a_position_begins_with_the_call() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let [writer] = wire.agents::<1>().await;
        writer.set("before", 1).await.unwrap();
        flush(&writer).await;
        let [mut local, mut agents, mut remote] = all(&hub, &writer, &wire, None);
        // From afar it is the first question that begins it.
        assert_eq!(remote.position(), None);
        let begun = remote.begun().await.expect("the hub is there");
        assert_eq!(remote.position(), Some(begun));
        writer.set("after", 1).await.unwrap();
        flush(&writer).await;
        for watch in [&mut local, &mut agents, &mut remote] {
            let WatchEvent::Change(change) = next(watch).await else {
                panic!("nothing was given up")
            };
            assert_eq!(change.state.key.as_str(), "after");
        }
    }
}

#[tokio::test]
async fn a_watch_that_took_nothing_yet_goes_on_where_it_began() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [writer] = wire.agents::<1>().await;
    writer.set("k", 1).await.unwrap();
    flush(&writer).await;
    let watch = hub.watch(&team(), any(), Some(Since::START));
    assert_eq!(watch.position(), Some(Since::START));
    let mut watch = hub.watch(&team(), any(), watch.position());
    assert_eq!(changed_key(&mut watch).await, "k");
    let here = watch.position();
    let stranger = Wire::memory();
    let other = stranger.hub(Arc::new(MemoryStore::new())).await;
    let mut lost = other.watch(&team(), any(), here);
    assert!(matches!(next(&mut lost).await, WatchEvent::Reload { .. }));
    assert_eq!(
        lost.position(),
        Some(Since::START),
        "nothing is to be skipped"
    );
}

#[tokio::test]
async fn a_commit_is_taken_whole_before_a_watch_ends() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [writer] = wire.agents::<1>().await;
    let mut watch = hub.watch(&team(), any(), None);
    writer.go_offline().await.unwrap();
    for name in ["a", "b", "c"] {
        writer.set(name, Value::Int(1)).await.unwrap();
    }
    let began = watch.begun().await.expect("the hub is there");
    writer.go_online().await.unwrap();
    flush(&writer).await;
    assert_eq!(changed_key(&mut watch).await, "a");
    assert_eq!(watch.position(), Some(began), "a commit has one position");
    let rest = watch.rest_of_commit();
    assert_eq!(keys(&rest), ["b", "c"]);
    assert!(watch.rest_of_commit().is_empty());
    writer.set("d", 1).await.unwrap();
    let mut later = hub.watch(&team(), any(), watch.position());
    assert_eq!(changed_key(&mut later).await, "d");
}

/// Nobody else is there, so the hub forgets the swarm between two questions.
#[tokio::test]
async fn a_swarm_that_is_still_empty_has_positions_too() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let mut watch = hub.watch(&team(), any(), None);
    watch.begun().await.expect("the hub is there");
    nothing(&mut watch).await;
    let [writer] = wire.agents::<1>().await;
    writer.set("k", 1).await.unwrap();
    assert_eq!(changed_key(&mut watch).await, "k");
}

#[tokio::test]
async fn a_hub_without_room_is_asked_again() {
    let options = CoordinatorOptions {
        connections_max: 1,
        ..CoordinatorOptions::default()
    };
    let bound = TcpCoordinator::bind("127.0.0.1:0", options).await;
    let wire = Wire::Tcp(Arc::new(bound.expect("the address is free")));
    let _hub = wire.memory_hub().await;
    let occupant = wire.client().await;
    let mut watch = from_afar(&wire, None);
    nothing(&mut watch).await;
    let why = watch.away().expect("it does not answer").to_string();
    assert!(why.contains("full"), "{why}");
    occupant.close().await;
    let begun = tokio::time::timeout(PATIENCE, watch.begun()).await;
    begun.expect("there is room").expect("it is let in");
    assert_eq!(watch.away(), None);
}
