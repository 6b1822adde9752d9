//! All keys of one node: entries, their numbers, and the digests kept up to date with every join.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{
    Digest, DigestKey, Entry, Joined, Key, PayloadKind, Revision, RowOp, Segment, SwarmId, Version,
    Write, WriteId, Writer,
    planted::{self, Planted},
};

use crate::rows;
use crate::writers::Writers;

/// What a node holds of one key.
#[derive(Debug, Clone, Default)]
pub struct KeyState {
    entry: Entry,
    version: Version,
    revision: Revision,
    /// Sum over the live writes, so that a digest costs O(changes).
    live: Digest,
    /// The same of their weights: what the whole entry would be is asked at every commit.
    weight: usize,
}

impl KeyState {
    /// The replicated state.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Its count of commits, 0 before the first.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The commit that last changed it, 0 before the first.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// About how many bytes its live writes take on the wire. O(1).
    pub fn weight(&self) -> usize {
        self.weight
    }
}

/// The rows that some joins have made stale, gathered for one batch.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    keys: BTreeMap<Key, BTreeSet<WriteId>>,
}

impl Changes {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.keys()
    }

    /// The writes of a key that came or went.
    pub(crate) fn writes(&self, key: &Key) -> &BTreeSet<WriteId> {
        const NONE: &BTreeSet<WriteId> = &BTreeSet::new();
        self.keys.get(key).unwrap_or(NONE)
    }

    /// The key's header row is stale.
    pub(crate) fn touch(&mut self, key: &Key) {
        self.keys.entry(key.clone()).or_default();
    }

    /// The rows of what a join changed are stale.
    pub(crate) fn record(&mut self, key: &Key, joined: Joined) {
        let stale = self.keys.entry(key.clone()).or_default();
        stale.extend(joined.added);
        stale.extend(
            joined
                .removed
                .into_iter()
                .chain(joined.replaced)
                .map(|(id, _)| id),
        );
    }
}

/// The writes that a join removed, but for a delete that has done its work. A write that came with the
/// join and covers them explains nothing: its writer may have found them dead already.
pub(crate) fn ended<'a>(
    joined: &'a Joined,
    entry: &'a Entry,
) -> impl Iterator<Item = &'a (WriteId, Write)> {
    joined
        .removed
        .iter()
        .filter(|(_, write)| !has_done_its_work(write, entry))
}

/// Whether a write that is gone stood for an absence that nothing contests: the whole key's once nothing
/// is live, a field's once nothing of the field is; older fields are gone with the absence of all. The hub
/// has what a delete of a counter says.
pub(crate) fn has_done_its_work(write: &Write, entry: &Entry) -> bool {
    match write.payload.kind() {
        PayloadKind::Absent => !entry.is_live(),
        PayloadKind::Unset => write
            .payload
            .part()
            .is_none_or(|field| entry.part(&field).next().is_none()),
        PayloadKind::Cleared | PayloadKind::Reset => true,
        _ => false,
    }
}

/// All keys of one node.
#[derive(Debug)]
pub struct Keyspace {
    hash: DigestKey,
    /// Boxed, as half of a tree's places are empty where keys come in order.
    keys: BTreeMap<Key, Box<KeyState>>,
    digest: Digest,
    live_keys: u64,
    /// That of all keys.
    weight: u64,
    writers: Writers,
}

impl Keyspace {
    pub(crate) fn new(swarm: &SwarmId) -> Self {
        Self {
            hash: DigestKey::of(swarm),
            keys: BTreeMap::new(),
            digest: Digest::default(),
            live_keys: 0,
            weight: 0,
            writers: Writers::default(),
        }
    }

    /// The state of a key that was ever touched.
    pub fn get(&self, key: &Key) -> Option<&KeyState> {
        self.keys.get(key).map(Box::as_ref)
    }

    /// Every key ever touched, ascending, those after `after` only.
    pub fn iter_after(&self, after: Option<&Key>) -> impl Iterator<Item = (&Key, &KeyState)> {
        use std::ops::Bound::{Excluded, Unbounded};

        self.keys
            .range((after.map_or(Unbounded, |a| Excluded(a.clone())), Unbounded))
            .map(|(key, state)| (key, state.as_ref()))
    }

