//! `sync`: one synchronization, and how it went for each key.

use std::time::Duration;

use swarm_sync::{AgentId, KeyReport, SyncReport, Version};

use super::{connect_within, print};
use crate::cli::SyncArgs;
use crate::exit::{Code, Failure};
use crate::json;
use crate::output::{self, brief_text, or_dash};

/// A round may take all of its time; its answer comes after.
const ANSWER_AFTER_ROUND: Duration = Duration::from_secs(5);

pub(crate) async fn sync(args: SyncArgs) -> Result<(), Failure> {
    let mut client = connect_within(&args.hub, args.hub.patience() + ANSWER_AFTER_ROUND).await?;
    // Without a time of the caller's the hub waits as long as the priorities of the keys say.
    let timeout = args.hub.timeout.map(Duration::from_secs);
    let report = client.sync(args.keys, timeout).await?;
    client.close().await;
    if args.hub.json {
        print(&json::report(&report))?;
    } else {
        print_report(&report)?;
    }
    Failure::unless(report.failed().next().is_none(), Code::Failed, Ok(()))
}

fn print_report(report: &SyncReport) -> Result<(), Failure> {
    let mut table = output::table(&["key", "version", "changed", "conflicts"]);
    for key in &report.keys {
        table.add_row([
            brief_text(key.key.as_str()),
            or_dash(key.version.map(Version::get)),
            if key.changed { "yes" } else { "no" }.to_owned(),
            key.conflicts.to_string(),
        ]);
    }
    output::line(&table.to_string())?;
    let (done, all) = (report.synchronized(), report.keys.len());
    output::line(&format!("Synchronized {done} of {all}"))?;
    for key in report.failed() {
        output::line(&failure(key))?;
    }
    output::line(&format!(
        "revision {}, {} bytes, {} ms\nanswered: {}\nmissing: {}",
        report.revision.get(),
        report.bytes,
        report.elapsed_ms,
        names(&report.responded),
        names(&report.missing),
    ))?;
    Ok(())
}

fn failure(line: &KeyReport) -> String {
    let reason = line.failed.as_deref().unwrap_or_default();
    let key = brief_text(line.key.as_str());
    format!("{key}: {}", output::visible(reason))
}

fn names(agents: &[AgentId]) -> String {
    let names: Vec<_> = agents.iter().map(AgentId::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
