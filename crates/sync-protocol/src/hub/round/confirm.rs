//! The second half of a round: everyone who answered confirms the update, and the caller gets the report.

use std::collections::BTreeSet;

use sync_core::{AgentId, Answer, Key, KeyReport, Now, Revision, SyncReport};

use crate::hub::Hub;
use crate::hub::commit::Committed;

impl Hub {
    /// Ends the rounds whose update everyone who answered has confirmed.
    pub(in crate::hub) fn rounds_acked(&mut self, now: Now) {
        let done: Vec<u64> = self
            .rounds
            .iter()
            .filter(|(_, round)| {
                round.committed.is_some_and(|revision| {
                    let mut waiting = round.responded().filter(|a| !round.asked[*a].lost);
                    waiting.all(|agent| self.has_acked(agent, revision))
                })
            })
            .map(|(number, _)| number)
            .collect();
        for number in done {
            self.end_round(now, number);
        }
    }

    fn has_acked(&self, agent: &AgentId, revision: Revision) -> bool {
        // Nothing was ever committed: there is nothing to confirm.
        revision == Revision::default()
            || self
                .roster
                .get(agent)
                .and_then(|m| m.acked)
                .is_some_and(|acked| acked >= revision)
    }

    pub(super) fn end_round(&mut self, now: Now, number: u64) {
        let Some(round) = self.rounds.close(number) else {
            return;
        };
        let Some(revision) = round.committed else {
            return;
        };
        let responded: BTreeSet<AgentId> = round.responded().cloned().collect();
        let missing = self
            .roster
            .keys()
            .filter(|a| !responded.contains(*a))
            .cloned()
            .collect();
        let in_step = responded.iter().filter(|a| self.has_acked(a, revision));
        let elapsed = now.mono.saturating_sub(round.started);
        let report = SyncReport {
            epoch: self.epoch(),
            revision,
            keys: round
                .keys
                .iter()
                .map(|key| self.key_report(key, &round.brought))
                .collect(),
            in_step: in_step.cloned().collect(),
            responded: responded.into_iter().collect(),
            missing,
            conflicts: round.brought.conflicts.values().sum(),
            bytes: round.bytes,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        };
        self.reply(round.reply_to, Ok(Answer::Synced(report)));
    }

    fn key_report(&self, key: &Key, brought: &Committed) -> KeyReport {
        KeyReport {
            key: key.clone(),
            version: self.version_of(key),
            changed: brought.changed.contains(key),
            conflicts: brought.conflicts.get(key).copied().unwrap_or_default(),
        }
    }
}
