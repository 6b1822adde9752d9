//! When values end, by this hub's clock. What is stored of a lifetime, with the commit that set it, is
//! from when it counts, and not its end: so a restart changes nothing, and another table decides anew.
//! That it is over is stored, too, for those who ask later why there is no value.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bincode::{Decode, Encode};
use sync_core::{
    Entry, Key, Now, PayloadKind, RowOp, Ttl,
    planted::{self, Planted},
};

use super::Hub;
use super::chores::KEYS_PER_CHORE;
use super::commit::Commit;
use crate::keyspace::KeyState;
use crate::millis::millis;
use crate::rows;

/// How long a sleep may be: the wall clock may have jumped meanwhile.
const SLEEP_MAX: Duration = Duration::from_mins(1);

/// What is known of the lifetime of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Lifetime {
    /// It has begun.
    Began(Start),
    /// It has ended, and nothing has happened to the key since: that is why there is no value.
    Over,
}

impl Lifetime {
    fn start(self) -> Option<Start> {
        match self {
            Self::Began(start) => Some(start),
            Self::Over => None,
        }
    }
}

/// From when a lifetime counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Start {
    /// In milliseconds since 1970.
    since_ms: u64,
    /// Whether that is the key's last write, or the one that brought it to life.
    refresh: bool,
}

impl Start {
    fn from_now(ttl: Ttl, now: Now) -> Self {
        Self {
            since_ms: now.wall_ms,
            refresh: ttl.refresh,
        }
    }

    fn end(self, ttl: Ttl) -> u64 {
        self.since_ms.saturating_add(millis(ttl.after))
    }

    /// The same under another table. What it counts from must be what that table counts from: else it
    /// begins now, because the other moment is not known. A clock that was set back lengthens nothing.
    fn carried_over(self, ttl: Ttl, now: Now) -> Self {
        if self.refresh != ttl.refresh {
            return Self::from_now(ttl, now);
        }
        Self {
            since_ms: self.since_ms.min(now.wall_ms),
            ..self
        }
    }
}

/// What is known of one key.
#[derive(Debug, Clone, Copy)]
struct Held {
    lifetime: Lifetime,
    /// In milliseconds since 1970; none until the table was asked, and once it is over.
    end: Option<u64>,
}

impl Held {
    fn under(ttl: Ttl, start: Start) -> Self {
        Self {
            lifetime: Lifetime::Began(start),
            end: Some(start.end(ttl)),
        }
    }

    fn over() -> Self {
        Self {
            lifetime: Lifetime::Over,
            end: None,
        }
    }
}

/// Which key ends when, and which have ended so.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    by_key: BTreeMap<Key, Held>,
    order: BTreeSet<(u64, Key)>,
    /// The last moment heard of, to tell one clock's time in the other's.
    seen: Now,
}

impl Expiries {
    /// Takes back what was stored. The table says later when it ends.
    pub(super) fn restore(&mut self, key: Key, lifetime: Lifetime) {
        let end = None;
        self.by_key.insert(key, Held { lifetime, end });
    }

    /// The row for what is known of a key.
    pub(super) fn row_of(&self, key: &Key) -> RowOp {
        let held = self.by_key.get(key);
        rows::put_lifetime(key, held.map(|held| held.lifetime))
    }

    fn start(&self, key: &Key) -> Option<Start> {
        self.by_key.get(key)?.lifetime.start()
    }

    /// Whether a key has no value because its lifetime has ended.
    pub(super) fn is_over(&self, key: &Key) -> bool {
        let held = self.by_key.get(key);
        held.is_some_and(|held| held.lifetime == Lifetime::Over)
    }

    /// When a key ends, in milliseconds since 1970.
    pub(super) fn end(&self, key: &Key) -> Option<u64> {
        self.by_key.get(key)?.end
    }

    /// Returns the row for what is news.
    fn set(&mut self, key: &Key, next: Option<Held>) -> Option<RowOp> {
        let before = match next {
            Some(next) => self.by_key.insert(key.clone(), next),
            None => self.by_key.remove(key),
        };
        if let Some(end) = before.and_then(|held| held.end) {
            self.order.remove(&(end, key.clone()));
        }
        if let Some(end) = next.and_then(|held| held.end) {
            self.order.insert((end, key.clone()));
        }
        let next = next.map(|held| held.lifetime);
        let is_news = before.map(|held| held.lifetime) != next;
        is_news.then(|| rows::put_lifetime(key, next))
    }

