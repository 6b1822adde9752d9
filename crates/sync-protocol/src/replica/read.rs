//! Reads that need no hub.

use std::time::Duration;

use serde::Serialize;
use sync_core::{Cursor, Digest, Entry, Key, Now, Pattern, Resolver, StateVersion, Version};

use super::Replica;
use crate::keyspace::KeyState;
use crate::millis::millis;
use crate::view::{self, Freshness};

/// Where a replica stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReplicaStatus {
    /// Its position in the hub's log.
    pub cursor: Option<Cursor>,
    /// The digest of everything held.
    pub digest: Digest,
    /// Keys that hold a value.
    pub keys: u64,
    /// Own writes that wait for the hub.
    pub pending_writes: usize,
    /// Fates that nobody has dealt with.
    pub receipts: usize,
    /// Own writes that only their number is left of: more receipts waited than may.
    pub receipts_dropped: u64,
    /// Whether a connection to the hub is up.
    pub connected: bool,
    /// Milliseconds since the replica last knew itself in step with the hub.
    pub age_ms: Option<u64>,
    /// Revisions between what the replica holds and the last head of the hub that it has heard of.
    pub behind: Option<u64>,
    /// What the disk of its store has free; none if there is none, or nobody knows.
    pub free_bytes: Option<u64>,
    /// Not while its disk has little room.
    pub takes_writes: bool,
}

impl Replica {
    /// A key as this replica sees it; `None` if it holds no value.
    pub fn get(&self, now: Now, key: &Key) -> Option<StateVersion> {
        let state = self.space.get(key).filter(|s| s.entry().is_live())?;
        let read = self.read(now, key, state);
        read.value.is_some().then_some(read)
    }

    /// Whether the hub has yet to speak about what this replica shows of a key, be that a value or none.
    pub fn is_provisional(&self, key: &Key) -> bool {
        let entry = self.space.get(key).map(KeyState::entry);
        let undecided = |entry| is_undecided(self.rule_of(key, entry), entry);
        self.waits_for_hub(key) || entry.is_some_and(undecided)
    }

    /// The keys on which a refused or withdrawn write is still to be undone: what it had replaced is not shown
    /// before.
    pub fn keys_to_undo(&self) -> impl Iterator<Item = &Key> {
        self.repairs.keys()
    }

    /// Own writes wait, or a refused one is to be undone: what that had replaced is not shown before.
    fn waits_for_hub(&self, key: &Key) -> bool {
        self.outbox.of_key(key).next().is_some() || self.repairs.contains_key(key)
    }

    /// The version of a key that holds a value, as last told by the hub.
    pub fn version(&self, key: &Key) -> Option<Version> {
        let state = self
            .space
            .get(key)
            .filter(|s| s.entry().is_live() && s.version().get() > 0)?;
        let rule = self.rule_of(key, state.entry());
        rule.is_some_and(|r| r.fold(state.entry()).is_some())
            .then(|| state.version())
    }

    /// The keys that match `pattern` and hold a value, ascending.
    pub fn keys(&self, pattern: &Pattern) -> Vec<Key> {
        let holds = |key: &Key, s: &KeyState| {
            self.rule_of(key, s.entry())
                .is_some_and(|rule| rule.fold(s.entry()).is_some())
        };
        let matching = self
            .space
            .iter_after(None)
            .filter(|(key, state)| pattern.matches(key.as_str()) && holds(key, state));
        matching.map(|(key, _)| key.clone()).collect()
    }

    /// Where the replica stands.
    pub fn status(&self, now: Now) -> ReplicaStatus {
        ReplicaStatus {
            cursor: self.cursor,
            digest: self.digest(),
            keys: self.space.live_keys(),
            pending_writes: self.outbox.len(),
            receipts: self.receipts.len(),
            receipts_dropped: self.receipts.dropped(),
            connected: self.link.is_up(),
            age_ms: self.age(now).map(millis),
            behind: self.behind(),
            free_bytes: self.free.bytes(),
            takes_writes: !self.free.is_short(),
        }
    }

    fn freshness(&self, now: Now) -> Freshness {
        Freshness {
            age_ms: self.age(now).map(millis),
            connected: self.link.is_up(),
            behind: self.behind(),
        }
    }

    /// How long ago the replica last knew itself in step with the hub.
    pub fn age(&self, now: Now) -> Option<Duration> {
        self.in_step_at.map(|at| now.mono.saturating_sub(at))
    }

    fn read(&self, now: Now, key: &Key, state: &KeyState) -> StateVersion {
        let rule = self.rule_of(key, state.entry());
        let provisional = self.waits_for_hub(key) || is_undecided(rule, state.entry());
        view::state_version(key, state, rule, provisional, self.freshness(now))
    }
}

/// Whether the hub has to end some of the writes held, or to make one of them.
fn is_undecided(rule: Option<&dyn Resolver>, entry: &Entry) -> bool {
    rule.is_some_and(|r| !r.losses(entry).is_empty() || !r.unmerged(entry).is_empty())
}
