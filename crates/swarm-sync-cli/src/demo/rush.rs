//! Act one: five agents write at the same time, none having seen another's write.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value as Json, json};
use swarm_sync::Key;

use super::facts::{Facts, RoundFacts};
use super::process::{Peer, each};
use super::scene::Scene;

/// What the specification's three writers say.
const COUNTS: [i64; 3] = [42, 45, 40];

/// How long connections and receipts may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the hub is asked who is connected.
const GLANCE: Duration = Duration::from_millis(1);

const REGISTER: &str = "task_count_lww";
const COUNTER: &str = "task_count";
const SET: &str = "seen_by";

pub(super) async fn run(scene: &Scene, facts: &mut Facts) -> Result<()> {
    scene.say("five agents write concurrently, still unconnected");
    let counts = scene
        .agents
        .iter()
        .zip(COUNTS.map(Some).into_iter().chain([None, None]));
    let counts: Vec<(String, Option<i64>)> = counts.map(|(a, c)| (a.name.clone(), c)).collect();
    each(&scene.agents, |peer| {
        let count = counts
            .iter()
            .find(|(n, _)| *n == peer.name)
            .and_then(|(_, c)| *c);
        write(peer, count)
    })
    .await?;

    scene.say("connecting, and at once one full synchronization");
    let report = synchronize(scene).await?;
    let changed = report.keys.iter().filter(|key| key.changed).count();
    let keys = report.keys.len();
    check_round(scene, facts, report);

    // Nothing is waited for: what the round confirmed, every replica reads.
    let values = Values::read(scene).await?;
    facts.check(
        "right after it all five read equal values",
        values.are_equal(),
        format!("{keys} keys, {changed} changed by it"),
    );
    check_values(scene, facts, values);
    check_receipts(scene, facts).await
}

/// Connects everybody and, as soon as the hub knows all of them, has one agent run a round: what
/// the others have not pushed by then, the round finds.
async fn synchronize(scene: &Scene) -> Result<RoundFacts> {
    let first = scene.agents.first().context("no agents")?;
    let mut client = scene.client().await?;
    let online = |peer: Peer| async move { peer.ask(json!({"op": "online"})).await };
    each(&scene.agents, online).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let members = client.status().await?.members;
        let connected = members.iter().filter(|member| member.connected).count();
        // The hub may know of a connection before the agent does.
        let known = first.ask(json!({"op": "status"})).await?["connected"] == true;
        if known && connected == scene.agents.len() {
            break;
        }
        if Instant::now() > until {
            bail!("only {connected} agents are connected");
        }
        tokio::time::sleep(GLANCE).await;
    }
    client.close().await;
    let keys = json!({"op": "sync", "keys": [REGISTER, COUNTER, SET]});
    serde_json::from_value(first.ask(keys).await?).context("the report of the round")
}

/// The round must reach and be confirmed by all. How much was left for it to do depends on how far
/// the agents had got by themselves.
fn check_round(scene: &Scene, facts: &mut Facts, round: RoundFacts) {
    let all = scene.agents.len();
    let (answered, in_step) = (round.responded.len(), round.in_step.len());
    facts.check(
        "one full sync reaches all five agents",
        answered == all,
        format!(
            "{answered} answered, {} bytes, {} ms",
            round.bytes, round.elapsed_ms
        ),
    );
    facts.check(
        "all five confirm what it came to",
        in_step == all,
        format!("{in_step} in step, {} conflicts", round.conflicts),
    );
    facts.conflicts = round.conflicts;
    facts.sync = Some(round);
}

async fn write(peer: Peer, count: Option<i64>) -> Result<()> {
    let mut requests = vec![json!({"op": "insert", "key": SET, "element": peer.name})];
    if let Some(count) = count {
        requests.push(json!({"op": "set", "key": REGISTER, "value": count}));
        requests.push(json!({"op": "add", "key": COUNTER, "amount": count}));
    }
    peer.ask_many(requests).await?;
    Ok(())
}

/// What a key reads as on every replica, if it is the same everywhere.
async fn everywhere(scene: &Scene, key: &'static str) -> Result<Option<Json>> {
    let get = |peer: Peer| async move {
        let answer = peer.ask(json!({"op": "get", "key": key})).await?;
        Ok(answer["value"].clone())
    };
    let values = each(&scene.agents, get).await?;
    let same = values.windows(2).all(|pair| pair[0] == pair[1]);
    Ok(values.into_iter().next().filter(|_| same))
}

