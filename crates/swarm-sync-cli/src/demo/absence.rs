//! Act two: one agent is cut off while a tenth of the state changes, comes back and catches up.

use anyhow::{Context, Result};
use rand::Rng;
use rand::distr::Alphanumeric;
use serde_json::{Value as Json, json};

use super::facts::Facts;
use super::process::Peer;
use super::scene::Scene;

const KEYS: usize = 100;
const CHANGED: usize = 10;
const VALUE_BYTES: usize = 1_024;

/// What catching up may cost at most, as a part of starting from nothing.
const RATIO_MAX: f64 = 0.2;

pub(super) async fn run(scene: &mut Scene, facts: &mut Facts) -> Result<()> {
    scene.say("writing 100 keys of 1 KiB");
    let writer = scene.agents.first().context("no agents")?.clone();
    let absent = scene.agents.last().context("no agents")?.clone();
    write(&writer, 0..KEYS).await?;
    scene.in_step().await?;

    scene.say("one agent is cut off while 10 of 100 keys change");
    absent.ask(json!({"op": "offline"})).await?;
    let new_values = write(&writer, 0..CHANGED).await?;
    let before = traffic(&absent).await?;

    scene.say("it comes back and catches up");
    absent.ask(json!({"op": "online"})).await?;
    absent.ask(json!({"op": "wait"})).await?;
    facts.delta_bytes = traffic(&absent).await? - before;
    let caught_up = holds(&absent, &new_values).await?;
    facts.check(
        "an agent that was away catches up",
        caught_up,
        format!("{CHANGED} of {KEYS} keys, {} bytes", facts.delta_bytes),
    );

    scene.say("an empty agent joins");
    let empty = scene.join("agent-6", &[]).await?;
    empty.ask(json!({"op": "wait"})).await?;
    facts.full_bytes = traffic(&empty).await?;
    scene.agents.push(empty);
    #[expect(clippy::cast_precision_loss, reason = "a few kilobytes")]
    let ratio = facts.delta_bytes as f64 / facts.full_bytes.max(1) as f64;
    facts.delta_ratio = ratio;
    facts.check(
        "at most 20 % of a new agent's bytes",
        ratio <= RATIO_MAX && facts.delta_bytes > 0,
        format!("{:.1} % of {} bytes", ratio * 100.0, facts.full_bytes),
    );
    Ok(())
}

fn key(number: usize) -> String {
    format!("document/{number}")
}

/// Writes random values and waits until the hub has them.
async fn write(peer: &Peer, numbers: std::ops::Range<usize>) -> Result<Vec<(String, Json)>> {
    let value = || -> Json {
        let random = rand::rng().sample_iter(Alphanumeric).take(VALUE_BYTES);
        random.map(char::from).collect::<String>().into()
    };
    let written: Vec<_> = numbers.map(|n| (key(n), value())).collect();
    let requests = written
        .iter()
        .map(|(key, value)| json!({"op": "set", "key": key, "value": value}));
    peer.ask_many(requests.collect()).await?;
    peer.ask(json!({"op": "flush", "level": "hub"})).await?;
    Ok(written)
}

/// Whether a replica reads as these values.
pub(super) async fn holds(peer: &Peer, expected: &[(String, Json)]) -> Result<bool> {
    let requests = expected
        .iter()
        .map(|(key, _)| json!({"op": "get", "key": key}));
    let answers = peer.ask_many(requests.collect()).await?;
    Ok(answers
        .iter()
        .zip(expected)
        .all(|(answer, (_, value))| answer["value"] == *value))
}

/// Bytes at the agent's socket, both ways.
async fn traffic(peer: &Peer) -> Result<u64> {
    let status = peer.ask(json!({"op": "status"})).await?;
    let traffic = &status["traffic"];
    let bytes = traffic["sent"].as_u64().zip(traffic["received"].as_u64());
    bytes
        .map(|(sent, received)| sent + received)
        .context("no traffic in the status")
}
