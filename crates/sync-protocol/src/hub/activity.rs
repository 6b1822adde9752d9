//! Counts what the hub does, where it does it: a few sums, nothing that grows.

use std::collections::BTreeSet;
use std::time::Duration;

use sync_core::{Activity, AgentId, Entry, Key, Now, Reason, Revision, SessionId};

use super::commit::Commit;
use super::round::Round;
use super::{Hub, HubOutput, Member};
use crate::keyspace::KeyState;
use crate::millis::millis;

/// A round that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundEnded {
    /// Its number in this run of the hub.
    pub number: u64,
    /// How it went.
    pub outcome: RoundOutcome,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a round went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "all that can come of a round")]
pub enum RoundOutcome {
    /// Every agent of the roster has answered.
    Complete,
    /// Some have.
    Incomplete,
    /// It came to nothing.
    Failed,
}

impl RoundOutcome {
    /// The word for it, in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
        }
    }
}

impl Hub {
    /// What it has done since it started.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// The roster, ascending, each with whether it is connected, and how many revisions it is behind if
    /// that is known.
    pub fn lags(&self) -> impl Iterator<Item = (&AgentId, bool, Option<u64>)> {
        self.roster.iter().map(|(agent, member)| {
            let connected = member.session.is_some();
            (agent, connected, self.lag_of(member))
        })
    }

    /// How many receipts wait, for all agents.
    pub fn receipts_waiting(&self) -> u64 {
        self.receipts
            .values()
            .map(|waiting| waiting.len() as u64)
            .sum()
    }

    /// How far a member is behind; none if nobody knows.
    pub(super) fn lag_of(&self, member: &Member) -> Option<u64> {
        if self.revision == Revision::default() {
            // Before the first commit there is nothing to confirm.
            return Some(0);
        }
        let acked = member.acked?;
        Some(self.revision.get().saturating_sub(acked.get()))
    }

    /// Notes why a write comes back to its writer.
    pub(super) fn count_fate(&mut self, reason: &Reason) {
        match reason {
            Reason::Superseded { rule, .. } | Reason::Merged { rule, .. } => {
                self.activity.note_conflict(*rule);
            }
            // Nothing was decided now: it was lost with a disk, or stands for others.
            Reason::Unknown | Reason::Dropped { .. } => {}
            _ => self.activity.refused += 1,
        }
    }

    /// Notes a round that is over, and tells of it.
    pub(super) fn count_round(&mut self, now: Now, number: u64, round: &Round, answered: bool) {
        let elapsed = now.mono.saturating_sub(round.started());
        let rounds = &mut self.activity.rounds;
        rounds.run += 1;
        rounds.elapsed_ms += millis(elapsed);
        let outcome = if !answered {
            rounds.failed += 1;
            RoundOutcome::Failed
        } else if self.roster.keys().all(|agent| round.was_answered_by(agent)) {
            rounds.complete += 1;
            RoundOutcome::Complete
        } else {
            rounds.incomplete += 1;
            RoundOutcome::Incomplete
        };
        self.gate.push(HubOutput::RoundEnded(RoundEnded {
            number,
            outcome,
            elapsed,
        }));
    }

    /// Notes an answer that had nothing to bring to keys whose writes take so many bytes.
    pub(super) fn count_same(&mut self, bytes: u64) {
        self.activity.same.answers += 1;
        self.activity.same.saved_bytes += bytes;
    }

    /// About how many bytes the writes of keys take, for each message that names them.
    pub(super) fn weights_of(&self, parts: &[&[Key]]) -> Vec<u64> {
        let weight = |key| self.space.get(key).map_or(0, |s| s.weight() as u64);
        let parts = parts.iter();
        parts.map(|keys| keys.iter().map(weight).sum()).collect()
    }

    /// Notes that a commit goes out to so many as deltas.
    pub(super) fn count_fan_out(
        &mut self,
        receivers: usize,
        changed: &BTreeSet<Key>,
        commit: &Commit,
    ) {
        if receivers == 0 {
            return;
        }
        for key in changed {
            let sent = Self::commit_delta(commit, key).map_or(0, Entry::weight);
            let whole = self.space.get(key).map_or(0, KeyState::weight);
            let (sent, whole) = (sent as u64, whole as u64);
            self.activity.delta.note(receivers as u64, sent, whole);
        }
    }

    /// Notes a page by which somebody catches up, and once it was the last one what all of them have
    /// spared: nothing if they began at the start.
    pub(super) fn count_catching_up(&mut self, session: SessionId, page: CaughtUp) {
        let Some(peer) = self.sessions.get_mut(&session) else {
            return;
        };
        if page.is_first {
            let began = page.from > Revision::default();
            peer.caught_up = began.then_some(0);
        }
        let Some(sent) = &mut peer.caught_up else {
            return;
        };
        *sent += page.weight;
        if page.is_last {
            self.activity.delta.note(1, *sent, self.space.weight());
            peer.caught_up = None;
        }
    }
}

/// A page by which somebody catches up.
#[derive(Debug, Clone, Copy)]
pub(super) struct CaughtUp {
    /// Where it begins.
    pub(super) from: Revision,
    pub(super) is_first: bool,
    pub(super) is_last: bool,
    /// About how many bytes its writes take.
    pub(super) weight: u64,
}
