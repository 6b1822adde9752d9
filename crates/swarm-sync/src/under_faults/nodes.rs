//! What hub and agents do: write while there is trouble, then say what they hold.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::Rng;
use sync_core::{Durability, History, Key, Pattern, Policies, Policy, SwarmId};
use sync_transport::{TcpCoordinator, TcpLink};
use tokio::time::{Instant, sleep};
use turmoil::net::TcpListener;

use super::account::{Kind, number_of, text};
use super::net::{Ear, Line, PORT, SimClock, hub_options, link_options};
use super::scene::{Scene, Standing};
use crate::{Agent, StateSynchronizer};

type Done = Result<(), Box<dyn std::error::Error>>;

/// Between two writes of an agent.
const PAUSE_MS: std::ops::Range<u64> = 5..120;

/// How long a round waits for agents, and how much longer it may take to end: its commit and the hub's turn.
const ROUND: Duration = Duration::from_millis(400);
const ROUND_SLACK: Duration = Duration::from_millis(600);

/// Between two looks at how things stand.
const LOOK: Duration = Duration::from_millis(40);

/// Longer than healing may take: the scene judges that.
const PATIENCE: Duration = Duration::from_mins(1);

/// Of one page of history.
const PAGE: u32 = 64;

fn team() -> SwarmId {
    SwarmId::new("team").expect("a name")
}

fn key(name: &str) -> Key {
    Key::new(name).expect("a key")
}

/// One run of an agent; its next begins where its disk is.
pub(super) async fn agent(scene: Arc<Scene>, n: usize) -> Done {
    let mut random = scene.stream();
    let link = TcpLink::new(format!("hub:{PORT}"), link_options());
    let link = link.over(Arc::new(Line(Arc::clone(&scene.phones[n]))));
    let agent = Agent::builder(format!("agent-{n}"), link)
        .swarm("team")
        .store(Arc::clone(&scene.disks[n]) as _)
        .clock(Arc::new(SimClock))
        .default_timeout(Duration::from_secs(2))
        .start()
        .await?;
    while scene.is_troubled() {
        sleep(Duration::from_millis(random.random_range(PAUSE_MS))).await;
        write(&scene, &agent, n).await?;
    }
    agent.flush(Durability::Hub, Some(PATIENCE)).await?;
    agent.wait_in_step(PATIENCE).await?;
    loop {
        let state = agent.state().await?;
        scene.say(
            n,
            Standing {
                digest: agent.digest().await?,
                bytes: state.traffic.sent + state.traffic.received,
            },
        );
        if scene.agreed.load(Ordering::SeqCst) {
            testify(&scene, &agent, n).await?;
        }
        sleep(LOOK).await;
    }
}

/// A write to this agent's own disk is acknowledged, whatever else does not work.
async fn write(scene: &Scene, agent: &Agent, n: usize) -> Done {
    let number = scene.account(n).next();
    let written = text(n, number);
    let ack = match Kind::of(number) {
        Kind::Own => {
            scene.account(n).begin(None);
            agent.set(&*format!("own/{written}"), written).await
        }
        Kind::Counter => {
            scene.account(n).begin(None);
            agent.add("counter", 1).await
        }
        Kind::Set => {
            scene.account(n).begin(None);
            agent.insert("set", written).await
        }
        Kind::Register => {
            let shown = agent.get("register").await?;
            let shown = shown.and_then(|shown| shown.value);
            scene.account(n).begin(number_of(n, shown.as_ref()));
            agent.set("register", written).await
        }
    };
    scene.account(n).acknowledge(number, ack?.write_id);
    Ok(())
}

async fn testify(scene: &Scene, agent: &Agent, n: usize) -> Done {
    let receipts = agent.receipts().await?;
    let mut values = Vec::new();
    if n == 0 {
        for key in agent.keys("*").await? {
            let state = agent.get(key.clone()).await?;
            values.extend(state.and_then(|s| s.value).map(|value| (key, value)));
        }
    }
    let mut told = scene.told();
    told.values.extend(values);
    told.receipts.insert(n, receipts);
    Ok(())
}

/// One run of the hub.
pub(super) async fn hub(scene: Arc<Scene>) -> Done {
    let mut random = scene.stream();
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let address = listener.local_addr()?;
    let coordinator = TcpCoordinator::on(Ear(listener), address, hub_options());
    let mut kept = Policy::new(Pattern::new("register")?);
    kept.history = History {
        commits: Some(4_096),
        age: None,
    };
    let hub = StateSynchronizer::builder(Arc::clone(&scene.hub_disk) as _, Arc::new(coordinator))
        .policies(Policies::new(vec![kept])?)
        .clock(Arc::new(SimClock))
        .start()
        .await?;
    loop {
        let digest = hub.status(&team()).await?.digest;
        scene.say_of_hub(digest);
        if scene.is_troubled() && random.random_bool(0.2) {
            round(&scene, &hub).await?;
        }
        if scene.agreed.load(Ordering::SeqCst) {
            let commits = commits(&hub).await?;
            scene.told().commits = commits;
            scene.hub_told.store(true, Ordering::SeqCst);
        }
        sleep(LOOK).await;
    }
}

/// It ends, whoever answers.
async fn round(scene: &Scene, hub: &StateSynchronizer) -> Done {
    let keys = [key("register"), key("counter"), key("set")];
    let begun = Instant::now();
    // That nobody was there to answer is no reason to take longer.
    let ended = hub.synchronize_many(&team(), &keys, Some(ROUND)).await;
    scene.rounds.fetch_add(1, Ordering::SeqCst);
    let took = begun.elapsed();
    if took > ROUND + ROUND_SLACK {
        return Err(format!("a round that was to take {ROUND:?} took {took:?}: {ended:?}").into());
    }
    Ok(())
}

/// All commits of the register that are kept, page by page.
async fn commits(
    hub: &StateSynchronizer,
) -> Result<Vec<sync_core::PastCommit>, sync_core::RequestError> {
    let mut commits = Vec::new();
    let mut upto = None;
    loop {
        let page = hub.history(&team(), &key("register"), upto, PAGE).await?;
        commits.extend(page.commits.0);
        match page.next {
            Some(next) => upto = Some(next),
            None => return Ok(commits),
        }
    }
}
