//! Act one: five agents write at the same time, none having seen another's write.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};

use super::facts::Facts;
use super::process::{Peer, each};
use super::scene::Scene;

/// What the specification's three writers say.
const COUNTS: [i64; 3] = [42, 45, 40];

/// How long receipts may take.
const PATIENCE: Duration = Duration::from_secs(10);

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

    scene.say("connecting, then one full synchronization");
    let online = |peer: Peer| async move { peer.ask(json!({"op": "online"})).await };
    each(&scene.agents, online).await?;
    scene.in_step().await?;
    let first = scene.agents.first().context("no agents")?;
    let keys = json!({"op": "sync", "keys": [REGISTER, COUNTER, SET]});
    let report = first.ask(keys).await?;
    let answered = report["responded"].as_array().map_or(0, Vec::len);
    facts.check(
        "one full sync reaches all five agents",
        answered == scene.agents.len(),
        format!("{answered} answered, {} ms", report["elapsed_ms"]),
    );

    let (digests, _) = scene.converge().await?;
    let equal = digests.iter().all(|d| d["digest"] == digests[0]["digest"]);
    facts.check(
        "afterwards all five are equal",
        equal,
        format!(
            "digest {:.12}…",
            digests[0]["digest"].as_str().unwrap_or_default()
        ),
    );
    check_values(scene, facts).await?;
    check_receipts(scene, facts).await
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

async fn check_values(scene: &Scene, facts: &mut Facts) -> Result<()> {
    let total: i64 = COUNTS.iter().sum();
    let counter = everywhere(scene, COUNTER).await?;
    facts.check(
        "as a counter, 42 + 45 + 40 add up",
        counter == Some(json!(total)),
        shown(counter.as_ref()),
    );
    facts.counter_value = counter;

    let set = everywhere(scene, SET).await?;
    let names: Vec<&str> = scene.agents.iter().map(|a| a.name.as_str()).collect();
    let elements = set.as_ref().and_then(Json::as_array).map_or(0, Vec::len);
    facts.check(
        "a set keeps every agent's element",
        set == Some(json!(names)),
        format!("{elements} elements"),
    );
    facts.set_value = set;

    let register = everywhere(scene, REGISTER).await?;
    facts.check(
        "under lww all read the same winner",
        register
            .as_ref()
            .and_then(Json::as_i64)
            .is_some_and(|v| COUNTS.contains(&v)),
        shown(register.as_ref()),
    );
    facts.lww_value = register;
    Ok(())
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
    let discarded = receipts.iter().filter_map(|r| r["discarded"].as_i64());
    let mut accounted: Vec<i64> = discarded
        .chain(facts.lww_value.as_ref().and_then(Json::as_i64))
        .collect();
    accounted.sort_unstable();
    let mut written = COUNTS.to_vec();
    written.sort_unstable();
    facts.conflicts = receipts.len();
    facts.receipts = receipts.len();
    facts.check(
        "each loser under lww gets a receipt",
        accounted == written,
        format!("{} receipts for {} writers", receipts.len(), COUNTS.len()),
    );
    Ok(())
}

fn shown(value: Option<&Json>) -> String {
    value.map_or_else(|| "replicas differ".to_owned(), Json::to_string)
}
