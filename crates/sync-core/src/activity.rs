//! What a hub has done for a swarm in its run: counts that only rise.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::resolver::MergeRule;

/// What a hub has done for a swarm since it started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Encode, Decode)]
pub struct Activity {
    /// Commits.
    pub commits: u64,
    /// Rounds that have ended.
    pub rounds: RoundCounts,
    /// Writes that lost against others or were merged with them, ascending by the rule that decided; a
    /// rule that has decided nothing is left out.
    pub conflicts: Vec<RuleConflicts>,
    /// Writes that came back because they may not enter: of another rule than their key's, too large,
    /// stamped too far in the future, or without a right.
    pub refused: u64,
    /// What agents were sent of commits, instead of whole entries.
    pub delta: DeltaCounts,
    /// Answers in rounds that had nothing to bring.
    pub same: SameCounts,
}

/// Rounds that have ended: each is one of complete, incomplete and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Encode, Decode)]
pub struct RoundCounts {
    /// All of them.
    pub run: u64,
    /// Those in which every agent of the roster has answered.
    pub complete: u64,
    /// Those that some have answered: the others were not connected, or silent until the deadline.
    pub incomplete: u64,
    /// Those that came to nothing: nobody answered, they ended for more urgent ones, or whoever had asked
    /// was gone.
    pub failed: u64,
    /// How long they took together, in milliseconds.
    pub elapsed_ms: u64,
}

/// The writes on which one rule has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct RuleConflicts {
    /// The rule.
    pub rule: MergeRule,
    /// The writes that lost, or went into a merge.
    pub writes: u64,
}

/// About how many bytes of writes went out, and would have without deltas. Each receiver counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Encode, Decode)]
pub struct DeltaCounts {
    /// Keys of commits that were sent to agents in step, and catchings-up that began at a position.
    pub sent: u64,
    /// What they held.
    pub sent_bytes: u64,
    /// What the whole entries hold: of the keys, or, for who caught up, of all keys.
    pub whole_bytes: u64,
}

/// Parts of rounds that an agent had nothing to bring to: its digests are those of the hub, or it only
/// lacks what the hub has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Encode, Decode)]
pub struct SameCounts {
    /// How many.
    pub answers: u64,
    /// About how many bytes the writes of the keys asked for hold, which it did not send.
    pub saved_bytes: u64,
}

impl Activity {
    /// Notes a write that has lost by a rule, or was merged by it.
    pub fn note_conflict(&mut self, rule: MergeRule) {
        // There are a handful of rules.
        match self.conflicts.binary_search_by_key(&rule, |of| of.rule) {
            Ok(at) => self.conflicts[at].writes += 1,
            Err(at) => self.conflicts.insert(at, RuleConflicts { rule, writes: 1 }),
        }
    }

    /// Writes that have lost or were merged, by any rule.
    pub fn conflicts_in_all(&self) -> u64 {
        self.conflicts.iter().map(|of| of.writes).sum()
    }
}

impl DeltaCounts {
    /// Notes what was sent, `times` over, in the place of `whole`. A delta is never more than its whole.
    pub fn note(&mut self, times: u64, sent: u64, whole: u64) {
        self.sent += times;
        self.sent_bytes += times * sent;
        self.whole_bytes += times * whole.max(sent);
    }

    /// Bytes that did not go out.
    pub fn saved_bytes(&self) -> u64 {
        self.whole_bytes.saturating_sub(self.sent_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_counted_by_rule_in_the_order_of_rules() {
        let mut activity = Activity::default();
        for rule in [MergeRule::Map, MergeRule::Lww, MergeRule::Map] {
            activity.note_conflict(rule);
        }
        let told = activity.conflicts.iter().map(|of| (of.rule, of.writes));
        let told: Vec<_> = told.collect();
        assert_eq!(told, [(MergeRule::Lww, 1), (MergeRule::Map, 2)]);
        assert_eq!(activity.conflicts_in_all(), 3);
    }

    #[test]
    fn a_delta_saves_what_was_not_sent_to_each_receiver() {
        let mut delta = DeltaCounts::default();
        delta.note(3, 10, 100);
        delta.note(2, 50, 40);
        assert_eq!((delta.sent, delta.sent_bytes), (5, 130));
        assert_eq!(delta.saved_bytes(), 270);
    }
}
