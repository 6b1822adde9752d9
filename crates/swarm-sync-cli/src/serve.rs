//! `serve`: a hub until it is told to stop.

mod backups;
mod metrics;
mod reload;

use std::collections::BTreeSet;
use std::future::pending;
use std::io::Read;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use serde_json::{Map, json};
use swarm_sync::keeping::Owner;
use swarm_sync::tls::HubTls;
use swarm_sync::{
    CoordinatorOptions, Limits, Policies, Reloaded, Rights, StateSynchronizer, SynchronizerBuilder,
    TcpCoordinator, TransportError,
};
use tokio::sync::{oneshot, watch};

use self::backups::Backups;
use self::metrics::Measured;
use crate::cli::ServeArgs;
use crate::data::Data;
use crate::exit::{Code, Failure};
use crate::json::object_line;
use crate::output;
use crate::policies;
use crate::rights;
use crate::rounds::with_rounds;
use crate::signals::{Signals, Wish};
use crate::tls;

pub(crate) async fn run(args: ServeArgs) -> Result<(), Failure> {
    let mut signals = Signals::listen_for_reloads()?;
    let tls = tls::hub(&args.tls)?;
    if tls.is_none() && !args.insecure {
        refuse_reachable(&args.listen).await?;
    }
    refuse_two_weights(&args)?;
    let policies = args.policy.as_deref().map(policies::read).transpose();
    let policies = policies.map_err(policies::refused)?;
    let rights = args.tls.rights.as_deref().map(rights::read).transpose();
    let rights = rights.map_err(rights::refused)?;
    if let (Some(file), Some(rights)) = (&args.tls.rights, &rights) {
        rights::warn_without_admin(file, rights);
    }
    let files = Files {
        tls,
        policies,
        rights,
    };
    // Before anything is opened: an address that is taken leaves nothing behind.
    let measured = match &args.metrics {
        None => None,
        Some(address) => Some(Measured::listen(address).await?),
    };
    let data = Data::open(&args.data, &["hub"], &Owner::Hub).await?;
    let served = match Backups::of(&args, data.directory.as_deref()) {
        Ok(backups) => serve(&args, files, measured, (&data, backups), &mut signals).await,
        Err(refused) => Err(refused),
    };
    let closed = data.store.close().await;
    served?;
    closed?;
    Ok(())
}

/// What was read before anything is opened.
#[derive(Debug)]
struct Files {
    tls: Option<Arc<HubTls>>,
    policies: Option<Policies>,
    rights: Option<Rights>,
}

async fn serve(
    args: &ServeArgs,
    files: Files,
    measured: Option<Measured>,
    (data, backups): (&Data, Option<Backups>),
    signals: &mut Signals,
) -> Result<(), Failure> {
    let swarms: BTreeSet<_> = args.swarms.iter().cloned().collect();
    let options = CoordinatorOptions {
        swarms: (!swarms.is_empty()).then_some(swarms),
        connections_max: args.connections_max,
        outbox_bytes_max: args.outbox_bytes_max,
        compression: !args.no_compression,
        ..CoordinatorOptions::default()
    };
    let bound = match &files.tls {
        None => TcpCoordinator::bind(&args.listen, options).await,
        Some(tls) => TcpCoordinator::bind_secure(&args.listen, options, Arc::clone(tls)).await,
    };
    let coordinator = Arc::new(bound.map_err(cannot_listen)?);
    let address = coordinator.local_addr();
    let count = files
        .policies
        .as_ref()
        .map(|policies| policies.iter().count());
    let builder = StateSynchronizer::builder(Arc::clone(&data.store), coordinator);
    let builder = builder.limits(limits(args)).keep_free(args.data.keep_free);
    let builder = builder.merges(policies::merges());
    let builder = if data.recovered {
        builder.after_loss()
    } else {
        builder
    };
    let builder = with_files(args, files, builder);
    let builder = with_rounds(&args.rounds, with_votes(args, builder))?;
    let hub = builder.start().await.map_err(|e| data.explain(e))?;
    let metrics = measured.as_ref().map(Measured::address);
    let measured = measured.map(|measured| measured.answer(&hub)).transpose()?;
    let announced = Announced {
        address,
        metrics,
        policies: count,
    };
    announce(args, &announced, data)?;
    let ended = until_the_end(args, &hub, backups.as_ref(), signals).await;
    hub.shutdown().await;
    if let Some(measured) = measured {
        measured.stop();
    }
    ended
}

/// Serves until somebody wants it to end, or it cannot go on.
async fn until_the_end(
    args: &ServeArgs,
    hub: &StateSynchronizer,
    backups: Option<&Backups>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let mut stdin = pin!(stdin_closed(args.with_stdin));
    let mut backed_up = pin!(async {
        match backups {
            Some(backups) => backups.make(hub).await,
            None => pending().await,
        }
    });
    loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::End => return Ok(()),
                Wish::Reload => reload::start(args, hub),
            },
            () = &mut stdin => return Ok(()),
            () = &mut backed_up => {}
            reason = hub.stopped() => return Err(Failure::new(
                Code::Data,
                "stopped",
                format!(
                    "the hub has stopped, as its store failed: {reason}; see to its disk, then start it \
                     again: it has what it acknowledged"
                ),
            )),
        }
    }
}

fn limits(args: &ServeArgs) -> Limits {
    let mut limits = Limits::default();
    limits.memory_bytes_max = args.memory_bytes_max;
    limits.keys_max = args.keys_max;
    limits.state_bytes_max = args.state_bytes_max;
    limits
}

