//! The values of one namespace, counted.

use std::collections::BTreeMap;
use std::ops::Bound;

use sync_core::{Key, Namespace, NamespaceStats, Pattern, Payload};

use crate::hub::listing::KEYS_PER_PAGE;
use crate::hub::search::{Effort, Search};

/// What it takes to hold a value, beside its key and itself: two allocations and a place in a tree. It
/// counts, so that many small values are not more than the bound says.
const VALUE_BYTES: u64 = 128;

/// What it takes to hold a namespace, beside its name: a tree, which begins with room for several values.
const NAMESPACE_BYTES: u64 = 640;

/// A value of the memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Always [`Payload::put`].
    pub(super) payload: Payload,
    /// Whether there is a row of it.
    pub(super) persistent: bool,
}

impl Held {
    fn bytes(&self, key: &Key) -> u64 {
        let own = key.as_str().len() + self.payload.as_bytes().len();
        own as u64 + VALUE_BYTES
    }
}

/// The values of a namespace.
#[derive(Debug)]
pub(super) struct Space {
    values: BTreeMap<Key, Held>,
    persistent: u64,
    /// Of all of it, as it counts.
    bytes: u64,
}

impl Space {
    pub(super) fn new(namespace: &Namespace) -> Self {
        Self {
            values: BTreeMap::new(),
            persistent: 0,
            bytes: Self::bytes_of_none(namespace),
        }
    }

    /// What an empty one counts.
    pub(super) fn bytes_of_none(namespace: &Namespace) -> u64 {
        namespace.as_str().len() as u64 + NAMESPACE_BYTES
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether any of it has a row.
    pub(super) fn has_rows(&self) -> bool {
        self.persistent > 0
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Held> {
        self.values.get(key)
    }

    /// How much less and how much more it counts with a value in place of what is there.
    pub(super) fn change(&self, key: &Key, held: &Held) -> (u64, u64) {
        let before = self.get(key).map_or(0, |before| before.bytes(key));
        (before, held.bytes(key))
    }

    pub(super) fn put(&mut self, key: Key, held: Held) {
        self.remove(&key);
        self.persistent += u64::from(held.persistent);
        self.bytes += held.bytes(&key);
        self.values.insert(key, held);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Held> {
        let held = self.values.remove(key)?;
        self.uncount(key, &held);
        Some(held)
    }

    /// Takes the first value.
    pub(super) fn pop(&mut self) -> Option<(Key, Held)> {
        let (key, held) = self.values.pop_first()?;
        self.uncount(&key, &held);
        Some((key, held))
    }

    fn uncount(&mut self, key: &Key, held: &Held) {
        self.persistent -= u64::from(held.persistent);
        self.bytes -= held.bytes(key);
    }

    pub(super) fn stats(&self, namespace: &Namespace) -> NamespaceStats {
        NamespaceStats {
            namespace: namespace.clone(),
            persistent: self.persistent,
            volatile: self.len() as u64 - self.persistent,
            bytes: self.bytes,
        }
    }

    /// A page of the keys that match, and after which one to go on. Only keys that begin as the pattern
    /// spells out are looked at.
    pub(super) fn keys(&self, pattern: &Pattern, after: Option<&Key>) -> (Vec<Key>, Option<Key>) {
        let start = pattern.as_str().split(['*', '?']).next().unwrap_or("");
        // Nothing spelled out is no key, and every key begins so.
        let first = Key::new(start).ok();
        let from = match (&first, after) {
            (Some(first), after) if after.is_none_or(|after| after < first) => {
                Bound::Included(first)
            }
            (_, Some(after)) => Bound::Excluded(after),
            _ => Bound::Unbounded,
        };
        let range = self.values.range::<Key, _>((from, Bound::Unbounded));
        let begin_so = range.map(|(key, _)| key);
        let mut begin_so = begin_so.take_while(|key| key.as_str().starts_with(start));
        let (search, mut effort) = (Search::new(pattern), Effort::default());
        let mut keys = Vec::new();
        let mut last = None;
        for key in begin_so.by_ref() {
            last = Some(key);
            if search.finds(key, &mut effort) {
                keys.push(key.clone());
            }
            if keys.len() == KEYS_PER_PAGE || effort.is_spent() {
                break;
            }
        }
        let more = begin_so.next().is_some();
        (keys, last.filter(|_| more).cloned())
    }
}
