//! Each request as calls of the library.

use std::time::Duration;

use serde_json::{Value as Json, json};
use swarm_sync::{
    Ack, Agent, Durability, Expected, Key, Policies, ProposalDraft, RequestError, Since, Value,
    WriteOptions,
};

use crate::json;
use crate::policies::{self, Explanation};
use crate::position::{hand_back, hand_back_written};
use crate::votes;

use super::answer::{self, Fields, fields, object};
use super::authority::authority;
use super::memory::memory;
use super::past::{explained, past};
use super::request::{Forget, Refused, Request, Wait};

/// Pages in one answer to `delta`, each of about 256 KiB; past it `more` is set and the program asks
/// on. Bounds what one request makes this process hold.
const PAGES_MAX: usize = 256;

/// How long `wait` waits unless told otherwise.
const WAIT: Duration = Duration::from_secs(10);

/// Does what is asked. `durable`: the replica is on disk. The first poll puts local work in its
/// place in the agent's queue, so polling requests in order does them in order.
pub(super) async fn perform(
    agent: &Agent,
    durable: bool,
    request: Request,
) -> Result<Fields, Refused> {
    match request {
        Request::Write {
            key,
            operation,
            metadata,
            wait,
        } => {
            let options = write_options(durable, metadata, wait)?;
            written(&agent.write_with(key, operation, options).await?)
        }
        Request::Get { key, at_least } => get(agent, key, at_least).await,
        Request::Version(key) => version(agent, key).await,
        Request::Keys(pattern) => Ok(object(json!({ "keys": agent.keys(pattern).await? }))),
        Request::Cursor => cursor(agent).await,
        Request::Delta(since) => delta(agent, since).await,
        Request::Sync { keys, timeout } => {
            let report = agent.sync(&keys, timeout).await?;
            Ok(object(json::report(&report)))
        }
        Request::Clear(key) => {
            let cleared = agent.clear(key.as_ref()).await?;
            Ok(object(json!({ "cleared": cleared })))
        }
        Request::Flush { level, timeout } => flush(agent, durable, level, timeout).await,
        Request::Wait { timeout } => {
            agent.wait_in_step(timeout.unwrap_or(WAIT)).await?;
            Ok(Fields::new())
        }
        Request::Online(online) => connect(agent, online).await,
        Request::Digest => digest(agent).await,
        Request::Status => fields(&agent.state().await?),
        Request::Receipts(forget) => receipts(agent, forget).await,
        Request::Repropose(write) => {
            let ack = agent.repropose(write).await?;
            written(&ack)
        }
        Request::Fate(write) => answer::fate(&write, agent.fate(write.clone()).await?),
        Request::AckReceipt(write) => {
            let taken = agent.take_receipts(vec![write.clone()]).await? > 0;
            Ok(object(json!({ "write": write, "taken": taken })))
        }
        Request::Policies => {
            let policies = policies::list(&agent.policies().await?);
            Ok(object(json!({ "policies": policies })))
        }
        Request::Explain(key) => explain(agent, &key).await,
        Request::Past(request) => past(agent, request).await,
        Request::Authority(request) => authority(agent, request).await,
        Request::Memory(request) => memory(agent, request).await,
        Request::Propose { draft, sync } => propose(agent, *draft, sync).await,
        Request::Vote { proposal, ballot } => {
            let vote = ballot.vote;
            agent.vote(proposal, ballot).await?;
            Ok(object(json!({ "proposal_id": proposal, "vote": vote })))
        }
        // The caller's: it has the watches, and ends the loop.
        Request::Watch { .. } | Request::Unwatch(_) | Request::Quit => Ok(Fields::new()),
    }
}

fn write_options(
    durable: bool,
    metadata: Option<Value>,
    wait: Option<Wait>,
) -> Result<WriteOptions, Refused> {
    let mut options = WriteOptions::default();
    if let Some(Value::Map(metadata)) = metadata {
        options = options.metadata(metadata);
    }
    if let Some(Wait { level, timeout }) = wait {
        check_level(level, durable)?;
        options = options.level(level).timeout(timeout.unwrap_or(WAIT));
    }
    Ok(options)
}

fn check_level(level: Durability, durable: bool) -> Result<(), RequestError> {
    if level == Durability::Disk && !durable {
        return Err(RequestError::Invalid {
            reason: "this agent keeps its replica in memory only; start it without --memory"
                .to_owned(),
        });
    }
    Ok(())
}

