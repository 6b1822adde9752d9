//! `status`: where the hub and its agents stand, and what the hub does by itself, and what votes have come
//! to.

use std::time::Duration;

use serde_json::Value as Json;
use swarm_sync::{
    Activity, AgentId, Client, HubStatus, LinkOptions, PeriodicStatus, RequestError, Revision,
    Since, Traffic, span,
};

use super::{connect_as, print, way};
use crate::cli::StatusArgs;
use crate::exit::{Code, Failure};
use crate::output::{self, brief_text, or_dash};
use crate::tls::days_until;
use crate::votes;

pub(crate) async fn status(args: StatusArgs) -> Result<(), Failure> {
    let way = way(&args.hub.at, LinkOptions::default())?;
    let (at, patience) = (&args.hub.at, args.hub.patience());
    let mut client = connect_as(&way.link, at, way.name, patience).await?;
    let days = way.tls.and_then(|tls| tls.hub_ends()).map(days_until);
    let status = client.status().await?;
    let hidden = is_hidden(&mut client, &status).await;
    client.close().await;
    if args.hub.json {
        return print(&as_json(&status, hidden, days)?);
    }
    if hidden {
        print_hidden(&at.hub, &status)?;
        return print_days(days);
    }
    print_hub(&at.hub, &status)?;
    print_days(days)?;
    print_activity(&status.activity)?;
    print_traffic(&status.traffic, status.store_bytes)?;
    print_room(&status)?;
    print_members(&status)?;
    print_periodic(&status.periodic)?;
    output::line(&votes::statistics(&status.consensus))?;
    Ok(())
}

/// Whether this name may not read the swarm: what it is told then looks as if there were nothing.
async fn is_hidden(client: &mut Client, status: &HubStatus) -> bool {
    let looks_empty = status.keys == 0 && status.members.is_empty();
    let since = Since::Revision(status.revision);
    looks_empty
        && matches!(
            client.delta(since).await,
            Err(RequestError::Forbidden { .. })
        )
}

fn as_json(status: &HubStatus, hidden: bool, days: Option<u64>) -> Result<Json, Failure> {
    let object = serde_json::to_value(status);
    let mut object = object.map_err(|e| Failure::new(Code::Failed, "json", e.to_string()))?;
    if let Json::Object(fields) = &mut object {
        fields.insert("may_read".to_owned(), (!hidden).into());
        fields.insert("certificate_days".to_owned(), days.into());
    }
    Ok(object)
}

/// Whole days that the hub's certificate is still good for, if it has shown one.
fn print_days(days: Option<u64>) -> Result<(), Failure> {
    if let Some(days) = days {
        output::line(&format!("its certificate ends in {days} days"))?;
    }
    Ok(())
}

/// What everybody is told; the rest would be zeros that mean nothing.
fn print_hidden(address: &str, status: &HubStatus) -> Result<(), Failure> {
    output::line(&format!(
        "hub {address}, swarm {}\nrevision {}, epoch {}\nkeys, agents and what the hub has done are not shown: \
         this name has no right to read the whole swarm",
        status.swarm,
        status.revision.get(),
        status.epoch,
    ))?;
    print_traffic(&status.traffic, None)?;
    print_room(status)
}

