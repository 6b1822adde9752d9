//! `agent`: a replica driven by JSON lines, so that a program in any language can be an agent.

mod answer;
mod dispatch;
mod lines;
mod perform;
mod request;

use std::time::Duration;

use serde_json::json;
use swarm_sync::{Agent, LinkOptions, TcpLink};
use tokio::time::timeout;

use crate::cli::AgentArgs;
use crate::data::Data;
use crate::exit::{Code, Failure};
use crate::output::{self, Lines};
use crate::signals::Signals;

use self::dispatch::{Dispatcher, End};

/// How long the last answers may take to be read.
const LAST_LINES: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: AgentArgs) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let place = ["agents", args.swarm.as_str(), args.id.as_str()];
    let data = Data::open(&args.data, &place).await?;
    let agent = match start(&args, &data).await {
        Ok(agent) => agent,
        Err(failure) => {
            data.store.close().await?;
            return Err(failure);
        }
    };
    if args.json {
        converse(&args, agent, data, &mut signals).await
    } else {
        watch(&args, &agent, &data, &mut signals).await?;
        stop(&agent, &data).await
    }
}

async fn start(args: &AgentArgs, data: &Data) -> Result<Agent, Failure> {
    let link = TcpLink::new(&args.hub, LinkOptions::default());
    let mut builder = Agent::builder(args.id.as_str(), link)
        .swarm(args.swarm.as_str())
        .store(data.store.clone());
    if args.offline {
        builder = builder.offline();
    }
    builder.start().await.map_err(|e| data.explain(e))
}

/// Lets what is under way become durable, then releases the directory.
async fn stop(agent: &Agent, data: &Data) -> Result<(), Failure> {
    agent.shutdown().await;
    data.store.close().await?;
    Ok(())
}

/// A replica that nobody drives: it keeps in step until it is told to stop.
async fn watch(
    args: &AgentArgs,
    agent: &Agent,
    data: &Data,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let (id, swarm, hub, data) = (&args.id, &args.swarm, &args.hub, data.describe());
    output::line(&format!(
        "agent {id} of the swarm {swarm}, state in {data}, keeps in step with {hub}; \
         Ctrl-C stops it\nto drive it, start it with --json and write JSON lines to it"
    ))?;
    signals.end().await;
    let state = agent.state().await?;
    output::line(&format!(
        "{} keys, digest {}",
        state.replica.keys, state.replica.digest
    ))?;
    Ok(())
}

async fn converse(
    args: &AgentArgs,
    agent: Agent,
    data: Data,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let lines = Lines::start();
    let out = lines.sender();
    let mut receipts = agent.subscribe_receipts();
    // A send fails only when stdout is closed, which ends the loop below.
    let _ = out.send(ready(args, &agent, &data).await?).await;
    let durable = data.directory.is_some();
    let mut dispatcher = Dispatcher::new(agent.clone(), durable, out.clone());
    let mut input = lines::stdin();
    let end = loop {
        tokio::select! {
            biased;
            () = signals.end() => break End::Signal,
            () = lines.closed() => break End::Signal,
            Ok(receipt) = receipts.recv() => {
                // Who reads too slowly for this finds it among the `receipts`.
                let _ = out.try_send(answer::receipt_event(&receipt));
            }
            next = dispatcher.next(&mut input) => match next {
                Some(line) => if let Some(end) = dispatcher.start(line).await { break end },
                None => break End::Input,
            },
        }
    };
    let drained = async {
        if !matches!(end, End::Signal) {
            dispatcher.drain().await;
        }
    };
    tokio::select! {
        () = drained => {}
        () = signals.end() => {}
        () = lines.closed() => {}
    }
    dispatcher.abort().await;
    let stopped = stop(&agent, &data).await;
    if let End::Quit(id) = end {
        let _ = out.send(answer::quit(&id, stopped.as_ref().err())).await;
    }
    drop((out, dispatcher));
    // Whoever does not read his answers does not hold the process for ever.
    let _ = timeout(LAST_LINES, lines.finish()).await;
    stopped
}

async fn ready(args: &AgentArgs, agent: &Agent, data: &Data) -> Result<String, Failure> {
    let state = agent.state().await.map_err(|e| {
        Failure::new(
            Code::Data,
            e.kind(),
            format!("the agent stopped at once: {e}"),
        )
    })?;
    let fields = answer::object(json!({
        "id": args.id,
        "swarm": args.swarm,
        "incarnation": agent.incarnation(),
        "hub": args.hub,
        "data": data.directory.as_ref().map(|d| d.display().to_string()),
        "pid": std::process::id(),
        "keys": state.replica.keys,
        "pending_writes": state.replica.pending_writes,
        "receipts": state.replica.receipts,
    }));
    Ok(answer::event("ready", fields))
}