    /// What has ended, as many keys as one commit may change.
    fn due(&self, wall_ms: u64) -> Vec<Key> {
        let due = self.order.iter().take_while(|(end, _)| *end <= wall_ms);
        due.take(KEYS_PER_CHORE)
            .map(|(_, key)| key.clone())
            .collect()
    }

    /// When to look again, in the time of [`Now::mono`].
    pub(super) fn wake(&self) -> Option<Duration> {
        let (end, _) = self.order.first()?;
        let wait = Duration::from_millis(end.saturating_sub(self.seen.wall_ms));
        Some(self.seen.mono + wait.min(SLEEP_MAX))
    }
}

impl Hub {
    /// Ends what is due, one commit of it: the rest is due again at once, and what others ask meanwhile
    /// is answered in between.
    pub(super) fn expire_values(&mut self, now: Now) -> bool {
        self.expiries.seen = now;
        let due = self.expiries.due(now.wall_ms);
        if due.is_empty() {
            return false;
        }
        let mut commit = Commit::own();
        for key in &due {
            if self.is_live(key) {
                self.cover_all(&mut commit, key);
                commit.expire(key);
            } else if let Some(row) = self.expiries.set(key, None) {
                // No commit has taken it away, but without a value there is nothing to end.
                commit.with_row(row);
            }
        }
        self.finish(commit, now);
        true
    }

    /// Sets the lifetime of a key that a commit has changed; the row goes with the commit.
    pub(super) fn schedule(&mut self, key: &Key, commit: &Commit, now: Now, ops: &mut Vec<RowOp>) {
        let since_birth = self.expiries.start(key).filter(|start| !start.refresh);
        // A commit that only numbers a key anew leaves it as it was.
        let over = commit.ends(key) || self.expiries.is_over(key) && !commit.grows(key);
        let next = if self.is_live(key) {
            self.ttl_of(key).map(|ttl| {
                let kept = since_birth.filter(|_| !ttl.refresh);
                let now = self.counts_from(key, now);
                Held::under(ttl, kept.unwrap_or_else(|| Start::from_now(ttl, now)))
            })
        } else {
            over.then(Held::over)
        };
        ops.extend(self.expiries.set(key, next));
        self.expiries.seen = now;
    }

    /// Brings every end in line with the table. A lifetime that is new begins now. The keys whose rows are
    /// to be written. O(keys).
    pub(super) fn reschedule(&mut self, now: Now) -> BTreeSet<Key> {
        let keys = self.space.iter_after(None).map(|(key, _)| key);
        let keys: Vec<Key> = keys.filter(|key| self.is_live(key)).cloned().collect();
        let mut changed = BTreeSet::new();
        for key in keys {
            let held = self.expiries.start(&key);
            let next = self.ttl_of(&key).map(|ttl| {
                let fresh = || Start::from_now(ttl, now);
                let start = held.map_or_else(fresh, |held| held.carried_over(ttl, now));
                Held::under(ttl, start)
            });
            if self.expiries.set(&key, next).is_some() {
                changed.insert(key);
            }
        }
        // A hub that has just started has heard of no moment yet, and would look again a sleep later.
        self.expiries.seen = now;
        changed
    }

    /// When a lifetime begins: now, by this hub's clock.
    fn counts_from(&self, key: &Key, now: Now) -> Now {
        let state = self
            .space
            .get(key)
            .filter(|_| planted::is(Planted::LifetimeByStamp));
        let stamps = state.and_then(|s| s.entry().writes().map(|(_, w)| w.stamp.millis()).max());
        let wall_ms = stamps.unwrap_or(now.wall_ms);
        Now { wall_ms, ..now }
    }

    /// A claim has none: it is its holder's until its lease ends, and renewing it changes nothing here.
    fn ttl_of(&self, key: &Key) -> Option<Ttl> {
        let entry = self.space.get(key).map(KeyState::entry);
        let mut kinds = entry.into_iter().flat_map(Entry::kinds);
        if kinds.any(|kind| kind == PayloadKind::Claim) {
            return None;
        }
        self.policies().of(key)?.ttl
    }

    pub(super) fn is_live(&self, key: &Key) -> bool {
        self.space.get(key).is_some_and(|s| s.entry().is_live())
    }
}
