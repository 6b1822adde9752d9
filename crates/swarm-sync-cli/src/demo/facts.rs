//! What came out of a demo, for programs and for people.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::checks::Checks;
use crate::exit::{Code, Failure};
use crate::output::{self, visible};

/// As wide as the tables.
const COLUMNS: usize = 80;

/// Facts, of which the checks say what was expected.
#[derive(Debug, Default, Serialize)]
pub(super) struct Facts {
    /// Everything that was checked holds.
    pub(super) ok: bool,
    pub(super) converged: bool,
    /// Agent processes that reported their digest at the end.
    pub(super) replicas: usize,
    /// The hub's digest at the end; the replicas' are in `agents`.
    pub(super) digest: String,
    pub(super) revision: u64,
    /// Bytes at the socket of the agent that caught up, both ways.
    pub(super) delta_bytes: u64,
    /// Bytes at the socket of an empty agent that joined, both ways.
    pub(super) full_bytes: u64,
    pub(super) delta_ratio: f64,
    pub(super) survived_hub_kill: bool,
    /// Writes acknowledged at hub level before the kill.
    pub(super) hub_kill_acked_writes: usize,
    pub(super) elapsed_ms: u64,
    /// The full synchronization, as the hub reported it.
    pub(super) sync: Option<RoundFacts>,
    /// Writes that the round itself found to have lost: `sync.conflicts`. Those that were pushed
    /// before it are not among them.
    pub(super) conflicts: u64,
    /// Writes to the lww register that lost, by the receipts.
    pub(super) lww_losers: usize,
    /// Receipts that their writers hold.
    pub(super) receipts: usize,
    /// One of them as a sentence, and why the register reads as it does, as the hub tells it.
    pub(super) receipt: Option<String>,
    pub(super) explanation: Vec<String>,
    pub(super) lww_value: Option<Json>,
    pub(super) counter_value: Option<Json>,
    pub(super) set_value: Option<Json>,
    pub(super) agents: Vec<AgentFacts>,
    pub(super) checks: Checks,
    /// What stopped the demo before its end.
    pub(super) error: Option<String>,
    /// Where the data and logs of every process are, if they were kept.
    pub(super) directory: Option<String>,
}

/// What one agent process says of itself at the end.
#[derive(Debug, Serialize)]
pub(super) struct AgentFacts {
    pub(super) id: String,
    pub(super) digest: String,
    pub(super) revision: u64,
    pub(super) keys: u64,
    pub(super) pending_writes: u64,
}

/// What the report of a round says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RoundFacts {
    pub(super) responded: Vec<String>,
    pub(super) missing: Vec<String>,
    /// Those that confirmed to hold durably what the round came to.
    pub(super) in_step: Vec<String>,
    pub(super) keys: Vec<KeyFacts>,
    pub(super) conflicts: u64,
    /// Bytes of state that the answers carried.
    pub(super) bytes: u64,
    pub(super) elapsed_ms: u64,
}

/// What a round came to for one key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeyFacts {
    pub(super) key: String,
    pub(super) changed: bool,
    pub(super) conflicts: u64,
}

impl Facts {
    pub(super) fn check(&mut self, what: &'static str, ok: bool, result: String) {
        self.checks.add(what, ok, result);
    }

    pub(super) fn finish(&mut self, elapsed: Duration) {
        self.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.ok = self.error.is_none()
            && self.converged
            && self.survived_hub_kill
            && self.checks.all_hold();
    }

    /// The directory stays; returns where it is.
    pub(super) fn keep(&mut self, directory: TempDir) -> String {
        let place = directory.keep().display().to_string();
        self.directory = Some(place.clone());
        place
    }

    pub(super) fn to_json(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|e| Failure::new(Code::Failed, "json", e.to_string()))
    }

    pub(super) fn print(&self) -> io::Result<()> {
        output::line("A hub and six agents: a process and a directory each, TCP on loopback.\n")?;
        output::line(&self.checks.table().to_string())?;
        if !self.agents.is_empty() {
            let mut agents = output::table(&["agent", "keys", "revision", "its own digest"]);
            for agent in &self.agents {
                let (keys, revision) = (agent.keys.to_string(), agent.revision.to_string());
                agents.add_row([&agent.id, &keys, &revision, &agent.digest]);
            }
            output::line(&format!("\n{agents}"))?;
        }
        self.print_receipt()?;
        self.print_verdict()
    }

    /// What a writer that lost holds in its hands, and what the hub says of it.
    fn print_receipt(&self) -> io::Result<()> {
        let Some(receipt) = &self.receipt else {
            return Ok(());
        };
        output::line("\nA receipt, as its writer got it:")?;
        output::line(&folded(receipt))?;
        output::line("and what `swarm-sync explain` says of the key:")?;
        for sentence in &self.explanation {
            output::line(&folded(sentence))?;
        }
        Ok(())
    }

    fn print_verdict(&self) -> io::Result<()> {
        let so_far = self.checks.summary(self.elapsed_ms);
        let stopped = self.error.as_ref().map_or("", |_| "; then it stopped");
        output::line(&format!("\n{so_far}{stopped}."))?;
        if let Some(error) = &self.error {
            output::complain(&format!("the demo stopped: {error}"));
        }
        if let Some(directory) = &self.directory {
            let sentence = format!("data and logs of every process are in {directory}");
            if self.ok {
                output::line(&sentence)?;
            } else {
                output::complain(&sentence);
            }
        }
        Ok(())
    }
}

/// A sentence as lines of at most 80 columns, set in.
fn folded(sentence: &str) -> String {
    let mut lines = vec![" ".to_owned()];
    for word in visible(sentence).split(' ') {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last + 1 + word.chars().count() > COLUMNS {
            lines.push("   ".to_owned());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n")
}
