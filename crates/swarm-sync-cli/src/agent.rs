//! `agent`: a replica driven by JSON lines, so that a program in any language can be an agent.

mod answer;
mod authority;
mod dispatch;
mod lines;
mod memory;
mod past;
mod perform;
mod proposals;
mod refusals;
mod request;
mod watches;

use std::time::Duration;

use serde_json::json;
use swarm_sync::keeping::Owner;
use swarm_sync::{Agent, LinkOptions, RequestError, TcpLink};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout};

use crate::cli::AgentArgs;
use crate::data::Data;
use crate::exit::{Code, Failure};
use crate::output::{self, Lines};
use crate::signals::Signals;
use crate::tls;

use self::dispatch::{Dispatcher, End};
use self::lines::Line;

/// How long the hub may take to confirm the last writes.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// How often it is looked whether it has.
const GLANCE: Duration = Duration::from_millis(10);

/// How long the last answers may take to be read.
const LAST_LINES: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: AgentArgs) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let place = ["agents", args.at.swarm.as_str(), args.id.as_str()];
    let owner = Owner::Agent(args.id.clone());
    let data = Data::open(&args.data, &place, &owner).await?;
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
        let watched = watch(&args, &agent, &data, &mut signals).await;
        let stopped = stop(&agent, &data).await;
        watched.and(stopped)
    }
}

async fn start(args: &AgentArgs, data: &Data) -> Result<Agent, Failure> {
    data.refuse_other_swarms(&args.at.swarm).await?;
    let options = LinkOptions {
        compression: !args.no_compression,
        ..LinkOptions::default()
    };
    let mut link = TcpLink::new(&args.at.hub, options);
    if let Some(tls) = tls::agent(&args.at.tls)? {
        link = link.with_tls(tls);
    }
    let mut builder = Agent::builder(args.id.as_str(), link)
        .swarm(args.at.swarm.as_str())
        .store(data.store.clone())
        .keep_free(args.data.keep_free);
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
    let (id, swarm, hub, data) = (&args.id, &args.at.swarm, &args.at.hub, data.describe());
    output::line(&format!(
        "agent {id} of the swarm {swarm}, state in {data}, keeps in step with {hub}; \
         Ctrl-C stops it\nto drive it, start it with --json and write JSON lines to it"
    ))?;
    tokio::select! {
        () = signals.end() => {}
        reason = agent.stopped() => return Err(Failure::new(Code::Data, "stopped", has_stopped(&reason))),
    }
    let state = agent
        .state()
        .await
        .map_err(|e| Failure::new(Code::Data, e.kind(), e.to_string()))?;
    let (count, digest) = (state.replica.keys, state.replica.digest);
    let keys = if count == 1 { "key" } else { "keys" };
    output::line(&format!("{count} {keys}, digest {digest}"))?;
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
    let proposals = agent.proposals().await.map_err(|e| stopped_at_once(&e))?;
    // A send fails only when stdout is closed, which ends the loop below.
    let _ = out.send(ready(args, &agent, &data).await?).await;
    let followed = [
        proposals::follow(agent.clone(), proposals, out.clone()),
        refusals::follow(agent.refused(), out.clone()),
    ];
    let durable = data.directory.is_some();
    let mut dispatcher = Dispatcher::new(agent.clone(), durable, out.clone());
    let mut input = lines::stdin();
    let mut end = loop {
        tokio::select! {
            biased;
            () = signals.end() => break End::Signal,
            () = lines.closed() => break End::Signal,
            reason = agent.stopped() => break End::Stopped { reason, quit: None },
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
    tokio::select! {
        () = answer_all(&mut end, &agent, &mut dispatcher, &mut input) => {}
        () = signals.end() => {}
        () = lines.closed() => {}
    }
    dispatcher.abort().await;
    for task in followed {
        task.abort();
        let _ = task.await;
    }
    let stopped = stop(&agent, &data).await;
    let last = last_lines(&end, stopped.as_ref().err());
    drop(dispatcher);
    let told = async {
        for line in last {
            let _ = out.send(line).await;
        }
        drop(out);
        lines.finish().await;
    };
    // Whoever does not read his answers does not hold the process for ever.
    let _ = timeout(LAST_LINES, told).await;
    let End::Stopped { reason, .. } = end else {
        return stopped;
    };
    output::complain(&has_stopped(&reason));
    Err(Failure::silent(Code::Data))
}

/// What is said last; `failure` is why it did not stop in an orderly way.
fn last_lines(end: &End, failure: Option<&Failure>) -> Vec<String> {
    match end {
        End::Quit(id) => vec![answer::quit(id, failure)],
        End::Stopped { reason, quit } => {
            let sentence = has_stopped(reason);
            let failure = Failure::new(Code::Data, "stopped", &sentence);
            let quit = quit.iter().map(|id| answer::quit(id, Some(&failure)));
            quit.chain([answer::stopped(&sentence)]).collect()
        }
        End::Input | End::Signal => Vec::new(),
    }
}

fn has_stopped(reason: &str) -> String {
    format!(
        "the agent has stopped, as its store failed: {reason}; see to its disk, then start it \
         again: it has what it acknowledged"
    )
}

/// Lets everything that was asked be answered, and the last writes reach the hub.
async fn answer_all(
    end: &mut End,
    agent: &Agent,
    dispatcher: &mut Dispatcher,
    input: &mut Receiver<Line>,
) {
    if matches!(end, End::Signal) {
        return;
    }
    dispatcher.drain().await;
    if let End::Stopped { quit, .. } = end {
        *quit = dispatcher.refuse_rest(input).await;
        return;
    }
    push_last(agent, dispatcher.durable()).await;
    // Its store may have failed over the last of them.
    if let Err(RequestError::Stopped { reason }) = agent.state().await {
        let quit = match end {
            End::Quit(id) => Some(id.take()),
            _ => None,
        };
        *end = End::Stopped { reason, quit };
    }
}

/// Gives the last writes the time to reach a hub that is there, or about to be; says how many did
/// not.
async fn push_last(agent: &Agent, durable: bool) {
    let until = Instant::now() + LAST_WRITES;
    loop {
        // An agent that stopped by itself says so elsewhere.
        let Ok(state) = agent.state().await else {
            return;
        };
        let waiting = state.replica.pending_writes;
        if waiting == 0 {
            return;
        }
        let in_vain = !state.online || (state.link_error.is_some() && !state.replica.connected);
        if in_vain || Instant::now() >= until {
            let writes = if waiting == 1 { "write" } else { "writes" };
            if durable {
                tracing::warn!("{waiting} {writes} wait on disk for the hub");
            } else {
                tracing::warn!("{waiting} {writes} did not reach the hub and are gone");
            }
            return;
        }
        sleep(GLANCE).await;
    }
}

async fn ready(args: &AgentArgs, agent: &Agent, data: &Data) -> Result<String, Failure> {
    let state = agent.state().await.map_err(|e| stopped_at_once(&e))?;
    let fields = answer::object(json!({
        "id": args.id,
        "swarm": args.at.swarm,
        "incarnation": agent.incarnation(),
        "hub": args.at.hub,
        "data": data.directory.as_ref().map(|d| d.display().to_string()),
        "pid": std::process::id(),
        "keys": state.replica.keys,
        "pending_writes": state.replica.pending_writes,
        "receipts": state.replica.receipts,
    }));
    Ok(answer::event("ready", fields))
}

fn stopped_at_once(error: &RequestError) -> Failure {
    let message = format!("the agent stopped at once: {error}");
    Failure::new(Code::Data, error.kind(), message)
}