fn written(ack: &Ack) -> Result<Fields, Refused> {
    let mut answer = fields(ack)?;
    hand_back_written(&mut answer, ack);
    if ack.write_id.is_none() {
        // As this replica sees it; another may hold what it does not show.
        answer.insert("nothing_to_do".to_owned(), true.into());
    }
    Ok(answer)
}

async fn cursor(agent: &Agent) -> Result<Fields, Refused> {
    let cursor = agent.cursor().await?;
    Ok(object(json!({
        "epoch": cursor.map(|c| c.epoch),
        "revision": cursor.map(|c| c.revision),
        "head": cursor.map(|c| c.head),
    })))
}

async fn connect(agent: &Agent, online: bool) -> Result<Fields, Refused> {
    if online {
        agent.go_online().await?;
    } else {
        agent.go_offline().await?;
    }
    Ok(object(json!({ "online": online })))
}

async fn digest(agent: &Agent) -> Result<Fields, Refused> {
    let replica = agent.state().await?.replica;
    Ok(object(json!({
        "digest": replica.digest,
        "keys": replica.keys,
        "pending_writes": replica.pending_writes,
        "revision": replica.cursor.map(|c| c.revision),
    })))
}

async fn get(
    agent: &Agent,
    key: Key,
    at_least: Option<(Since, Option<Duration>)>,
) -> Result<Fields, Refused> {
    if let Some((at, timeout)) = at_least {
        let timeout = timeout.unwrap_or(WAIT);
        agent.read_at_least(key.clone(), at, timeout).await?;
    }
    let (state, at) = agent.get_with_position(key.clone()).await?;
    let mut fields = match &state {
        Some(state) => answer::state(state),
        None => {
            let provisional = agent.is_provisional(key.clone()).await?;
            let replica = agent.state().await?.replica;
            answer::no_state(key.as_str(), provisional, &replica)
        }
    };
    hand_back(&mut fields, Expected::of_read(state.as_ref(), at));
    Ok(fields)
}

async fn explain(agent: &Agent, key: &Key) -> Result<Fields, Refused> {
    let policies = Policies::new(agent.policies().await?);
    let policies = policies.map_err(|e| RequestError::Invalid {
        reason: e.to_string(),
    })?;
    let held = agent.get(key.clone()).await?;
    let held_under = held.and_then(|state| state.metadata.rule);
    let mut told = explained(agent, key).await?;
    let holds = object(Explanation::of(key, &policies, held_under).to_json());
    told.extend(holds);
    Ok(told)
}

async fn propose(agent: &Agent, draft: ProposalDraft, sync: bool) -> Result<Fields, Refused> {
    if sync {
        let agreement = agent.propose_and_sync(draft).await?;
        return Ok(votes::agreement(&agreement));
    }
    Ok(votes::decision(&agent.propose(draft).await?))
}

/// The hub's if there is one, else as last told by it.
async fn version(agent: &Agent, key: Key) -> Result<Fields, Refused> {
    let (version, from) = match agent.version_at_hub(key.clone()).await {
        Ok(version) => (version, "hub"),
        Err(RequestError::Unavailable { .. }) => (agent.version(key).await?, "replica"),
        Err(error) => return Err(error.into()),
    };
    Ok(object(json!({ "version": version, "from": from })))
}

async fn delta(agent: &Agent, since: Since) -> Result<Fields, Refused> {
    let mut since = since;
    let mut changes = Vec::new();
    let mut pages = 0;
    loop {
        let page = agent.delta(since).await?;
        pages += 1;
        changes.extend(page.changes.iter().map(|c| Json::Object(answer::change(c))));
        if !page.more || pages >= PAGES_MAX {
            return Ok(object(json!({
                "changes": changes,
                "to": page.to,
                "head": page.head,
                "more": page.more,
            })));
        }
        since = Since::Cursor(page.to);
    }
}

async fn flush(
    agent: &Agent,
    durable: bool,
    level: Durability,
    timeout: Option<Duration>,
) -> Result<Fields, Refused> {
    check_level(level, durable)?;
    agent.flush(level, timeout).await?;
    Ok(object(json!({ "durability": level })))
}

async fn receipts(agent: &Agent, forget: Forget) -> Result<Fields, Refused> {
    let held = agent.receipts().await?;
    let listed: Result<Vec<_>, _> = held.iter().map(answer::receipt).collect();
    let listed = listed?;
    let taken = match forget {
        Forget::None => Vec::new(),
        Forget::All => held.into_iter().map(|r| r.write).collect(),
        Forget::Writes(writes) => writes,
    };
    let taken = if taken.is_empty() {
        0
    } else {
        agent.take_receipts(taken).await?
    };
    Ok(object(json!({ "receipts": listed, "taken": taken })))
}
