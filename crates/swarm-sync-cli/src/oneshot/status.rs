//! Where a hub and its agents stand.

use swarm_sync::{HubStatus, Revision};

use crate::cli::StatusArgs;
use crate::exit::Failure;
use crate::output::{self, or_dash};
use crate::votes;

use super::{connect, print};

pub(crate) async fn status(args: StatusArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let status = client.status().await?;
    client.close().await;
    if args.hub.json {
        return print(&status);
    }
    print_status(&args.hub.at.hub, &status)
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
    print_members(status)?;
    if status.consensus.is_empty() {
        return Ok(());
    }
    output::line(&votes::statistics(&status.consensus))?;
    Ok(())
}

fn print_members(status: &HubStatus) -> Result<(), Failure> {
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
