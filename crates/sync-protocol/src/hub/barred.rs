//! What a peer brings without the right to write the key: what of it comes back, and what stays out.

use sync_core::{Context, Entry, Key, Now, Reason, Segment, SessionId, Span, WriteId};

use super::Hub;
use super::admit::Source;
use super::commit::Commit;
use super::refusal::seen;
use crate::keyspace::KeyState;
use crate::receipts::{REFUSALS_WAITING_MAX, Receipts};

impl Hub {
    /// What a peer that has no right to write a key brings of it. Its own pushes come back to it; what it
    /// holds of others is not taken from it.
    pub(super) fn only_allowed(
        &self,
        session: SessionId,
        mut brought: Vec<Segment>,
    ) -> Vec<Segment> {
        brought.retain(|segment| self.may_write(session, &segment.key));
        brought
    }

    /// Whether a write is live here.
    pub(super) fn holds(&self, key: &Key, id: &WriteId) -> bool {
        let held = self.space.get(key).map(KeyState::entry);
        held.is_some_and(|held| held.write(id).is_some())
    }

    /// A delta that may not enter: only its own number counts as seen, and what it did at its writer is
    /// undone there.
    pub(super) fn bar(&self, commit: &mut Commit, id: &WriteId, key: &Key, delta: &Entry) -> Entry {
        commit.surprises(key);
        commit.with_receipt(self.refused(id, key, delta, Reason::Forbidden));
        let held = self.space.get(key).map(KeyState::entry);
        Entry::covering(match delta.write(id) {
            Some(write) => seen(held, id, write),
            None => Context::from_iter([Span::new(id.writer.clone(), id.seq, id.seq)]),
        })
    }

    /// Bars what a peer offers of a key that it may not write and has written itself, when it might, as a
    /// hub that has lost its disk has not heard of it: nobody else would tell its writer. What it holds of
    /// others stays with it, for as long as nobody brings it who may.
    pub(super) fn bar_offered(
        &mut self,
        commit: &mut Commit,
        now: Now,
        session: SessionId,
        offered: &Segment,
    ) {
        let Some(name) = self.sessions.get(&session).map(|peer| peer.agent.clone()) else {
            return;
        };
        let key = &offered.key;
        let own = offered.entry.writes();
        for (id, write) in own.filter(|(id, _)| *id.writer.agent() == name) {
            let held = self.space.get(key).map(KeyState::entry);
            if held.is_some_and(|held| held.context().contains(id)) {
                continue;
            }
            // They are told of one by one, so there is a bound: the others are once these are taken.
            let waiting = self.receipts.get(&name).map_or(0, Receipts::refusals);
            if waiting + commit.receipts.len() >= REFUSALS_WAITING_MAX {
                return;
            }
            let delta = Entry::of_write(id.clone(), write.clone());
            let seen = self.bar(commit, id, key, &delta);
            self.admit(commit, now, key, seen, Source::Writer);
        }
    }
}
