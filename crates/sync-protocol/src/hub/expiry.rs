//! When values end, by this hub's clock. What is stored of a lifetime, with the commit that set it, is
//! from when it counts, and not its end: so a restart changes nothing, and another table decides anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bincode::{Decode, Encode};
use sync_core::{Key, Now, RowOp, Ttl};

use super::Hub;
use super::commit::{Commit, KEYS_PER_COMMIT};
use crate::rows;

/// How long a sleep may be: the wall clock may have jumped meanwhile.
const SLEEP_MAX: Duration = Duration::from_mins(1);

/// From when the lifetime of a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Lifetime {
    /// In milliseconds since 1970.
    since_ms: u64,
    /// Whether that is the key's last write, or the one that brought it to life.
    refresh: bool,
}

impl Lifetime {
    fn from_now(ttl: Ttl, now: Now) -> Self {
        Self {
            since_ms: now.wall_ms,
            refresh: ttl.refresh,
        }
    }

    fn end(self, ttl: Ttl) -> u64 {
        let after = u64::try_from(ttl.after.as_millis()).unwrap_or(u64::MAX);
        self.since_ms.saturating_add(after)
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
    /// In milliseconds since 1970; none until the table was asked.
    end: Option<u64>,
}

impl Held {
    fn under(ttl: Ttl, lifetime: Lifetime) -> Self {
        let end = Some(lifetime.end(ttl));
        Self { lifetime, end }
    }
}

/// Which key ends when.
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

    fn get(&self, key: &Key) -> Option<Lifetime> {
        self.by_key.get(key).map(|held| held.lifetime)
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
        due.take(KEYS_PER_COMMIT)
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
    pub(super) fn expire_values(&mut self, now: Now) {
        self.expiries.seen = now;
        let due = self.expiries.due(now.wall_ms);
        if due.is_empty() {
            return;
        }
        let mut commit = Commit::default();
        for key in &due {
            self.cover_all(&mut commit, key);
            commit.expire(key);
            // Not left to the commit, which sees only keys that it changes: one that holds no value any
            // more would stay due for ever.
            if let Some(row) = self.expiries.set(key, None) {
                commit.with_row(row);
            }
        }
        self.finish(commit, now);
    }

    /// Sets the lifetime of a key that a commit has changed; the row goes with the commit.
    pub(super) fn schedule(&mut self, key: &Key, now: Now, ops: &mut Vec<RowOp>) {
        let held = self.expiries.get(key);
        let next = self.ttl_of(key).map(|ttl| {
            let since_birth = held.filter(|held| !held.refresh && !ttl.refresh);
            let lifetime = since_birth.unwrap_or_else(|| Lifetime::from_now(ttl, now));
            Held::under(ttl, lifetime)
        });
        ops.extend(self.expiries.set(key, next));
        self.expiries.seen = now;
    }

    /// Brings every end in line with the table. A lifetime that is new begins now. O(keys).
    pub(super) fn reschedule(&mut self, now: Now) {
        let keys: Vec<Key> = self
            .space
            .iter_after(None)
            .map(|(k, _)| k.clone())
            .collect();
        let mut ops = Vec::new();
        for key in keys {
            let held = self.expiries.get(&key);
            let next = self.ttl_of(&key).map(|ttl| {
                let fresh = || Lifetime::from_now(ttl, now);
                let lifetime = held.map_or_else(fresh, |held| held.carried_over(ttl, now));
                Held::under(ttl, lifetime)
            });
            ops.extend(self.expiries.set(&key, next));
        }
        if !ops.is_empty() {
            self.persist(ops);
        }
    }

    /// How long a key lives that is live.
    fn ttl_of(&self, key: &Key) -> Option<Ttl> {
        self.space.get(key).filter(|s| s.entry().is_live())?;
        self.policies().of(key)?.ttl
    }
}
