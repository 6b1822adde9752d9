//! Functions that merge, as tasks: what blocks, and what the end of a hub does to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use swarm_sync::{
    Key, MemoryStore, Merge, MergeRule, Merges, Pattern, Policies, Policy, Sibling,
    StateSynchronizer, Value, merge_fn,
};

use crate::support::{PATIENCE, Wire, eventually, flush, key, team};

/// Counts how many calls are at work.
#[derive(Clone, Default)]
struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    fn enter(&self) -> Self {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.clone()
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// One that leaves when it is dropped.
struct Entered(AtWork);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Asks somebody who never answers.
struct Nobody(AtWork);

#[async_trait]
impl Merge for Nobody {
    async fn merge(&self, _: &Key, _: &[Sibling]) -> Result<Value, String> {
        let _entered = Entered(self.0.enter());
        std::future::pending().await
    }
}

async fn hub(wire: &Wire, merge: impl Merge + 'static) -> StateSynchronizer {
    let mut policy = Policy::new(Pattern::new("k*").expect("a pattern"));
    policy.rule = Some(MergeRule::Custom);
    policy.merge = Some("mine".to_owned());
    StateSynchronizer::builder(Arc::new(MemoryStore::new()), wire.coordinator())
        .policies(Policies::new(vec![policy]).expect("a table"))
        .merges(Merges::new().with("mine", merge))
        .merge_timeout(PATIENCE)
        .start()
        .await
        .expect("memory opens")
}

/// Two agents that have written the same keys without having seen each other's.
async fn race(wire: &Wire, names: &[&str]) {
    let agents = wire.agents::<2>().await;
    for agent in &agents {
        agent.go_offline().await.expect("the agent is there");
    }
    for (value, agent) in (1..).zip(&agents) {
        for name in names {
            agent.set(*name, value).await.expect("the agent is there");
        }
    }
    for agent in &agents {
        agent.go_online().await.expect("the agent is there");
        flush(agent).await;
    }
}

/// They went on behind a hub that was gone.
#[tokio::test]
async fn no_function_that_waits_outlives_its_hub() {
    let (wire, at_work) = (Wire::memory(), AtWork::default());
    let hub = hub(&wire, Nobody(at_work.clone())).await;
    race(&wire, &["k1", "k2", "k3"]).await;
    eventually("three at work", async || {
        (at_work.count() == 3).then_some(())
    })
    .await;
    hub.shutdown().await;
    assert_eq!(at_work.count(), 0);
}

#[tokio::test]
async fn a_function_that_blocks_delays_nobody() {
    let (wire, at_work) = (Wire::memory(), AtWork::default());
    let (answer, answers) = mpsc::channel();
    let (answers, entered) = (Mutex::new(answers), at_work.clone());
    let blocks = merge_fn(move |_, _| {
        let _entered = Entered(entered.enter());
        let answers = answers.lock().map_err(|e| e.to_string())?;
        answers.recv().map_err(|e| e.to_string())
    });
    let hub = hub(&wire, blocks).await;
    race(&wire, &["k"]).await;
    eventually("one at work", async || (at_work.count() == 1).then_some(())).await;
    // The hub's task and this test share one thread.
    let (swarm, key) = (team(), key("k"));
    let answered = hub.get_state(&swarm, &key);
    let answered = tokio::time::timeout(Duration::from_secs(10), answered).await;
    let state = answered.expect("answered meanwhile").unwrap().unwrap();
    assert_eq!(state.siblings.len(), 2);
    answer.send(Value::Int(9)).expect("it waits for that");
    eventually("one value", async || {
        let state = hub.get_state(&swarm, &key).await.ok()??;
        (state.value == Some(Value::Int(9))).then_some(())
    })
    .await;
}
