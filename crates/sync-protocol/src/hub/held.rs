//! Who waits until enough agents hold a revision.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::{AgentId, Answer, Epoch, Now, RequestError, Revision, Role, Seen, SessionId};

use super::lineage::Invalid;
use super::{Hub, ReplyTo};

/// Callers that may wait at once: as many as write at a time in the largest swarm, each a few dozen bytes.
const HOLDS_MAX: usize = 16 * 1_024;

/// Of one connection, so that one that writes much leaves room for the others.
const HOLDS_PER_PEER: usize = 4 * 1_024;

/// The longest that one waits: whoever wants more asks again.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// A revision that is waited for, and the how-manieth wait it is.
type Number = (Revision, u64);

/// Who waits. What an agent confirms costs O(log n) and the waits that it was missing for.
#[derive(Debug, Default)]
pub(super) struct Holds {
    waiting: BTreeMap<Number, Hold>,
    deadlines: BTreeSet<(Duration, Number)>,
    per_peer: BTreeMap<SessionId, usize>,
    next: u64,
}

#[derive(Debug)]
struct Hold {
    to: ReplyTo,
    /// Whose confirmation does not count: it has written what is to be held.
    asker: Option<AgentId>,
    replicas: u32,
    confirmed: u32,
    until: Duration,
}

impl Holds {
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Everyone who waits; nobody afterwards.
    pub(super) fn drain(&mut self) -> Vec<ReplyTo> {
        self.deadlines.clear();
        self.per_peer.clear();
        let waiting = std::mem::take(&mut self.waiting).into_values();
        waiting.map(|hold| hold.to).collect()
    }

    pub(super) fn forget_session(&mut self, session: SessionId) {
        self.per_peer.remove(&session);
        let gone = |_: &Number, hold: &mut Hold| hold.to.session() == Some(session);
        for (number, hold) in self.waiting.extract_if(.., gone) {
            self.deadlines.remove(&(hold.until, number));
        }
    }

    /// Whether one more may wait.
    fn check_room(&self, to: ReplyTo) -> Result<(), RequestError> {
        let own = to.session().and_then(|session| self.per_peer.get(&session));
        let own_is_full = own.is_some_and(|count| *count >= HOLDS_PER_PEER);
        if !own_is_full && self.waiting.len() < HOLDS_MAX {
            return Ok(());
        }
        let reason = format!(
            "{HOLDS_MAX} callers wait until agents hold what they wrote, or {HOLDS_PER_PEER} of this connection, the limits: ask again later"
        );
        Err(RequestError::Invalid { reason })
    }

    fn insert(&mut self, revision: Revision, hold: Hold) {
        self.next += 1;
        let number = (revision, self.next);
        if let Some(session) = hold.to.session() {
            *self.per_peer.entry(session).or_default() += 1;
        }
        self.deadlines.insert((hold.until, number));
        self.waiting.insert(number, hold);
    }

    fn take(&mut self, number: Number) -> Option<Hold> {
        let hold = self.waiting.remove(&number)?;
        self.deadlines.remove(&(hold.until, number));
        if let Some(session) = hold.to.session()
            && let Some(count) = self.per_peer.get_mut(&session)
        {
            *count -= 1;
            if *count == 0 {
                self.per_peer.remove(&session);
            }
        }
        Some(hold)
    }
}

/// What is to be held, and how it is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) epoch: Option<Epoch>,
    pub(super) revision: Revision,
    pub(super) replicas: u32,
    pub(super) wait: Duration,
}

impl Hub {
    pub(super) fn ask_held(&mut self, now: Now, to: ReplyTo, held: Held) {
        if let Err(error) = self.check_held(&held) {
            return self.reply(to, Err(error));
        }
        let asker = self.member_of(to);
        let others = self
            .roster
            .iter()
            .filter(|(agent, _)| Some(*agent) != asker.as_ref());
        let confirmed = others
            .filter(|(_, member)| member.has_confirmed(held.revision))
            .count();
        let confirmed = u32::try_from(confirmed).unwrap_or(u32::MAX);
        if confirmed >= held.replicas || held.wait.is_zero() {
            return self.reply(to, Ok(Answer::Held(confirmed)));
        }
        if let Err(error) = self.holds.check_room(to) {
            return self.reply(to, Err(error));
        }
        let until = now.mono + held.wait.min(WAIT_MAX);
        let hold = Hold {
            to,
            asker,
            replicas: held.replicas,
            confirmed,
            until,
        };
        self.holds.insert(held.revision, hold);
    }

    fn check_held(&self, held: &Held) -> Result<(), RequestError> {
        let (epoch, head) = (held.epoch.unwrap_or_else(|| self.epoch()), self.revision);
        let revision = held.revision;
        let seen = Seen { epoch, revision };
        self.lineage
            .check_seen(seen, head)
            .map_err(|invalid| match invalid {
                Invalid::Epoch => RequestError::EpochMismatch {
                    epoch: self.epoch(),
                },
                Invalid::Ahead => RequestError::Ahead { head },
            })
    }

    /// The agent that asks, if it holds a replica.
    fn member_of(&self, to: ReplyTo) -> Option<AgentId> {
        let member = self.peer(to).filter(|peer| peer.role == Role::Member)?;
        Some(member.agent.clone())
    }

    /// An agent has confirmed more than before: whoever was waiting for just that is answered.
    pub(super) fn note_held(&mut self, agent: &AgentId, before: Option<Revision>, now: Revision) {
        let from = before.unwrap_or_default().next();
        if from > now {
            return;
        }
        let mut done = Vec::new();
        let passed = self.holds.waiting.range_mut((from, 0)..=(now, u64::MAX));
        for (number, hold) in passed.filter(|(_, hold)| hold.asker.as_ref() != Some(agent)) {
            hold.confirmed += 1;
            if hold.confirmed >= hold.replicas {
                done.push(*number);
            }
        }
        for number in done {
            self.end_hold(number);
        }
    }

    /// What an agent had confirmed counts no longer: it may have come back with an older disk.
    pub(super) fn note_not_held(&mut self, agent: &AgentId, before: Option<Revision>) {
        let Some(before) = before else { return };
        let passed = self.holds.waiting.range_mut(..=(before, u64::MAX));
        for (_, hold) in passed.filter(|(_, hold)| hold.asker.as_ref() != Some(agent)) {
            hold.confirmed = hold.confirmed.saturating_sub(1);
        }
    }

    pub(super) fn expire_holds(&mut self, now: Now) {
        while self.holds.deadline().is_some_and(|at| at <= now.mono) {
            if let Some((_, number)) = self.holds.deadlines.pop_first() {
                self.end_hold(number);
            }
        }
    }

    fn end_hold(&mut self, number: Number) {
        if let Some(hold) = self.holds.take(number) {
            self.reply(hold.to, Ok(Answer::Held(hold.confirmed)));
        }
    }
}