/// What the three keys read as on every replica; none where they differ.
#[derive(Debug)]
struct Values {
    register: Option<Json>,
    counter: Option<Json>,
    set: Option<Json>,
}

impl Values {
    async fn read(scene: &Scene) -> Result<Self> {
        Ok(Self {
            register: everywhere(scene, REGISTER).await?,
            counter: everywhere(scene, COUNTER).await?,
            set: everywhere(scene, SET).await?,
        })
    }

    fn are_equal(&self) -> bool {
        self.register.is_some() && self.counter.is_some() && self.set.is_some()
    }
}

fn check_values(scene: &Scene, facts: &mut Facts, values: Values) {
    let Values {
        register,
        counter,
        set,
    } = values;
    let total: i64 = COUNTS.iter().sum();
    facts.check(
        "as a counter, 42 + 45 + 40 add up",
        counter == Some(json!(total)),
        shown(counter.as_ref()),
    );
    facts.counter_value = counter;

    let names: Vec<&str> = scene.agents.iter().map(|a| a.name.as_str()).collect();
    let elements = set.as_ref().and_then(Json::as_array).map_or(0, Vec::len);
    facts.check(
        "a set keeps every agent's element",
        set == Some(json!(names)),
        format!("{elements} elements"),
    );
    facts.set_value = set;

    facts.check(
        "under lww all read the same winner",
        register
            .as_ref()
            .and_then(Json::as_i64)
            .is_some_and(|v| COUNTS.contains(&v)),
        shown(register.as_ref()),
    );
    facts.lww_value = register;
}

/// The losers' writes are back in their writers' hands.
async fn check_receipts(scene: &Scene, facts: &mut Facts) -> Result<()> {
    let ask = |peer: Peer| async move {
        let answer = peer.ask(json!({"op": "receipts"})).await?;
        Ok(answer["receipts"].as_array().cloned().unwrap_or_default())
    };
    // A receipt is a message of its own: it may arrive after the value that won.
    let until = Instant::now() + PATIENCE;
    let receipts = loop {
        scene.in_step().await?;
        let receipts = each(&scene.agents, ask).await?.concat();
        if receipts.len() + 1 >= COUNTS.len() || Instant::now() > until {
            break receipts;
        }
    };
    let discarded = receipts.iter().filter_map(|r| r["value"].as_i64());
    let mut accounted: Vec<i64> = discarded
        .chain(facts.lww_value.as_ref().and_then(Json::as_i64))
        .collect();
    accounted.sort_unstable();
    let mut written = COUNTS.to_vec();
    written.sort_unstable();
    facts.lww_losers = receipts.len();
    facts.receipts = receipts.len();
    facts.check(
        "each loser under lww gets a receipt",
        accounted == written,
        format!("{} receipts for {} writers", receipts.len(), COUNTS.len()),
    );
    explain(scene, facts, &receipts).await
}

/// The hub tells later, too, by what they have lost.
async fn explain(scene: &Scene, facts: &mut Facts, receipts: &[Json]) -> Result<()> {
    let mut client = scene.client().await?;
    let told = client.explain(&Key::new(REGISTER)?).await?;
    client.close().await;
    let losses = told.commits.iter().flat_map(|commit| commit.lost.iter());
    let lost: Vec<String> = losses.map(|loss| loss.lost.write.to_string()).collect();
    let written = |receipt: &Json| receipt["write"].as_str().map(str::to_owned);
    let known = receipts.iter().filter_map(written);
    let known = known.filter(|write| lost.contains(write)).count();
    facts.check(
        "the hub explains by what each has lost",
        known == receipts.len() && known == lost.len(),
        format!("{} commits of {REGISTER}", told.commits.len()),
    );
    let message = receipts
        .first()
        .and_then(|receipt| receipt["message"].as_str());
    facts.receipt = message.map(str::to_owned);
    facts.explanation = told.sentences.0;
    Ok(())
}

fn shown(value: Option<&Json>) -> String {
    value.map_or_else(|| "replicas differ".to_owned(), Json::to_string)
}
