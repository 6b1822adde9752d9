//! Commands that ask the hub and leave. They hold no replica and do not join the roster.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value as Json, json};
use swarm_sync::{
    Ack, AgentId, Client, HubStatus, Key, LinkOptions, Operation, Revision, Since, StateVersion,
    SyncReport, TcpLink, Version,
};

use crate::cli::{AddArgs, DeltaArgs, GetArgs, HubArgs, SetArgs, StatusArgs, SyncArgs};
use crate::exit::{Code, Failure};
use crate::output::{self, brief, brief_text, or_dash, shorten};

/// Who writes: one name for all of them, because each writer costs a key a few bytes for good.
const NAME: &str = "cli";

/// A round may take all of its time; its answer comes after.
const ANSWER_AFTER_ROUND: Duration = Duration::from_secs(5);

pub(crate) async fn get(args: GetArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let state = client.get(args.key.clone()).await?;
    client.close().await;
    let Some(state) = state.filter(|s| s.value.is_some()) else {
        return absent(&args);
    };
    if args.hub.json {
        return print(&state);
    }
    output::line(&text_of(&state))?;
    Ok(())
}

pub(crate) async fn version(args: GetArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let version = client.version(args.key.clone()).await?;
    client.close().await;
    match version {
        None => absent(&args),
        Some(version) if args.hub.json => print(&json!({"key": args.key, "version": version})),
        Some(version) => Ok(output::line(&version.get().to_string())?),
    }
}

pub(crate) async fn set(args: SetArgs) -> Result<(), Failure> {
    write(&args.hub, args.key, Operation::Put(args.value)).await
}

pub(crate) async fn add(args: AddArgs) -> Result<(), Failure> {
    write(&args.hub, args.key, Operation::Add(args.amount)).await
}

pub(crate) async fn sync(args: SyncArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let timeout = Duration::from_secs(args.hub.timeout);
    let report = client.sync(args.keys, Some(timeout)).await?;
    client.close().await;
    if args.hub.json {
        return print(&report);
    }
    print_report(&report)
}

pub(crate) async fn delta(args: DeltaArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let mut since = Since::Revision(args.since);
    let mut changes = Vec::new();
    let last = loop {
        let mut page = client.delta(since).await?;
        changes.append(&mut page.changes);
        if !page.more {
            break page;
        }
        since = Since::Cursor(page.to);
    };
    client.close().await;
    if args.hub.json {
        return print(&json!({"changes": changes, "to": last.to, "head": last.head}));
    }
    let mut table = output::table(&["key", "value", "version", "revision", "by"]);
    for change in &changes {
        let value = change.value.as_ref().map(|v| brief(&v.to_json()));
        table.add_row([
            brief_text(change.key.as_str()),
            value.unwrap_or_else(|| "(deleted)".to_owned()),
            or_dash(change.version.map(Version::get)),
            or_dash(change.revision.map(Revision::get)),
            or_dash(change.agent.as_ref()),
        ]);
    }
    if !changes.is_empty() {
        output::line(&table.to_string())?;
    }
    let (count, since, head) = (changes.len(), args.since.get(), last.head.get());
    let keys = if count == 1 { "key" } else { "keys" };
    output::line(&format!(
        "{count} {keys} changed after revision {since}; the last revision is {head}"
    ))?;
    Ok(())
}

pub(crate) async fn status(args: StatusArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let status = client.status().await?;
    client.close().await;
    if args.hub.json {
        return print(&status);
    }
    print_status(&args.hub.hub, &status)
}

async fn connect(args: &HubArgs) -> Result<Client, Failure> {
    let link = TcpLink::new(&args.hub, LinkOptions::default());
    let name =
        AgentId::new(NAME).map_err(|e| Failure::new(Code::Failed, "config", e.to_string()))?;
    let timeout = Duration::from_secs(args.timeout) + ANSWER_AFTER_ROUND;
    Ok(Client::connect(&link, args.swarm.clone(), name, timeout).await?)
}

async fn write(hub: &HubArgs, key: Key, operation: Operation) -> Result<(), Failure> {
    let mut client = connect(hub).await?;
    let ack: Ack = client.write(key, operation, None).await?;
    client.close().await;
    if hub.json {
        return print(&ack);
    }
    let write = or_dash(ack.write_id);
    output::line(&format!("{write} ({})", ack.durability))?;
    Ok(())
}

fn absent(args: &GetArgs) -> Result<(), Failure> {
    let (key, swarm) = (&args.key, &args.hub.swarm);
    let shown = shorten(key.as_str());
    output::complain(&format!(
        "the key {shown:?} holds no value in the swarm {swarm}"
    ));
    let printed = if args.hub.json {
        let object = json!({"key": key, "value": null, "version": null});
        output::line(&object.to_string())
    } else {
        Ok(())
    };
    Failure::unless(false, Code::Failed, printed)
}

/// Text as it is, everything else as JSON.
fn text_of(state: &StateVersion) -> String {
    match state.value.as_ref().map(swarm_sync::Value::to_json) {
        Some(Json::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn print(result: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(result)
        .map_err(|e| Failure::new(Code::Failed, "json", e.to_string()))?;
    output::line(&text)?;
    Ok(())
}

fn print_report(report: &SyncReport) -> Result<(), Failure> {
    let mut table = output::table(&["key", "version", "changed", "conflicts"]);
    for key in &report.keys {
        table.add_row([
            brief_text(key.key.as_str()),
            or_dash(key.version.map(Version::get)),
            if key.changed { "yes" } else { "no" }.to_owned(),
            key.conflicts.to_string(),
        ]);
    }
    output::line(&table.to_string())?;
    let names = |agents: &[AgentId]| {
        let names: Vec<_> = agents.iter().map(AgentId::as_str).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    output::line(&format!(
        "revision {}, {} bytes, {} ms\nanswered: {}\nmissing: {}",
        report.revision.get(),
        report.bytes,
        report.elapsed_ms,
        names(&report.responded),
        names(&report.missing),
    ))?;
    Ok(())
}

fn print_status(address: &str, status: &HubStatus) -> Result<(), Failure> {
    output::line(&format!(
        "hub {address}, swarm {}\nrevision {}, {} keys, epoch {}\ndigest {}",
        status.swarm,
        status.revision.get(),
        status.keys,
        status.epoch,
        status.digest,
    ))?;
    if status.id_alarms > 0 {
        output::line(&format!(
            "{} write ids named two different writes: a data directory was copied",
            status.id_alarms
        ))?;
    }
    if status.members.is_empty() {
        output::line("no agent has joined yet")?;
        return Ok(());
    }
    let mut table = output::table(&["agent", "connected", "in step up to", "receipts"]);
    for member in &status.members {
        table.add_row([
            member.agent.to_string(),
            if member.connected { "yes" } else { "no" }.to_owned(),
            or_dash(member.acked.map(Revision::get)),
            member.receipts.to_string(),
        ]);
    }
    output::line(&table.to_string())?;
    Ok(())
}
