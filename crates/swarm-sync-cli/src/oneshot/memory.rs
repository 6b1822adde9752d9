//! The memory of a swarm, at its hub.

use serde_json::json;
use swarm_sync::{Key, Memory, MemoryProvider, MemoryStats};

use crate::cli::{
    HubArgs, MemoryArgs, MemoryClearArgs, MemoryCommand, MemoryGetArgs, MemoryKeyArgs,
    MemoryListArgs, MemoryStoreArgs, StatusArgs,
};
use crate::exit::{Code, Failure};
use crate::output::{self, brief_text, shorten, visible};

use super::{connect, print, text_of_value};

pub(crate) async fn memory(args: MemoryArgs) -> Result<(), Failure> {
    match args.command {
        MemoryCommand::Store(args) => store(args).await,
        MemoryCommand::Get(args) => get(args).await,
        MemoryCommand::Delete(args) => delete(args).await,
        MemoryCommand::List(args) => list(args).await,
        MemoryCommand::Clear(args) => clear(args).await,
        MemoryCommand::Stats(args) => stats(args).await,
    }
}

async fn at(hub: &HubArgs) -> Result<Memory, Failure> {
    Ok(connect(hub).await?.memory())
}

async fn store(args: MemoryStoreArgs) -> Result<(), Failure> {
    let (hub, namespace, key) = (&args.at.hub, &args.at.namespace, &args.key);
    let persistent = !args.volatile;
    let memory = at(hub).await?;
    memory.store(namespace, key, args.value, persistent).await?;
    if hub.json {
        return print(&json!({"namespace": namespace, "key": key, "persistent": persistent}));
    }
    let kept = if persistent {
        "persistent"
    } else {
        "volatile: until the hub stops"
    };
    Ok(output::line(&format!("stored in {namespace} ({kept})"))?)
}

async fn get(args: MemoryGetArgs) -> Result<(), Failure> {
    let (hub, namespace, key) = (&args.at.hub, &args.at.namespace, &args.key);
    let found = at(hub).await?.retrieve(namespace, key).await?;
    let is_found = found.is_some();
    let value = found.or(args.default);
    if hub.json {
        let object = json!({"namespace": namespace, "key": key, "found": is_found, "value": value});
        print(&object)?;
    } else if let Some(value) = &value {
        output::line(&text_of_value(value))?;
    }
    if value.is_some() {
        return Ok(());
    }
    let (shown, swarm) = (shorten(key.as_str()), &hub.at.swarm);
    output::complain(&format!(
        "the memory of the swarm {swarm} holds no {shown:?} in the namespace {namespace}"
    ));
    Err(Failure::silent(Code::Failed))
}

async fn delete(args: MemoryKeyArgs) -> Result<(), Failure> {
    let (hub, namespace, key) = (&args.at.hub, &args.at.namespace, &args.key);
    let deleted = at(hub).await?.delete(namespace, key).await?;
    if hub.json {
        return print(&json!({"namespace": namespace, "key": key, "deleted": deleted}));
    }
    Ok(output::line(if deleted {
        "deleted"
    } else {
        "nothing to do: it is not there"
    })?)
}

async fn list(args: MemoryListArgs) -> Result<(), Failure> {
    let (hub, namespace) = (&args.at.hub, &args.at.namespace);
    let keys: Vec<Key> = at(hub).await?.list_keys(namespace, &args.pattern).await?;
    if hub.json {
        return print(&json!({"namespace": namespace, "keys": keys}));
    }
    if !keys.is_empty() {
        let lines: Vec<String> = keys.iter().map(|key| visible(key.as_str())).collect();
        output::line(&lines.join("\n"))?;
    }
    Ok(())
}

async fn clear(args: MemoryClearArgs) -> Result<(), Failure> {
    let (hub, namespace) = (&args.hub, &args.namespace);
    let cleared = at(hub).await?.clear_namespace(namespace).await?;
    if hub.json {
        return print(&json!({"namespace": namespace, "cleared": cleared}));
    }
    let values = if cleared == 1 { "value" } else { "values" };
    Ok(output::line(&format!("{cleared} {values} cleared"))?)
}

async fn stats(args: StatusArgs) -> Result<(), Failure> {
    let stats: MemoryStats = at(&args.hub).await?.stats().await?;
    if args.hub.json {
        return print(&stats);
    }
    if !stats.namespaces.is_empty() {
        let mut table = output::table(&["namespace", "persistent", "volatile", "bytes"]);
        for line in &stats.namespaces {
            table.add_row([
                brief_text(line.namespace.as_str()),
                line.persistent.to_string(),
                line.volatile.to_string(),
                line.bytes.to_string(),
            ]);
        }
        output::line(&table.to_string())?;
    }
    let (bytes, most) = (stats.bytes, stats.bytes_max);
    Ok(output::line(&format!("{bytes} of at most {most} bytes"))?)
}
