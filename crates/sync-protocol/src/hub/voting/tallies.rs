//! What each algorithm has come to in this run of the hub.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{AlgorithmStatistics, Decision, Proposal, Verdict};

/// The sums, by algorithm. Names are those that the hub knows, and those of votes that an earlier run
/// had under way.
#[derive(Debug, Default)]
pub(crate) struct Tallies(BTreeMap<String, Sums>);

#[derive(Debug, Default)]
struct Sums {
    approved: u64,
    rejected: u64,
    timeouts: u64,
    votes: u64,
    participants: u64,
    duration_ms: u64,
}

impl Sums {
    fn ended(&self) -> u64 {
        self.approved + self.rejected + self.timeouts
    }
}

impl Tallies {
    pub(super) fn add(&mut self, decision: &Decision) {
        let sums = self.0.entry(decision.algorithm.clone()).or_default();
        match decision.verdict {
            Verdict::Approved => sums.approved += 1,
            Verdict::Rejected => sums.rejected += 1,
            Verdict::Timeout => sums.timeouts += 1,
        }
        sums.votes += decision.votes.len() as u64;
        sums.participants += decision.participants.len() as u64;
        sums.duration_ms = sums.duration_ms.saturating_add(decision.duration_ms);
    }

    /// For every algorithm that is known or has something to do with `open`.
    pub(super) fn statistics<'a>(
        &'a self,
        known: impl Iterator<Item = &'a str>,
        open: impl Iterator<Item = &'a Proposal>,
    ) -> Vec<AlgorithmStatistics> {
        let open: Vec<&str> = open.filter_map(|p| p.algorithm.as_deref()).collect();
        let mut names: BTreeSet<&str> = known.collect();
        names.extend(&open);
        names.extend(self.0.keys().map(String::as_str));
        let nothing = Sums::default();
        let of = |name: &str| {
            let sums = self.0.get(name).unwrap_or(&nothing);
            AlgorithmStatistics {
                algorithm: name.to_owned(),
                open: open.iter().filter(|other| **other == name).count() as u64,
                approved: sums.approved,
                rejected: sums.rejected,
                timeouts: sums.timeouts,
                votes: sums.votes,
                participants: sums.participants,
                mean_duration_ms: sums.duration_ms.checked_div(sums.ended()),
            }
        };
        names.into_iter().map(of).collect()
    }
}
