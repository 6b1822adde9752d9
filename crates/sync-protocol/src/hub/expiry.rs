//! When values end, by this hub's clock. The end of each is stored with the commit that brought it, so
//! that a restart changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::{Key, Now, RowOp, Ttl};

use super::Hub;
use super::commit::{Commit, KEYS_PER_COMMIT};
use crate::keyspace::KeyState;
use crate::rows;

/// How long a sleep may be: the wall clock may have jumped meanwhile.
const SLEEP_MAX: Duration = Duration::from_mins(1);

/// Which key ends when, in milliseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    ends: BTreeMap<Key, u64>,
    order: BTreeSet<(u64, Key)>,
    /// The last moment heard of, to tell one clock's time in the other's.
    seen: Now,
}

impl Expiries {
    pub(super) fn get(&self, key: &Key) -> Option<u64> {
        self.ends.get(key).copied()
    }

    /// True if this is news.
    pub(super) fn set(&mut self, key: &Key, end: Option<u64>) -> bool {
        let held = self.get(key);
        if let Some(held) = held {
            self.order.remove(&(held, key.clone()));
            self.ends.remove(key);
        }
        if let Some(end) = end {
            self.order.insert((end, key.clone()));
            self.ends.insert(key.clone(), end);
        }
        held != end
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
            if self.expiries.set(key, None) {
                commit.with_row(rows::delete_expiry(key));
            }
        }
        self.finish(commit, now);
    }

    /// Sets the end of a key that a commit has changed; the row goes with the commit.
    pub(super) fn schedule(&mut self, key: &Key, now: Now, ops: &mut Vec<RowOp>) {
        let live = self.space.get(key).is_some_and(|s| s.entry().is_live());
        let ttl = self.policies().of(key).and_then(|p| p.ttl);
        let held = self.expiries.get(key);
        let end = ttl.filter(|_| live).map(|ttl| match held {
            Some(held) if !ttl.refresh => held,
            _ => end_of(ttl, now),
        });
        self.put_end(key, end, ops);
        self.expiries.seen = now;
    }

    fn put_end(&mut self, key: &Key, end: Option<u64>, ops: &mut Vec<RowOp>) {
        if self.expiries.set(key, end) {
            ops.push(end.map_or_else(|| rows::delete_expiry(key), |at| rows::put_expiry(key, at)));
        }
    }

    /// Brings every end in line with the table: a lifetime that became shorter counts from now, one
    /// that is new too. O(keys).
    pub(super) fn reschedule(&mut self, now: Now) {
        let live = self.space.iter_after(None);
        let live = live.filter(|(_, s): &(&Key, &KeyState)| s.entry().is_live());
        let ends: Vec<(Key, Option<u64>)> = live
            .map(|(key, _)| {
                let ttl = self.policies().of(key).and_then(|p| p.ttl);
                let fresh = ttl.map(|ttl| end_of(ttl, now));
                let held = self.expiries.get(key);
                (
                    key.clone(),
                    fresh.map(|end| held.map_or(end, |held| held.min(end))),
                )
            })
            .collect();
        let mut ops = Vec::new();
        for (key, end) in ends {
            self.put_end(&key, end, &mut ops);
        }
        if !ops.is_empty() {
            self.persist(ops);
        }
    }
}

fn end_of(ttl: Ttl, now: Now) -> u64 {
    let after = u64::try_from(ttl.after.as_millis()).unwrap_or(u64::MAX);
    now.wall_ms.saturating_add(after)
}
