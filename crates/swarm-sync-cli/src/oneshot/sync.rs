//! `sync`: one synchronization, and how it went for each key.

use std::time::Duration;

use swarm_sync::{KeyReport, SyncReport, Version};

use super::{connect_within, print};
use crate::cli::SyncArgs;
use crate::exit::{Code, Failure};
use crate::json;
use crate::output::{self, brief_text, names, or_dash};

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
    output::line(&outcome(report).join("\n"))?;
    Ok(())
}

/// What is said below the table.
fn outcome(report: &SyncReport) -> Vec<String> {
    let (done, all) = (report.synchronized(), report.keys.len());
    let mut lines = vec![format!("Synchronized {done} of {all}")];
    lines.extend(report.failed().map(failure));
    lines.push(format!(
        "revision {}, {} bytes, {} ms",
        report.revision.get(),
        report.bytes,
        report.elapsed_ms,
    ));
    lines.push(format!("answered: {}", names(&report.responded)));
    lines.push(format!("missing: {}", names(&report.missing)));
    // They have answered, and hold the result a little later than the others.
    if report.unconfirmed().next().is_some() {
        lines.push(format!(
            "not confirmed yet: {}",
            names(report.unconfirmed())
        ));
    }
    lines
}

fn failure(line: &KeyReport) -> String {
    let reason = line.failed.as_deref().unwrap_or_default();
    let key = brief_text(line.key.as_str());
    format!("{key}: {}", output::visible(reason))
}

#[cfg(test)]
mod tests {
    use swarm_sync::{AgentId, Epoch, Key, Revision};

    use super::*;

    fn agents(names: &[&str]) -> Vec<AgentId> {
        let agents = names.iter().map(|name| AgentId::new(*name));
        agents.collect::<Result<_, _>>().expect("names")
    }

    /// A report of one key, which `a` and `b` have answered for.
    fn confirmed_by(in_step: &[&str]) -> SyncReport {
        let key = KeyReport {
            key: Key::new("k").expect("a key"),
            version: Some(Version::new(1)),
            changed: true,
            conflicts: 0,
            failed: None,
        };
        SyncReport {
            epoch: Epoch::from_random(1),
            revision: Revision::new(7),
            keys: vec![key],
            responded: agents(&["a", "b"]),
            missing: agents(&["c"]),
            in_step: agents(in_step),
            conflicts: 0,
            bytes: 12,
            elapsed_ms: 3,
        }
    }

    #[test]
    fn who_has_answered_and_not_confirmed_is_named() {
        let all = [
            "Synchronized 1 of 1",
            "revision 7, 12 bytes, 3 ms",
            "answered: a, b",
            "missing: c",
        ];
        assert_eq!(outcome(&confirmed_by(&["a", "b"])), all);
        let late = outcome(&confirmed_by(&["a"]));
        assert_eq!(late[..4], all);
        assert_eq!(late[4..], ["not confirmed yet: b"]);
    }
}
