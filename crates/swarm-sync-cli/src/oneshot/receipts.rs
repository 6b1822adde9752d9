//! `receipts`: what came back to those who write without a replica, or waits for an agent.

mod follow;

use serde_json::json;
use swarm_sync::{AgentId, Answer, Ask, Client, Receipt, ReceiptPlace, RequestError, WriteId};

use crate::cli::ReceiptsArgs;
use crate::exit::{Code, Failure};
use crate::output::{self, brief};
use crate::signals::Signals;

use super::write::misanswered;
use super::{NAME, connect, link, name, print};

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
    if args.follow {
        return tokio::select! {
            ended = follow::follow(&args, &whose) => ended,
            () = signals.end() => Ok(()),
        };
    }
    let mut client = connect(&args.hub).await?;
    let told = tokio::select! {
        told = tell(&mut client, &args, &whose) => told,
        () = signals.end() => Ok(()),
    };
    client.close().await;
    told
}

async fn tell(client: &mut Client, args: &ReceiptsArgs, whose: &AgentId) -> Result<(), Failure> {
    let listed = list(client, whose, &mut None).await?;
    // What is taken is nowhere else: it is taken once it is out of this process.
    show(&listed, args, whose)?;
    if !args.take || listed.is_empty() {
        return Ok(());
    }
    let writes: Vec<_> = listed.into_iter().map(|receipt| receipt.write).collect();
    let taken = take(client, &writes).await?;
    if !args.hub.json {
        output::line(&format!("{taken} taken"))?;
    }
    Ok(())
}

fn show(listed: &[Receipt], args: &ReceiptsArgs, whose: &AgentId) -> Result<(), Failure> {
    if args.hub.json {
        let taken = if args.take { listed.len() } else { 0 };
        return print(&json!({"name": whose, "receipts": listed, "taken": taken}));
    }
    if listed.is_empty() {
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
) -> Result<Vec<Receipt>, RequestError> {
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
            other => return Err(misanswered(&other)),
        }
    }
}

/// How many of them had waited.
async fn take(client: &mut Client, writes: &[WriteId]) -> Result<u64, RequestError> {
    let mut taken = 0;
    // As many ids as fit a request.
    for some in writes.chunks(1_000) {
        match client.ask(Ask::TakeReceipts(some.to_vec().into())).await? {
            Answer::Taken(count) => taken += count,
            other => return Err(misanswered(&other)),
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
