//! Votes of which the hub has not said what became of them, and when each was last sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::ProposalId;

/// Kept beside the votes, so that looking for what is late costs nothing for those that are settled.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// By the number of the vote, which is the order in which they were given; with when it was last sent.
    by_number: BTreeMap<u64, (ProposalId, Option<Duration>)>,
    /// Those that were sent, the longest ago first.
    sent: BTreeSet<(Duration, u64)>,
}

impl Pending {
    /// One more is to be sent. One that is pending stays as it is.
    pub(super) fn add(&mut self, number: u64, proposal: ProposalId) {
        self.by_number.entry(number).or_insert((proposal, None));
    }

    pub(super) fn note_sent(&mut self, number: u64, at: Duration) {
        let Some((_, sent)) = self.by_number.get_mut(&number) else {
            return;
        };
        if let Some(before) = sent.replace(at) {
            self.sent.remove(&(before, number));
        }
        self.sent.insert((at, number));
    }

    /// The hub has said what became of it, or it is forgotten.
    pub(super) fn remove(&mut self, number: u64) {
        if let Some((_, Some(sent))) = self.by_number.remove(&number) {
            self.sent.remove(&(sent, number));
        }
    }

    /// All, in the order they were given.
    pub(super) fn in_order(&self) -> impl Iterator<Item = ProposalId> {
        self.by_number.values().map(|(proposal, _)| *proposal)
    }

    /// Those that were last sent at `at` or before, the longest ago first.
    pub(super) fn sent_by(&self, at: Duration) -> impl Iterator<Item = ProposalId> {
        let sent = self.sent.range(..=(at, u64::MAX));
        sent.filter_map(|(_, number)| Some(self.by_number.get(number)?.0))
    }

    /// When the one was sent that is out the longest.
    pub(super) fn oldest(&self) -> Option<Duration> {
        self.sent.first().map(|(sent, _)| *sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vote_has_its_own_time() {
        let second = Duration::from_secs;
        let id = ProposalId::from_random;
        let mut pending = Pending::default();
        for number in 1..=3 {
            pending.add(number, id(10 - number));
        }
        assert_eq!(pending.oldest(), None, "none was sent");
        pending.note_sent(2, second(5));
        pending.note_sent(1, second(6));
        assert_eq!(pending.oldest(), Some(second(5)));
        assert!(pending.sent_by(second(5)).eq([id(8)]));
        pending.note_sent(2, second(7));
        assert_eq!(pending.oldest(), Some(second(6)));
        pending.remove(1);
        assert_eq!(pending.oldest(), Some(second(7)));
        assert!(pending.in_order().eq([id(8), id(7)]));
        pending.remove(2);
        assert_eq!(pending.oldest(), None);
        assert!(pending.in_order().eq([id(7)]));
    }
}
