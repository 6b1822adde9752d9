//! Room for rounds: what is refused, and what is ended to make room for what is more urgent.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use sync_core::{Now, Priority, RequestError};

use super::books::Rounds;
use crate::hub::{Asker, Hub};

/// Synchronizations that one connection may have under way: more than any caller waits for at once, and
/// far from all there may be, so that nobody keeps the others from asking.
const BATCHES_PER_PEER: usize = 16;

impl Hub {
    /// Everything that can be refused whatever else is under way is refused before anybody is asked.
    pub(super) fn check_batch(&self, keys: usize, longest: Duration) -> Result<(), RequestError> {
        let limits = &self.config.limits;
        if keys > limits.request_keys_max {
            return Err(RequestError::TooManyKeys {
                keys: keys as u64,
                limit: limits.request_keys_max as u64,
            });
        }
        if longest > limits.round_deadline_max {
            let longest = limits.round_deadline_max.as_secs();
            let reason = format!(
                "a round waits {longest} s at most: name a shorter time, and ask again if agents were missing"
            );
            return Err(RequestError::Invalid { reason });
        }
        self.check_reach()
    }

    /// Refuses what would reach nobody.
    pub(in crate::hub) fn check_reach(&self) -> Result<(), RequestError> {
        let mut members = self.roster.values();
        if members.any(|member| member.session.is_some()) {
            return Ok(());
        }
        let roster = u32::try_from(self.roster.len()).unwrap_or(u32::MAX);
        Err(RequestError::NobodyConnected { roster })
    }

    /// Room for a round of `bytes`, and with `is_first` for the synchronization it belongs to. Where
    /// there is none, rounds of less urgent keys end for it; none does if that would not be enough.
    pub(super) fn make_room(
        &mut self,
        now: Now,
        asker: Asker,
        priority: Priority,
        bytes: usize,
        is_first: bool,
    ) -> Result<(), RequestError> {
        let Some(session) = asker.session() else {
            // The program that runs the hub bounds itself, and no peer may keep it from asking.
            return Ok(());
        };
        let limits = &self.config.limits;
        let (open, own) = self.rounds.of_peers(session);
        if is_first && own >= BATCHES_PER_PEER {
            return Err(RequestError::TooManyRounds { open: own as u64 });
        }
        let places = (open + usize::from(is_first)).saturating_sub(limits.rounds_max);
        let bytes = (self.rounds.bytes() + bytes).saturating_sub(limits.round_bytes_max);
        let victims = victims(&self.rounds, priority, places, bytes);
        let Some(victims) = victims else {
            return Err(RequestError::TooManyRounds { open: open as u64 });
        };
        for number in victims {
            self.shed(now, number, priority);
        }
        Ok(())
    }

    /// Ends a round for a more urgent one. What it has gathered stays, and what still comes is joined.
    fn shed(&mut self, now: Now, number: u64, by: Priority) {
        self.commit_page(now, number);
        let priority = self.rounds.get(number).map(|round| round.priority);
        if let Some(priority) = priority {
            self.end_class(now, number, Err(RequestError::Shed { priority, by }));
        }
    }
}

/// The rounds that end so that as many places and bytes become free for one of `priority`: only less
/// urgent ones, the least urgent first, of those the youngest. None if all of them are not enough. What
/// the program that runs the hub waits for is not among them.
fn victims(rounds: &Rounds, priority: Priority, places: usize, bytes: usize) -> Option<Vec<u64>> {
    if places == 0 && bytes == 0 {
        return Some(Vec::new());
    }
    let mut chosen = BTreeSet::new();
    let mut freed = 0;
    if places > 0 {
        // A place is free once nothing of a synchronization is under way any more.
        let batches = rounds.batches_to_shed();
        let urgency = |open: &BTreeSet<u64>| {
            let of = open.iter().filter_map(|n| Some(rounds.get(*n)?.priority));
            of.min()
        };
        let batches = batches.filter_map(|(id, open)| Some((urgency(open)?, id, open)));
        let mut batches: Vec<_> = batches.filter(|(of, ..)| *of > priority).collect();
        batches.sort_by_key(|(of, id, _)| Reverse((*of, *id)));
        if batches.len() < places {
            return None;
        }
        for (_, id, open) in batches.iter().take(places) {
            chosen.extend(open.iter().copied());
            freed += rounds.frees_in_all(*id);
        }
    }
    let single = rounds.batches_to_shed().flat_map(|(_, open)| open);
    let single = single.filter_map(|n| Some((rounds.get(*n)?.priority, *n)));
    let mut single: Vec<_> = single.filter(|(of, _)| *of > priority).collect();
    single.sort_by_key(|victim| Reverse(*victim));
    for (_, number) in single {
        if freed >= bytes {
            break;
        }
        if chosen.insert(number) {
            freed += rounds.frees(number);
        }
    }
    (freed >= bytes).then(|| chosen.into_iter().collect())
}