/// What files say, which are read again whenever a client or SIGHUP asks for it: policies, and those of TLS.
fn with_files(
    args: &ServeArgs,
    files: Files,
    mut builder: SynchronizerBuilder,
) -> SynchronizerBuilder {
    let Files {
        tls,
        policies,
        rights,
    } = files;
    if policies.is_none() && tls.is_none() {
        return builder;
    }
    if let Some(rights) = rights {
        // Others come with what is read anew.
        let (_, in_force) = watch::channel(Arc::new(rights));
        builder = builder.rights(in_force);
    }
    let granted = args.tls.rights.clone();
    let file = args.policy.clone();
    let source = move || {
        // A line each, as `policy check` has them: that is how `policy reload` takes them apart.
        let read = file.as_deref().map(policies::read).transpose();
        let read = read.map_err(|flaws| flaws.join("\n"))?;
        let rights = granted.as_deref().map(rights::read_anew).transpose();
        let rights = rights.map_err(|flaws| flaws.join("\n"))?;
        // What cannot fail comes last, so that a broken file leaves everything as it is.
        if let Some(tls) = &tls {
            tls.reload().map_err(|e| e.to_string())?;
        }
        Ok(Reloaded::new(read.unwrap_or_default()).with_rights(rights))
    };
    builder
        .policies(policies.unwrap_or_default())
        .policy_source(source)
}

/// Who decides votes.
fn with_votes(args: &ServeArgs, builder: SynchronizerBuilder) -> SynchronizerBuilder {
    let builder = builder
        .default_algorithm(&args.algorithm)
        .vote_timeout(args.vote_timeout);
    if args.weights.is_empty() {
        return builder;
    }
    builder.weights(args.weights.iter().cloned())
}

/// One of two weights of an agent is a mistake, and nobody could tell which.
fn refuse_two_weights(args: &ServeArgs) -> Result<(), Failure> {
    let mut met = BTreeSet::new();
    match args.weights.iter().find(|(agent, _)| !met.insert(agent)) {
        None => Ok(()),
        Some((agent, _)) => {
            let message = format!("--weight names the agent {agent} twice; give it one weight");
            Err(Failure::new(Code::Usage, "config", message))
        }
    }
}

/// What there is to say once it serves.
struct Announced {
    address: SocketAddr,
    /// Where it is measured, if it is.
    metrics: Option<SocketAddr>,
    policies: Option<usize>,
}

fn announce(args: &ServeArgs, said: &Announced, data: &Data) -> Result<(), Failure> {
    let address = said.address;
    if args.json {
        let directory = data.directory.as_ref().map(|d| d.display().to_string());
        let metrics = said.metrics.map(|metrics| metrics.to_string());
        let head = [
            ("event", json!("ready")),
            ("addr", json!(address.to_string())),
            ("data", json!(directory)),
            ("policies", json!(said.policies)),
            ("metrics", json!(metrics)),
            ("pid", json!(std::process::id())),
        ];
        output::line(&object_line(&head, Map::new()))?;
        return Ok(());
    }
    let data = data.describe();
    let policies = said.policies;
    let policies = policies.map(|count| format!(", {}", policies::counted(count)));
    let policies = policies.unwrap_or_default();
    let metrics = said.metrics;
    let metrics = metrics.map(|at| format!("\nit is measured at http://{at}/metrics"));
    let metrics = metrics.unwrap_or_default();
    output::line(&format!(
        "hub at {address}, state in {data}{policies}; Ctrl-C stops it{metrics}\n\
         start an agent with: swarm-sync agent --hub {address} --id NAME --json"
    ))?;
    Ok(())
}

/// The address is taken, unknown or not allowed: the system's words tell which.
fn cannot_listen(error: TransportError) -> Failure {
    let message = format!(
        "{error}; if it is taken, stop who listens there, else choose another with --listen, where \
         port 0 lets the system choose"
    );
    Failure::new(Code::Failed, "listen", message)
}

/// Whoever reaches the hub can do everything, so other machines must not without a word.
async fn refuse_reachable(listen: &str) -> Result<(), Failure> {
    let found = tokio::net::lookup_host(listen).await.map_err(|e| {
        cannot_listen(TransportError::Listen {
            address: listen.to_owned(),
            reason: e.to_string(),
        })
    })?;
    let reachable = found.map(|a| a.ip()).find(|ip| !ip.is_loopback());
    match reachable {
        None => Ok(()),
        Some(ip) => Err(Failure::new(
            Code::Usage,
            "insecure-address",
            format!(
                "{listen} is not a loopback address ({ip}): whoever reaches it could read and \
                 write everything; give --tls-cert and --tls-key, which `swarm-sync cert` makes, \
                 listen on 127.0.0.1, or add --insecure if the network is trusted"
            ),
        )),
    }
}

/// Waits for the end of stdin if that is to end the hub, else for ever.
async fn stdin_closed(wanted: bool) {
    if !wanted {
        return pending().await;
    }
    let (closed, told) = oneshot::channel();
    // A thread, because a read of stdin cannot be cancelled and must not hold the runtime's end.
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        let mut stdin = std::io::stdin().lock();
        while stdin.read(&mut buffer).is_ok_and(|read| read > 0) {}
        let _ = closed.send(());
    });
    let _ = told.await;
}
