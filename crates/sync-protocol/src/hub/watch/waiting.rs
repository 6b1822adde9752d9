//! Questions that wait, and which of them ends when there are too many.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{Pattern, SessionId};

use crate::hub::ReplyTo;
use crate::hub::search::{Cost, Search};

/// Questions of one connection that may wait. One more ends the oldest, which may go on where it was:
/// nobody takes a question back, so many that wait are of watches that have long ended.
const WAITING_PER_PEER: usize = 64;

/// Questions that may wait in a swarm. Each is held against every change; one more ends the oldest of
/// the connection that has the most.
const WAITING_MAX: usize = 1_024;

/// A question that waits for a change. Nothing that matches has changed since it was asked: each commit
/// answers those whom it concerns.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) to: ReplyTo,
    pub(super) pattern: Pattern,
    cost: Cost,
    until: Duration,
}

impl Waiting {
    pub(super) fn new(to: ReplyTo, pattern: Pattern, until: Duration) -> Self {
        let cost = Cost::of(&pattern);
        Self {
            to,
            pattern,
            cost,
            until,
        }
    }

    pub(super) fn search(&self) -> Search<'_> {
        Search::with(&self.pattern, self.cost)
    }

    /// Whose it is, unless it was asked in this process.
    fn session(&self) -> Option<SessionId> {
        self.to.session()
    }
}

/// The questions, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Questions {
    waiting: Vec<Waiting>,
    /// How many of them are of each connection.
    counts: BTreeMap<SessionId, usize>,
    /// When to look for those that have waited long enough: not after the first of them has.
    look_at: Option<Duration>,
}

impl Questions {
    /// When a question may have waited long enough.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.look_at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, question: Waiting) {
        if let Some(session) = question.session() {
            *self.counts.entry(session).or_default() += 1;
        }
        let look_at = self.look_at.get_or_insert(question.until);
        *look_at = question.until.min(*look_at);
        self.waiting.push(question);
    }

    /// The question that ends because there is one more: the oldest of the asker if it has as many as
    /// may wait, or of whoever has the most if there are too many in all.
    pub(super) fn one_too_many(&mut self, asker: SessionId) -> Option<Waiting> {
        let own = self.counts.get(&asker).copied().unwrap_or_default();
        let ends = if own >= WAITING_PER_PEER {
            asker
        } else if self.waiting.len() >= WAITING_MAX {
            let most = self.counts.iter().max_by_key(|(_, count)| **count);
            *most?.0
        } else {
            return None;
        };
        let oldest = self.waiting.iter().position(|w| w.session() == Some(ends));
        let ended = self.waiting.remove(oldest?);
        self.uncount(&ended);
        Some(ended)
    }

    /// Those that have waited long enough.
    pub(super) fn late(&mut self, now: Duration) -> Vec<Waiting> {
        if self.look_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let late = self.take(|question| question.until <= now);
        self.look_at = self.waiting.iter().map(|question| question.until).min();
        late
    }

    /// Takes out what `ends`, of which every question is asked once.
    pub(super) fn take(&mut self, mut ends: impl FnMut(&Waiting) -> bool) -> Vec<Waiting> {
        let ended = self.waiting.extract_if(.., |question| ends(question));
        let ended: Vec<Waiting> = ended.collect();
        for question in &ended {
            self.uncount(question);
        }
        if self.waiting.is_empty() {
            self.look_at = None;
        }
        ended
    }

    /// Nobody waits for what a lost connection has asked.
    pub(super) fn forget_session(&mut self, session: SessionId) {
        if self.counts.contains_key(&session) {
            self.take(|question| question.session() == Some(session));
        }
    }

    /// Those who have asked.
    pub(super) fn drain(self) -> impl Iterator<Item = ReplyTo> {
        self.waiting.into_iter().map(|question| question.to)
    }

    fn uncount(&mut self, ended: &Waiting) {
        let Some(session) = ended.session() else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&session) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&session);
            }
        }
    }
}
