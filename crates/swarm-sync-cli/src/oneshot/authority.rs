//! Commands that the hub alone decides: compare-and-set and claims.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use swarm_sync::{
    AgentId, Authority, Client, Incarnation, Key, Lease, LinkOptions, TcpLink, Token, Transaction,
    Version, span,
};

use crate::cli::{CasArgs, ClaimArgs, HubArgs, ReleaseArgs, RenewArgs};
use crate::exit::Failure;
use crate::output;

use super::{name, no_answer, print};

pub(super) async fn cas(args: CasArgs) -> Result<(), Failure> {
    let authority = connect(&args.hub, name()?, args.attempt).await?;
    let key = args.key;
    let mut transaction = Transaction::new();
    if let Some(version) = args.expected {
        transaction = transaction.expect(key.clone(), Version::new(version));
    }
    if let (Some(claimed), Some(token)) = (args.if_claim, args.token) {
        transaction = transaction.expect_claim(claimed, token);
    }
    transaction = match args.value {
        Some(value) => transaction.set(key.clone(), value),
        None => transaction.delete(key.clone()),
    };
    let outcome = authority.commit(transaction).await?;
    let version = outcome.versions.0.first().and_then(|(_, version)| *version);
    if args.hub.json {
        return print(&json!({
            "key": key, "version": version, "revision": outcome.revision, "epoch": outcome.epoch,
        }));
    }
    output::line(&match version {
        Some(version) => format!("version {}", version.get()),
        None => "deleted".to_owned(),
    })?;
    Ok(())
}

pub(super) async fn claim(args: ClaimArgs) -> Result<(), Failure> {
    let authority = connect(&args.hub, args.name, None).await?;
    let lease = authority.claim(args.key, args.lease).await?;
    told(&args.hub, &lease)
}

pub(super) async fn renew(args: RenewArgs) -> Result<(), Failure> {
    let authority = connect(&args.hub, name()?, None).await?;
    let held = held(args.key, args.token);
    let lease = authority.renew(&held, args.lease).await?;
    told(&args.hub, &lease)
}

pub(super) async fn release(args: ReleaseArgs) -> Result<(), Failure> {
    let authority = connect(&args.hub, name()?, None).await?;
    authority
        .release(&held(args.key.clone(), args.token))
        .await?;
    if args.hub.json {
        return print(&json!({"key": args.key, "released": true}));
    }
    Ok(output::line("released")?)
}

/// A claim of which only the token is known, which is all that proves it.
fn held(key: Key, token: Token) -> Lease {
    Lease {
        key,
        token,
        lease_ms: 0,
    }
}

fn told(hub: &HubArgs, lease: &Lease) -> Result<(), Failure> {
    if hub.json {
        return print(lease);
    }
    let time = span::text(Duration::from_millis(lease.lease_ms));
    Ok(output::line(&format!("{} for {time}", lease.token))?)
}

async fn connect(
    hub: &HubArgs,
    name: AgentId,
    run: Option<Incarnation>,
) -> Result<Authority, Failure> {
    let link = Arc::new(TcpLink::new(&hub.at.hub, LinkOptions::default()));
    let connected = Client::connect(&*link, hub.at.swarm.clone(), name, hub.patience()).await;
    let client = connected.map_err(|error| no_answer(&hub.at.hub, error))?;
    Ok(client.authority(link, run))
}
