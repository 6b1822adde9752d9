//! The second half of a round: everyone who answered confirms the update.

use std::collections::BTreeMap;

use sync_core::{AgentId, Now, Revision};

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
        let round = self.rounds.get(number);
        if let Some(revision) = round.and_then(|round| round.committed) {
            self.end_class(now, number, Ok(revision));
        }
    }
}

/// Whether a member holds everything up to `revision`.
pub(super) fn has_confirmed(
    roster: &BTreeMap<AgentId, Member>,
    agent: &AgentId,
    revision: Revision,
) -> bool {
    // Whoever has left the roster meanwhile holds no more than the first to come.
    let nobody = Member::default();
    roster.get(agent).unwrap_or(&nobody).has_confirmed(revision)
}
