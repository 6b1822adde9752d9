//! Commands that the hub alone decides: compare-and-set and claims.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use swarm_sync::{AgentId, Authority, Incarnation, Lease, TcpLink, span};

use crate::cli::{CasArgs, ClaimArgs, HeldArgs, HubArgs, RenewArgs};
use crate::decisions;
use crate::exit::{Code, Failure};
use crate::output;

use super::{connect_as, link, name, print};

pub(super) async fn cas(args: CasArgs) -> Result<(), Failure> {
    let authority = connect(&args.hub, name()?, args.attempt).await?;
    let claim = args.if_claim.zip(args.token);
    let transaction = decisions::transaction(&args.key, args.value, args.expected, claim);
    let outcome = authority.commit(transaction).await?;
    if args.hub.json {
        return print(&decisions::to_json(&args.key, &outcome));
    }
    Ok(output::line(&match decisions::version(&outcome) {
        Some(version) => format!("version {}", version.get()),
        None => "deleted".to_owned(),
    })?)
}

pub(super) async fn claim(args: ClaimArgs) -> Result<(), Failure> {
    let authority = connect_named(&args.hub, args.name.as_ref(), args.attempt).await?;
    let lease = authority.claim(args.key, args.lease).await?;
    told(&args.hub, &lease)
}

pub(super) async fn renew(args: RenewArgs) -> Result<(), Failure> {
    let HeldArgs {
        key,
        token,
        name,
        hub,
    } = args.held;
    let authority = connect_named(&hub, name.as_ref(), None).await?;
    let held = Lease::of_token(key, token);
    let lease = authority.renew(&held, args.lease).await?;
    told(&hub, &lease)
}

pub(super) async fn release(args: HeldArgs) -> Result<(), Failure> {
    let HeldArgs {
        key,
        token,
        name,
        hub,
    } = args;
    let authority = connect_named(&hub, name.as_ref(), None).await?;
    let held = Lease::of_token(key, token);
    authority.release(&held).await?;
    if hub.json {
        return print(&json!({"key": held.key, "released": true}));
    }
    Ok(output::line("released")?)
}

/// In the name that is to have a claim, or has it.
async fn connect_named(
    hub: &HubArgs,
    wanted: Option<&AgentId>,
    run: Option<Incarnation>,
) -> Result<Authority, Failure> {
    let asked = wanted.cloned().map_or_else(name, Ok)?;
    let (link, proved) = link(&hub.at, asked)?;
    check_name(wanted, &proved)?;
    connect_by(link, proved, hub, run).await
}

/// A name that is not the one that is proved would not have the claim, whatever it says.
fn check_name(wanted: Option<&AgentId>, proved: &AgentId) -> Result<(), Failure> {
    let Some(wanted) = wanted.filter(|wanted| *wanted != proved) else {
        return Ok(());
    };
    let message = format!(
        "--name says {wanted}, and certificate or token prove {proved}: leave --name out, or claim with \
         the certificate or the token of {wanted}"
    );
    Err(Failure::new(Code::Usage, "tls", message))
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
    let (link, name) = link(&hub.at, name)?;
    connect_by(link, name, hub, run).await
}

/// The same by a way that is known, under the name that holds there.
async fn connect_by(
    link: TcpLink,
    name: AgentId,
    hub: &HubArgs,
    run: Option<Incarnation>,
) -> Result<Authority, Failure> {
    let link = Arc::new(link);
    let client = connect_as(&link, &hub.at, name, hub.patience()).await?;
    Ok(client.authority(link, run))
}