    /// The same of those that begin so.
    pub(crate) fn iter_beginning<'a>(
        &'a self,
        beginning: &'a str,
        after: Option<&Key>,
    ) -> impl Iterator<Item = (&'a Key, &'a KeyState)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};

        let first = Key::new(beginning).ok();
        let first = first.filter(|first| after.is_none_or(|after| after < first));
        let after = || after.map_or(Unbounded, |after| Excluded(after.clone()));
        let from = first.map_or_else(after, Included);
        let rest = self.keys.range((from, Unbounded));
        rest.map(|(key, state)| (key, state.as_ref()))
            .take_while(move |(key, _)| key.as_str().starts_with(beginning))
    }

    /// The digest of all live writes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many keys hold a live write.
    pub fn live_keys(&self) -> u64 {
        self.live_keys
    }

    /// About how many bytes all live writes take on the wire. O(1).
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// The hash of one whole entry, context included.
    pub(crate) fn entry_digest(&self, key: &Key) -> Digest {
        self.keys
            .get(key)
            .map_or_else(Digest::default, |s| self.hash.entry(key, &s.entry, s.live))
    }

    /// The one allocation that stands for `writer` here.
    pub(crate) fn intern(&mut self, writer: &Writer) -> Writer {
        self.writers.intern(writer)
    }

    /// Lets equal writers of a decoded entry share their allocation with the rest.
    pub(crate) fn intern_entry(&mut self, entry: &mut Entry) {
        self.writers.intern_entry(entry);
    }

    /// Joins `delta` into a key.
    pub(crate) fn join(&mut self, key: &Key, delta: Entry) -> Joined {
        let hash = self.hash;
        let are_many = self.keys.len() as u64 > self.live_keys + 2;
        let forgets = planted::is(Planted::TombstonesForgotten)
            || (planted::is(Planted::TombstonesByCount) && are_many);
        let state = self.keys.entry(key.clone()).or_default();
        let before = (hash.key(key, state.live), state.weight);
        let joined = state.entry.join(delta);
        let gone = joined.removed.iter().chain(&joined.replaced);
        for (id, write) in gone {
            if !planted::is(Planted::DigestKeepsTheDead) {
                state.live = state.live.minus(hash.write(id, &write.payload));
            }
            state.weight -= write.weight();
        }
        let come = joined
            .added
            .iter()
            .chain(joined.replaced.iter().map(|(id, _)| id));
        for id in come {
            if let Some(write) = state.entry.write(id) {
                state.live = state.live.plus(hash.write(id, &write.payload));
                state.weight += write.weight();
            }
        }
        if forgets && !state.entry.is_live() {
            state.entry = Entry::new();
        }
        let after = (hash.key(key, state.live), state.weight);
        self.account(before, after);
        joined
    }

    /// Puts a whole entry in the place of what is held.
    pub(crate) fn replace(&mut self, key: &Key, entry: Entry, changes: &mut Changes) {
        let hash = self.hash;
        let state = self.keys.entry(key.clone()).or_default();
        let before = (hash.key(key, state.live), state.weight);
        let rows = changes.keys.entry(key.clone()).or_default();
        rows.extend(
            state
                .entry
                .writes()
                .chain(entry.writes())
                .map(|(id, _)| id.clone()),
        );
        state.live = entry.writes().fold(Digest::default(), |sum, (id, write)| {
            sum.plus(hash.write(id, &write.payload))
        });
        state.weight = entry.weight();
        state.entry = entry;
        let after = (hash.key(key, state.live), state.weight);
        self.account(before, after);
    }

    /// Raises a key's numbers; true if one of them rose.
    pub(crate) fn raise(&mut self, key: &Key, version: Version, revision: Revision) -> bool {
        let state = self.keys.entry(key.clone()).or_default();
        let raised = version > state.version || revision > state.revision;
        state.version = state.version.max(version);
        state.revision = state.revision.max(revision);
        raised
    }

    /// Takes a header row back.
    pub(crate) fn restore_header(&mut self, segment: Segment) {
        let mut entry = segment.entry;
        self.intern_entry(&mut entry);
        let (version, revision) = (segment.version, segment.revision);
        let state = KeyState {
            entry,
            version,
            revision,
            ..KeyState::default()
        };
        self.keys.insert(segment.key, Box::new(state));
    }

    /// Takes a write row back; false if no header covers it.
    pub(crate) fn restore_write(&mut self, key: &Key, id: WriteId, mut write: Write) -> bool {
        let id = WriteId::new(self.intern(&id.writer), id.seq);
        write.over.intern(&mut |writer| {
            self.writers
                .get(writer)
                .cloned()
                .unwrap_or_else(|| writer.clone())
        });
        let hash = self.hash;
        let Some(state) = self.keys.get_mut(key) else {
            return false;
        };
        let before = (hash.key(key, state.live), state.weight);
        let (part, weight) = (hash.write(&id, &write.payload), write.weight());
        if !state.entry.restore(id, write) {
            return false;
        }
        state.live = state.live.plus(part);
        state.weight += weight;
        let after = (hash.key(key, state.live), state.weight);
        self.account(before, after);
        true
    }

    /// The rows that bring a store up to date with `changes`.
    pub(crate) fn rows(&self, changes: &Changes) -> Vec<RowOp> {
        let mut ops = Vec::new();
        for (key, stale) in &changes.keys {
            let Some(state) = self.keys.get(key) else {
                continue;
            };
            let context = state.entry.context();
            ops.push(rows::put_header(
                key,
                state.version,
                state.revision,
                context,
            ));
            ops.extend(stale.iter().map(|id| match state.entry.write(id) {
                Some(write) => rows::put_write(key, id, write),
                None => rows::delete_write(key, id),
            }));
        }
        ops
    }

    /// Puts the sums right after a key's part of them, digest and weight, went from `before` to `after`.
    fn account(&mut self, (before, was): (Digest, usize), (after, is): (Digest, usize)) {
        self.weight = self.weight + is as u64 - was as u64;
        if planted::is(Planted::DigestByOrder) && before != after {
            self.digest = self.digest.plus(self.digest);
        }
        self.digest = self.digest.minus(before).plus(after);
        let (was, is) = (before != Digest::default(), after != Digest::default());
        self.live_keys = self.live_keys + u64::from(is) - u64::from(was);
    }
}
