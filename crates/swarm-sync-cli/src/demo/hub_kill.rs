//! Act three: the hub is killed while everybody writes, and started again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value as Json, json};
use swarm_sync::Key;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::absence::holds;
use super::facts::Facts;
use super::process::{Peer, each};
use super::scene::{Scene, client_at};

/// Acknowledged writes before the hub is killed.
const ACKED_MIN: usize = 40;

/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is written here so far.
#[derive(Debug, Clone, Default)]
struct Progress {
    /// Writes that the hub has acknowledged.
    acked: Arc<Mutex<Vec<(String, Json)>>>,
}

impl Progress {
    fn add(&self, write: (String, Json)) -> usize {
        let mut acked = self.acked.lock().unwrap_or_else(PoisonError::into_inner);
        acked.push(write);
        acked.len()
    }

    fn list(&self) -> Vec<(String, Json)> {
        self.acked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

pub(super) async fn run(scene: &mut Scene, facts: &mut Facts) -> Result<()> {
    scene.say("everybody writes; the hub will be killed");
    let progress = Progress::default();
    let (count, mut counted) = watch::channel(0);
    let (back, is_back) = watch::channel(false);
    let mut writers = JoinSet::new();
    for agent in &scene.agents {
        let (agent, progress) = (agent.clone(), progress.clone());
        writers.spawn(write(agent, progress, count.clone(), is_back.clone()));
    }
    drop(count);
    if timeout(PATIENCE, counted.wait_for(|acked| *acked >= ACKED_MIN))
        .await
        .is_err()
    {
        bail!(
            "fewer than {ACKED_MIN} writes were acknowledged in {} s",
            PATIENCE.as_secs()
        );
    }
    scene.kill_hub().await?;
    let acked = progress.list();

    scene.say("the hub is dead; reading what it kept, where no agent finds it");
    let apart = scene.start_hub_apart().await?;
    let at_hub = found_at_hub(&apart.address, &acked).await?;
    apart.end().await?;

    scene.say("starting it again where its agents look for it");
    scene.restart_hub().await?;
    back.send_replace(true);
    scene.say("its agents come back");
    while let Some(done) = writers.join_next().await {
        done??;
    }
    scene.in_step().await?;
    let all = progress.list();
    let everywhere = everywhere(scene, &all).await?;

    facts.hub_kill_acked_writes = acked.len();
    facts.survived_hub_kill = at_hub == acked.len() && everywhere == scene.agents.len();
    facts.check(
        "kill -9: the hub has all it acknowledged",
        at_hub == acked.len(),
        format!("{at_hub} of {}, by value", acked.len()),
    );
    facts.check(
        "kill -9: every replica has all writes",
        everywhere == scene.agents.len(),
        format!(
            "{} writes on {everywhere} of {} replicas",
            all.len(),
            scene.agents.len()
        ),
    );
    Ok(())
}

/// Writes until the hub is back and has acknowledged one more.
async fn write(
    agent: Peer,
    progress: Progress,
    count: watch::Sender<usize>,
    is_back: watch::Receiver<bool>,
) -> Result<()> {
    for number in 0.. {
        let last = *is_back.borrow();
        let key = format!("during-the-kill/{}/{number}", agent.name);
        let value = json!({"by": agent.name, "number": number, "nonce": rand::random::<u32>()});
        agent
            .ask(json!({"op": "set", "key": key, "value": value}))
            .await?;
        agent
            .ask(json!({"op": "flush", "level": "hub", "timeout_ms": 15_000}))
            .await?;
        let acked = progress.add((key, value));
        count.send_if_modified(|most| {
            let more = acked > *most;
            *most = acked.max(*most);
            more
        });
        if last {
            break;
        }
    }
    Ok(())
}

/// How many of these writes the hub at an address reads back.
async fn found_at_hub(address: &str, writes: &[(String, Json)]) -> Result<usize> {
    let mut client = client_at(address).await?;
    let mut found = 0;
    for (key, value) in writes {
        let state = client.get(Key::new(key)?).await?;
        let read = state.and_then(|s| s.value).map(|v| v.to_json());
        found += usize::from(read.as_ref() == Some(value));
    }
    client.close().await;
    Ok(found)
}

/// How many replicas read as all of these writes.
async fn everywhere(scene: &Scene, writes: &[(String, Json)]) -> Result<usize> {
    let writes: Arc<[(String, Json)]> = writes.into();
    let check = |peer: Peer| {
        let writes = Arc::clone(&writes);
        async move { holds(&peer, &writes).await }
    };
    let complete = each(&scene.agents, check).await?;
    Ok(complete.into_iter().filter(|complete| *complete).count())
}