fn print_hub(address: &str, status: &HubStatus) -> Result<(), Failure> {
    let keys = if status.keys == 1 { "key" } else { "keys" };
    output::line(&format!(
        "hub {address}, swarm {}\nrevision {}, {} {keys} in {} bytes, epoch {}\ndigest {}",
        status.swarm,
        status.revision.get(),
        status.keys,
        status.state_bytes,
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

/// What the hub has done for the swarm since it started.
fn print_activity(activity: &Activity) -> Result<(), Failure> {
    let Activity {
        commits,
        rounds,
        conflicts,
        refused,
        delta,
        same,
    } = activity;
    let by_rule = conflicts
        .iter()
        .map(|of| format!("{} {}", of.rule, of.writes));
    let by_rule = by_rule.collect::<Vec<_>>().join(", ");
    let by_rule = if by_rule.is_empty() {
        "none".to_owned()
    } else {
        by_rule
    };
    output::line(&format!(
        "of this swarm, in this run:\n  commits {commits}\n  rounds {}: {} complete, {} incomplete, {} failed\n  \
         conflicts {by_rule}; refused {refused}\n  saved about {} bytes by deltas, {} by {} answers of nothing new",
        rounds.run,
        rounds.complete,
        rounds.incomplete,
        rounds.failed,
        delta.saved_bytes(),
        same.saved_bytes,
        same.answers,
    ))?;
    Ok(())
}

/// What the hub has moved for all its swarms, what of that compression has saved, and what its store takes.
fn print_traffic(traffic: &Traffic, store_bytes: Option<u64>) -> Result<(), Failure> {
    let moved = |name, moved: u64, plain: u64| {
        let saved = plain.saturating_sub(moved);
        let percent = (saved * 100).checked_div(plain).unwrap_or_default();
        format!("{name} {moved} bytes, {percent} % saved by compression")
    };
    output::line(&format!(
        "of the hub, all swarms:\n  {}\n  {}\n  compression took {} ms, both ways",
        moved("sent", traffic.sent, traffic.sent_uncompressed()),
        moved(
            "received",
            traffic.received,
            traffic.received_uncompressed()
        ),
        traffic.compression.cpu_us.div_ceil(1_000),
    ))?;
    if let Some(bytes) = store_bytes {
        output::line(&format!("  the store takes {bytes} bytes on disk"))?;
    }
    Ok(())
}

/// What room its disk has, and whether there is too little of it.
fn print_room(status: &HubStatus) -> Result<(), Failure> {
    if let Some(bytes) = status.free_bytes {
        output::line(&format!("  its disk has {bytes} bytes free"))?;
    }
    if !status.takes_writes {
        output::line("  it takes no new writes, as its disk is nearly full: make room there")?;
    }
    Ok(())
}

fn print_members(status: &HubStatus) -> Result<(), Failure> {
    if status.members.is_empty() {
        output::line("no agent has joined yet")?;
        return Ok(());
    }
    let mut table = output::table(&[
        "agent",
        "connected",
        "in step up to",
        "behind by",
        "receipts",
    ]);
    for member in &status.members {
        table.add_row([
            member.agent.to_string(),
            if member.connected { "yes" } else { "no" }.to_owned(),
            or_dash(member.acked.map(Revision::get)),
            or_dash(member.lag),
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
        table.add_row([
            brief_text(&plan.covers),
            span::text(Duration::from_millis(plan.interval_ms)),
            if plan.running {
                "now".to_owned()
            } else {
                format!("in {}", span::text(until(plan.next_in_ms)))
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
        if !plan.last_missing.is_empty() {
            let covers = brief_text(&plan.covers);
            output::line(&format!(
                "{covers} went without {} last time",
                missing(plan)
            ))?;
        }
    }
    Ok(())
}

/// The agents that did not answer, as many as the hub names.
fn missing(plan: &PeriodicStatus) -> String {
    let named = plan.last_missing.iter().map(AgentId::as_str);
    let names = named.collect::<Vec<_>>().join(", ");
    let others = plan
        .last_missing_count
        .saturating_sub(plan.last_missing.len() as u64);
    match others {
        0 => names,
        others => format!("{names} and {others} others"),
    }
}

/// How long that is, in whole seconds if it is one at least.
fn until(millis: u64) -> Duration {
    if millis < 1_000 {
        // What is due is about to begin.
        return Duration::from_millis(millis.max(1));
    }
    Duration::from_secs(millis.div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_less_than_a_second_is_not_said_to_take_one() {
        for (millis, text) in [
            (0, "1ms"),
            (200, "200ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_001, "2s"),
            (60_000, "1m"),
        ] {
            assert_eq!(span::text(until(millis)), text);
        }
    }
}
