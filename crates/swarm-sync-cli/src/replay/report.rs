//! What came out of a replay, for programs and for people.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use crate::checks::Checks;
use crate::exit::{Code, Failure};
use crate::output;
use serde::Serialize;

use super::lost::Lost;
use super::verify::Differences;

/// Facts, of which the checks say what was expected.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Everything that was checked holds.
    pub(super) ok: bool,
    /// Where git keeps the repository.
    pub(super) repository: String,
    pub(super) head: String,
    /// The history is cut off: its first commit counted as the root.
    pub(super) shallow: bool,
    /// After how many of its own commits an agent synced; none if it caught up before each.
    pub(super) offline_every: Option<usize>,
    pub(super) transport: &'static str,
    pub(super) commits: u64,
    pub(super) agents: usize,
    /// Keys that hold a value at the end.
    pub(super) keys: u64,
    /// Paths that were escaped or hashed, as they are no keys.
    pub(super) escaped_paths: usize,
    pub(super) hashed_paths: usize,
    pub(super) writes: u64,
    pub(super) deletes: u64,
    /// Deletes of paths that their agent did not hold.
    pub(super) idle_deletes: u64,
    /// Times an agent exchanged with the hub what either lacked.
    pub(super) rounds: u64,
    pub(super) conflicts: usize,
    /// Paths at which the replicas and the tree of HEAD differ.
    pub(super) unlike_head: usize,
    /// Bytes between hub and agents, both ways.
    pub(super) bytes: u64,
    pub(super) elapsed_ms: u64,
    /// Most memory this process took; none where the system does not say.
    pub(super) peak_memory_bytes: Option<u64>,
    /// The hub's at the end.
    pub(super) digest: String,
    pub(super) revision: u64,
    pub(super) checks: Checks,
    pub(super) members: Vec<MemberFacts>,
    /// Every write that lost.
    pub(super) lost: Vec<Lost>,
}

#[derive(Debug, Serialize)]
pub(super) struct MemberFacts {
    pub(super) agent: String,
    pub(super) author: Option<String>,
    pub(super) commits: u64,
    pub(super) lost: usize,
    pub(super) digest: String,
}

impl Report {
    pub(super) fn check(&mut self, what: &'static str, ok: bool, result: String) {
        self.checks.add(what, ok, result);
    }

    /// What all replicas have to pass, with what one of the others shows.
    pub(super) fn check_all(
        &mut self,
        what: &'static str,
        passed: usize,
        other: Option<&Differences>,
    ) {
        let all = self.agents;
        let mut result = format!("{passed} of {all}");
        if let Some(other) = other {
            result = format!("{result}; {other}");
        }
        self.check(what, passed == all, result);
    }

    pub(super) fn finish(&mut self, elapsed: Duration) {
        self.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.peak_memory_bytes = peak_memory();
        self.ok = !self.checks.is_empty() && self.checks.all_hold();
    }

    pub(super) fn to_json(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|e| Failure::new(Code::Failed, "json", e.to_string()))
    }

    pub(super) fn print(&self) -> io::Result<()> {
        let mut facts = output::table(&["replayed", ""]);
        for (name, fact) in self.facts() {
            facts.add_row([name.to_owned(), output::visible(&fact)]);
        }
        output::line(&facts.to_string())?;
        output::line(&format!("\n{}", self.checks.table()))?;
        if !self.lost.is_empty() {
            output::line("\nWrites that lost, each with its winner:")?;
        }
        for lost in &self.lost {
            output::line(&format!("  {}", output::visible(&lost.line())))?;
        }
        for line in self.authors_of_lost() {
            output::line(&format!("  {}", output::visible(&line)))?;
        }
        output::line(&format!("\n{}.", self.checks.summary(self.elapsed_ms)))
    }

    /// Whom the agents stand for that the lost writes name; nobody if agents take turns.
    fn authors_of_lost(&self) -> Vec<String> {
        let named: BTreeSet<&str> = self.lost.iter().flat_map(Lost::agents).collect();
        let members = self.members.iter();
        let members = members.filter(|member| named.contains(member.agent.as_str()));
        let known = members.filter_map(|m| Some(format!("{} is {}", m.agent, m.author.as_ref()?)));
        known.collect()
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let cut_off = if self.shallow {
            ", a shallow clone"
        } else {
            ""
        };
        let manner = match self.offline_every {
            Some(every) => format!("cut off, syncing after every {every} of their own commits"),
            None => "catching up before each commit".to_owned(),
        };
        let not_plain = match (self.escaped_paths, self.hashed_paths) {
            (0, 0) => String::new(),
            (escaped, hashed) => format!(" ({} escaped, {hashed} hashed)", paths(escaped)),
        };
        let mut facts = vec![
            ("repository", format!("{}{cut_off}", self.repository)),
            ("commits", self.commits.to_string()),
            ("agents", format!("{}, {manner}", self.agents)),
            ("keys", format!("{}{not_plain}", self.keys)),
            ("writes", self.writes.to_string()),
            ("deletes", self.deletes.to_string()),
            ("rounds", self.rounds.to_string()),
            ("conflicts", self.conflicts.to_string()),
        ];
        if self.offline_every.is_some() {
            let idle = self.idle_deletes.to_string();
            facts.push(("idle deletes", idle));
            facts.push(("unlike HEAD", paths(self.unlike_head)));
        }
        facts.push(("bytes exchanged", self.bytes.to_string()));
        facts.push(("time", format!("{} ms", self.elapsed_ms)));
        if let Some(bytes) = self.peak_memory_bytes {
            facts.push(("peak memory", format!("{} MiB", bytes >> 20)));
        }
        facts
    }
}

fn paths(count: usize) -> String {
    let word = if count == 1 { "path" } else { "paths" };
    format!("{count} {word}")
}

#[cfg(target_os = "linux")]
fn peak_memory() -> Option<u64> {
    high_water(&std::fs::read_to_string("/proc/self/status").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn peak_memory() -> Option<u64> {
    None
}

/// `VmHWM:     12345 kB`
#[cfg(any(target_os = "linux", test))]
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use swarm_sync::{Key, Value};

    use super::*;
    use crate::replay::verify::compare;

    #[test]
    fn the_peak_is_read_from_the_status_of_a_process() {
        let status = "VmPeak:\t  9 kB\nVmHWM:\t   12 kB\nThreads:\t1\n";
        assert_eq!(high_water(status), Some(12 << 10));
        assert_eq!(high_water("VmPeak:\t9 kB\n"), None);
        assert_eq!(high_water("VmHWM:\tmany kB\n"), None);
    }

    #[test]
    fn nothing_checked_is_nothing_proved() {
        let mut report = Report::default();
        report.finish(Duration::ZERO);
        assert!(!report.ok);
    }

    #[test]
    fn one_replica_that_differs_fails_the_check() {
        let mut report = Report {
            agents: 2,
            ..Report::default()
        };
        let tree = BTreeMap::from([(Key::new("a").expect("a key"), Value::Null)]);
        let planted = compare(&tree, &BTreeMap::new());
        report.check_all("equal", 2, None);
        report.finish(Duration::ZERO);
        assert!(report.ok);
        report.check_all("equal", 1, Some(&planted));
        report.finish(Duration::ZERO);
        assert!(!report.ok);
        assert_eq!(
            report.checks.last_result(),
            Some("1 of 2; 1 paths differ: \"a\" is missing, git has it")
        );
    }
}
