//! The proposals that this run was told of: what it has passed on, and may vote on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::{Digest, ProposalId};

/// Proposals that are remembered: far more than peers can have open at a hub, and what one that lies can
/// make an agent hold.
const TOLD_MAX: usize = 4_096;

/// After the time that the hub has named a proposal still counts as open: clocks differ in how fast they
/// go, and a hub that starts again may give a vote some time once more.
const MARGIN: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// What the hub's fingerprint of it was.
    about: Digest,
    /// When it is over at the latest, by this agent's clock.
    over_at: Duration,
    /// The hub has said so.
    has_ended: bool,
}

/// What is over makes room first. It is kept until then: a vote on it is answered by the hub, which knows
/// how it ended.
#[derive(Debug, Default)]
pub(super) struct Told {
    by_id: BTreeMap<ProposalId, Entry>,
    /// Those that are over the longest first, then those that will be the soonest.
    by_end: BTreeSet<(Duration, ProposalId)>,
}

impl Told {
    /// The hub has told of a proposal on which votes are taken for `left`; whether that is news.
    pub(super) fn note(
        &mut self,
        now: Duration,
        (proposal, about): (ProposalId, Digest),
        left: Duration,
    ) -> bool {
        let before = self.remove(proposal);
        while self.by_id.len() >= TOLD_MAX {
            let Some((_, first)) = self.by_end.pop_first() else {
                break;
            };
            self.by_id.remove(&first);
        }
        let over_at = now.saturating_add(left).saturating_add(MARGIN);
        let entry = Entry {
            about,
            over_at,
            has_ended: false,
        };
        self.insert(proposal, entry);
        before.is_none_or(|before| before.about != about)
    }

    /// What it is that this run was told of under an id.
    pub(super) fn about(&self, proposal: ProposalId) -> Option<Digest> {
        self.by_id.get(&proposal).map(|entry| entry.about)
    }

    /// The hub has said how it ended.
    pub(super) fn end(&mut self, now: Duration, proposal: ProposalId) {
        if let Some(mut entry) = self.remove(proposal) {
            entry.over_at = entry.over_at.min(now);
            entry.has_ended = true;
            self.insert(proposal, entry);
        }
    }

    /// The hub knows nothing of it: it is news if it is told of again.
    pub(super) fn forget(&mut self, proposal: ProposalId) {
        self.remove(proposal);
    }

    /// Whether this run was told of it, and not of its end.
    pub(super) fn is_undecided(&self, proposal: ProposalId) -> bool {
        let entry = self.by_id.get(&proposal);
        entry.is_some_and(|entry| !entry.has_ended)
    }

    /// Those of whose ends nothing was heard.
    pub(super) fn undecided(&self) -> impl Iterator<Item = (ProposalId, Digest)> {
        let open = self.by_id.iter().filter(|(_, entry)| !entry.has_ended);
        open.map(|(proposal, entry)| (*proposal, entry.about))
    }

    /// Of those the ones that must be over by now.
    pub(super) fn overdue(&self, now: Duration) -> impl Iterator<Item = (ProposalId, Digest)> {
        let over = self.by_end.iter().take_while(move |(at, _)| *at <= now);
        let over = over.filter_map(|(_, id)| Some((*id, self.by_id.get(id)?)));
        let open = over.filter(|(_, entry)| !entry.has_ended);
        open.map(|(proposal, entry)| (proposal, entry.about))
    }

    fn insert(&mut self, proposal: ProposalId, entry: Entry) {
        self.by_end.insert((entry.over_at, proposal));
        self.by_id.insert(proposal, entry);
    }

    fn remove(&mut self, proposal: ProposalId) -> Option<Entry> {
        let entry = self.by_id.remove(&proposal)?;
        self.by_end.remove(&(entry.over_at, proposal));
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use sync_core::{DigestKey, SwarmId};

    use super::*;

    const MOST: u64 = TOLD_MAX as u64;
    const HOUR: Duration = Duration::from_hours(1);

    fn of(bits: u64) -> (ProposalId, Digest) {
        let swarm = SwarmId::new("team").unwrap();
        let about = DigestKey::of(&swarm).proposal(b"a proposal");
        (ProposalId::from_random(bits), about)
    }

    fn is_known(told: &Told, bits: u64) -> bool {
        told.about(of(bits).0).is_some()
    }

    #[test]
    fn a_proposal_is_news_once() {
        let mut told = Told::default();
        let at = Duration::from_secs;
        assert!((0..MOST).all(|bits| told.note(at(bits), of(bits), HOUR)));
        assert!((0..MOST).all(|bits| !told.note(at(bits), of(bits), HOUR)));
    }

    #[test]
    fn what_is_open_outlives_any_number_that_are_decided_or_out_of_time() {
        let mut told = Told::default();
        let mut now = Duration::ZERO;
        told.note(now, of(0), HOUR);
        for bits in 1..=2 * MOST {
            told.note(now, of(bits), HOUR);
            told.end(now, of(bits).0);
        }
        assert!(is_known(&told, 0));
        let from = 2 * MOST;
        for bits in from..from + MOST - 1 {
            told.note(now, of(bits), Duration::from_millis(1));
        }
        now += Duration::from_millis(1) + MARGIN;
        for bits in 2 * from..2 * from + MOST - 1 {
            told.note(now, of(bits), Duration::from_millis(1));
        }
        assert!(is_known(&told, 0));
        assert!(!is_known(&told, from), "over the longest");
    }

    #[test]
    fn a_hub_that_never_ends_them_makes_it_hold_no_more_than_the_bound() {
        let mut told = Told::default();
        for bits in 0..2 * MOST {
            told.note(Duration::ZERO, of(bits), Duration::MAX);
        }
        assert_eq!((told.by_id.len(), told.by_end.len()), (TOLD_MAX, TOLD_MAX));
    }

    #[test]
    fn a_hub_that_tells_of_it_again_may_give_it_more_time() {
        let mut told = Told::default();
        told.note(Duration::ZERO, of(0), Duration::ZERO);
        told.note(Duration::ZERO, of(0), HOUR);
        for bits in 1..=MOST {
            told.note(Duration::ZERO, of(bits), MARGIN);
        }
        assert!(!is_known(&told, 1));
        assert!(is_known(&told, 0));
    }
}
