//! `receipts`: what came back to those who write without a replica, or waits for an agent.

use std::time::Duration;

use serde_json::json;
use swarm_sync::{AgentId, Answer, Ask, Client, Receipt, ReceiptPlace};
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::ReceiptsArgs;
use crate::exit::{Code, Failure};
use crate::output::{self, brief};
use crate::signals::Signals;

use super::write::unexpected;
use super::{NAME, connect, link, name, print};

/// How often it is asked for more: people read no faster.
const GLANCE: Duration = Duration::from_millis(500);

pub(super) async fn receipts(args: ReceiptsArgs) -> Result<(), Failure> {
    let (_, own) = link(&args.hub.at, name()?)?;
    let whose = args.name.clone().unwrap_or_else(|| own.clone());
    if args.take && whose != own {
        let message = format!(
            "the receipts of {whose} are its own to take: only those of {NAME}, which writes by commands like `set`, can be taken here; leave out --take or --name"
        );
        return Err(Failure::new(Code::Usage, "usage", message));
    }
    let mut signals = Signals::listen()?;
    let mut client = connect(&args.hub).await?;
    let told = tokio::select! {
        told = tell(&mut client, &args, &whose) => told,
        () = signals.end() => Ok(()),
    };
    client.close().await;
    told
}

async fn tell(client: &mut Client, args: &ReceiptsArgs, whose: &AgentId) -> Result<(), Failure> {
    let mut after = None;
    let mut ticks = interval(GLANCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let listed = list(client, whose, &mut after).await?;
        // What is taken is nowhere else: it is taken once it is out of this process.
        show(&listed, args, whose)?;
        let taken = if args.take && !listed.is_empty() {
            take(client, &listed).await?
        } else {
            0
        };
        if args.follow {
            continue;
        }
        if args.take && !listed.is_empty() && !args.hub.json {
            output::line(&format!("{taken} taken"))?;
        }
        return Ok(());
    }
}

fn show(listed: &[Receipt], args: &ReceiptsArgs, whose: &AgentId) -> Result<(), Failure> {
    if args.hub.json && !args.follow {
        let taken = if args.take { listed.len() } else { 0 };
        return print(&json!({"name": whose, "receipts": listed, "taken": taken}));
    }
    if listed.is_empty() && !args.follow {
        return Ok(output::line(&format!("no receipt waits for {whose}"))?);
    }
    listed
        .iter()
        .try_for_each(|receipt| tell_one(receipt, args))
}

/// All that wait after a place, which moves on.
async fn list(
    client: &mut Client,
    agent: &AgentId,
    after: &mut Option<ReceiptPlace>,
) -> Result<Vec<Receipt>, Failure> {
    let mut listed = Vec::new();
    loop {
        let ask = Ask::Receipts {
            agent: agent.clone(),
            after: after.clone(),
        };
        match client.ask(ask).await? {
            Answer::Receipts { last: None, .. } => return Ok(listed),
            Answer::Receipts { receipts, last } => {
                listed.extend(receipts.0);
                *after = last;
            }
            other => return Err(unexpected(&other)),
        }
    }
}

async fn take(client: &mut Client, listed: &[Receipt]) -> Result<u64, Failure> {
    let mut taken = 0;
    // As many ids as fit a request.
    for some in listed.chunks(1_000) {
        let writes: Vec<_> = some.iter().map(|receipt| receipt.write.clone()).collect();
        match client.ask(Ask::TakeReceipts(writes.into())).await? {
            Answer::Taken(count) => taken += count,
            other => return Err(unexpected(&other)),
        }
    }
    Ok(taken)
}

fn tell_one(receipt: &Receipt, args: &ReceiptsArgs) -> Result<(), Failure> {
    if args.hub.json {
        return print(receipt);
    }
    let value = |value: Option<swarm_sync::Value>| {
        value.map_or_else(|| "nothing".to_owned(), |v| brief(&v.to_json()))
    };
    output::line(&output::visible(&receipt.to_string()))?;
    if receipt.winner().is_some() {
        let (own, won) = (
            value(receipt.discarded.value()),
            value(receipt.winning_value().cloned()),
        );
        output::line(&format!("  it wrote {own}; there is {won} instead"))?;
    }
    Ok(())
}
