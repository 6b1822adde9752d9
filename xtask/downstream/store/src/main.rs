//! A store only, driven without a runtime.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sync_core::{Batch, RowOp, Store, SwarmId};
use sync_store::MemoryStore;

/// The memory store never waits, so one poll is all it takes.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the memory store waits for nothing"),
    }
}

fn main() {
    let store = MemoryStore::new();
    let swarm = SwarmId::new("team").expect("a name");
    let op = RowOp::Put { key: "k".into(), value: "v".into() };
    now(store.commit(vec![Batch { swarm: swarm.clone(), ops: vec![op] }])).expect("memory is there");
    assert_eq!(now(store.scan(&swarm, None, 10)).expect("memory is there").len(), 1);
}
