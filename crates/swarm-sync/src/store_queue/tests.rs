//! A store that fails once and then works again.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use sync_core::{Durability, RowOp};
use sync_protocol::{HubConfig, HubOutput, HubRecovery};

use super::*;

/// A store whose first commit fails, and that takes whatever comes after, as one of a user's may.
#[derive(Debug, Default)]
struct FailsOnce {
    commits: AtomicUsize,
}

#[async_trait]
impl Store for FailsOnce {
    async fn commit(&self, _group: Vec<Batch>) -> Result<(), StoreError> {
        // What is queued meanwhile is the next group.
        tokio::task::yield_now().await;
        match self.commits.fetch_add(1, Ordering::Relaxed) {
            0 => Err(StoreError::Closed { reason: None }),
            _ => Ok(()),
        }
    }

    async fn scan(
        &self,
        _swarm: &SwarmId,
        _after: Option<&[u8]>,
        _limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }

    async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
        Ok(Vec::new())
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn batch(swarm: &str) -> Batch {
    let (key, value) = ("key".into(), "value".into());
    Batch {
        swarm: SwarmId::new(swarm).unwrap(),
        ops: vec![RowOp::Put { key, value }],
    }
}

/// Tokens as a machine numbers its batches, ascending.
fn tokens(count: usize) -> Vec<Token> {
    let config = HubConfig::new(SwarmId::new("s").unwrap());
    let recovery = HubRecovery::new(config, sync_resolve::standard());
    let mut hub = recovery.open(sync_core::Epoch::from_random(1));
    for n in 0..count {
        hub.register(&sync_core::AgentId::new(format!("a{n}")).unwrap());
    }
    let outputs = std::iter::from_fn(|| hub.poll_output());
    let issued = outputs.filter_map(|output| match output {
        HubOutput::Persist { token, .. } => Some(token),
        _ => None,
    });
    issued.take(count).collect()
}

/// Lets the queue work without looking at what it has finished. There is one thread, so it has many more
/// turns than it needs.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_committed_after_a_failure() {
    let store = Arc::new(FailsOnce::default());
    let queue = StoreQueue::start(store.clone(), "test");
    let swarm = SwarmId::new("s").unwrap();
    let tokens = tokens(3);
    queue.commit(tokens[0], batch("s")).await;
    // Taken by now, so that the next is a group of its own.
    tokio::task::yield_now().await;
    queue.commit(tokens[1], batch("s")).await;
    queue.commit(tokens[1], batch("other")).await;
    settle().await;
    let done = queue.completed().await;
    assert!(done[&swarm].1.is_err(), "{done:?}");
    assert!(done[&SwarmId::new("other").unwrap()].1.is_err(), "{done:?}");
    assert_eq!(store.commits.load(Ordering::Relaxed), 1);
    // Also once the failure was seen.
    queue.commit(tokens[2], batch("s")).await;
    let done = queue.completed().await;
    assert!(done[&swarm].1.is_err(), "{done:?}");
    queue.close().await;
    assert_eq!(store.commits.load(Ordering::Relaxed), 1);
}

#[test]
fn a_success_does_not_replace_a_failure() {
    let mailbox = Mailbox::default();
    let swarm = SwarmId::new("s").unwrap();
    let tokens = tokens(2);
    mailbox.put([(swarm.clone(), tokens[0])].into(), &Err("full".to_owned()));
    mailbox.put([(swarm.clone(), tokens[1])].into(), &Ok(()));
    let done = mailbox.done.lock().unwrap();
    assert_eq!(done[&swarm], (tokens[0], Err("full".to_owned())));
}

#[tokio::test]
async fn nothing_is_written_during_a_pause_and_none_follows_a_failure() {
    let store = Arc::new(FailsOnce::default());
    let queue = StoreQueue::start(store.clone(), "test");
    let tokens = tokens(2);
    let (go_on, gate) = tokio::sync::oneshot::channel::<()>();
    queue.pause(Box::pin(async move {
        let _ = gate.await;
    }));
    settle().await;
    queue.commit(tokens[0], batch("s")).await;
    settle().await;
    assert_eq!(store.commits.load(Ordering::Relaxed), 0, "it waits");
    go_on.send(()).unwrap();
    assert!(!queue.completed().await.is_empty());
    assert_eq!(store.commits.load(Ordering::Relaxed), 1);
    // That commit failed: what is there is not known.
    let (done, told) = tokio::sync::oneshot::channel::<()>();
    queue.pause(Box::pin(async move {
        let _ = done.send(());
    }));
    assert!(told.await.is_err());
    queue.close().await;
}
