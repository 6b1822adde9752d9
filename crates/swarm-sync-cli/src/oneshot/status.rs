//! `status`: where the hub and its agents stand, and what the hub does by itself, and what votes have come
//! to.

use std::time::Duration;

use swarm_sync::{HubStatus, PeriodicStatus, Revision, Traffic, span};

use super::{connect, print};
use crate::cli::StatusArgs;
use crate::exit::Failure;
use crate::output::{self, brief_text, or_dash};
use crate::votes;

pub(crate) async fn status(args: StatusArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let status = client.status().await?;
    client.close().await;
    if args.hub.json {
        return print(&status);
    }
    print_hub(&args.hub.at.hub, &status)?;
    print_traffic(&status.traffic)?;
    print_members(&status)?;
    print_periodic(&status.periodic)?;
    if let Some(table) = votes::statistics(&status.consensus) {
        output::line(&table)?;
    }
    Ok(())
}

fn print_hub(address: &str, status: &HubStatus) -> Result<(), Failure> {
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
    Ok(())
}

/// What the hub has moved, and what of that compression has saved.
fn print_traffic(traffic: &Traffic) -> Result<(), Failure> {
    let moved = |name, moved: u64, plain: u64| {
        let saved = plain.saturating_sub(moved);
        let percent = (saved * 100).checked_div(plain).unwrap_or_default();
        format!("{name} {moved} bytes, {percent} % saved by compression")
    };
    output::line(&format!(
        "{}\n{}, which took {} ms",
        moved("sent", traffic.sent, traffic.sent_uncompressed()),
        moved(
            "received",
            traffic.received,
            traffic.received_uncompressed()
        ),
        traffic.compression.cpu_us.div_ceil(1_000),
    ))?;
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

fn print_periodic(plans: &[PeriodicStatus]) -> Result<(), Failure> {
    if plans.is_empty() {
        return Ok(());
    }
    let headings = [
        "synchronizes",
        "every",
        "next",
        "runs",
        "changed",
        "failed",
        "missed",
    ];
    let mut table = output::table(&headings);
    for plan in plans {
        let next = Duration::from_secs(plan.next_in_ms.div_ceil(1_000));
        table.add_row([
            brief_text(&plan.covers),
            span::text(Duration::from_millis(plan.interval_ms)),
            if plan.running {
                "now".to_owned()
            } else {
                format!("in {}", span::text(next))
            },
            plan.runs.to_string(),
            plan.changed.to_string(),
            plan.failed.to_string(),
            plan.missed.to_string(),
        ]);
    }
    output::line(&table.to_string())?;
    for plan in plans {
        if let Some(reason) = &plan.last_failure {
            let (covers, reason) = (brief_text(&plan.covers), output::visible(reason));
            output::line(&format!("{covers} failed last time: {reason}"))?;
        }
    }
    Ok(())
}
