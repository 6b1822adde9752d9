//! The second half of a round: everyone who answered confirms the update, and the caller gets the report.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{AgentId, Answer, Key, KeyReport, Now, Revision, SyncReport};

use crate::hub::commit::Committed;
use crate::hub::{Hub, Member};

impl Hub {
    /// A member holds everything up to `revision`: rounds that waited for just that end.
    pub(in crate::hub) fn rounds_confirmed(
        &mut self,
        now: Now,
        agent: &AgentId,
        revision: Revision,
    ) {
        let waiting = self.rounds.iter_mut();
        let done = waiting.filter_map(|(number, round)| {
            let reached = round.committed.is_some_and(|wanted| wanted <= revision);
            let is_last = reached && round.waits_for.remove(agent) && round.waits_for.is_empty();
            is_last.then_some(number)
        });
        let done: Vec<u64> = done.collect();
        for number in done {
            self.end_round(now, number);
        }
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
        let in_step = responded
            .iter()
            .filter(|a| has_confirmed(&self.roster, a, revision));
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
            failed: None,
        }
    }
}

/// Whether a member holds everything up to `revision`.
pub(super) fn has_confirmed(
    roster: &BTreeMap<AgentId, Member>,
    agent: &AgentId,
    revision: Revision,
) -> bool {
    // Nothing was ever committed: there is nothing to confirm.
    let acked = || roster.get(agent)?.acked;
    revision == Revision::default() || acked().is_some_and(|acked| acked >= revision)
}
