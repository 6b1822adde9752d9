//! All that the memory of a swarm holds, by namespace.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use sync_core::{Key, Namespace, NamespaceStats, Pattern, Payload};

use super::space::{Held, Space};
use super::sweep::Leaving;
use crate::gate::Token;

/// Namespaces in one answer: at most 80 KiB.
const NAMESPACES_PER_PAGE: usize = 512;

/// The memory of a swarm.
#[derive(Debug, Default)]
pub(in crate::hub) struct Memory {
    spaces: BTreeMap<Namespace, Space>,
    /// What all of it counts, that which is leaving included.
    pub(super) bytes: u64,
    /// Numbers persistent values in the order in which they were stored. Starts anew when no row is left.
    number: u64,
    /// Per namespace that was cleared and of which rows may be left, the last number that is gone.
    pub(super) cleared: BTreeMap<Namespace, u64>,
    /// What was cleared and still has to be taken apart, the oldest first.
    pub(super) leaving: VecDeque<Leaving>,
    /// The last batch that took something apart.
    pub(super) swept: Token,
}

impl Memory {
    /// Takes a row back: all values that a clear has ended are known before.
    pub(in crate::hub) fn restore(
        &mut self,
        namespace: Namespace,
        key: Key,
        number: u64,
        payload: Payload,
    ) {
        self.number = self.number.max(number);
        let held = Held {
            payload,
            persistent: true,
        };
        let is_gone = self.cleared.get(&namespace).is_some_and(|c| number <= *c);
        let Some(leaving) = self.leaving_of(&namespace).filter(|_| is_gone) else {
            return self.put(&namespace, key, held);
        };
        let before = leaving.space.bytes();
        leaving.space.put(key, held);
        let after = leaving.space.bytes();
        self.bytes += after - before;
    }

    /// Takes back that a namespace was cleared. Such rows come in the order of the namespaces.
    pub(in crate::hub) fn restore_cleared(&mut self, namespace: Namespace, number: u64) {
        self.number = self.number.max(number);
        self.cleared.insert(namespace.clone(), number);
        let space = Space::new(&namespace);
        self.bytes += space.bytes();
        self.leaving.push_back(Leaving::new(namespace, space, None));
    }

    /// What was cleared of a namespace, while rows are restored.
    fn leaving_of(&mut self, namespace: &Namespace) -> Option<&mut Leaving> {
        let at = self
            .leaving
            .binary_search_by(|held| held.namespace.cmp(namespace));
        self.leaving.get_mut(at.ok()?)
    }

    /// Whether nothing is held.
    pub(in crate::hub) fn is_empty(&self) -> bool {
        self.spaces.is_empty() && self.leaving.is_empty()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    pub(super) fn last_number(&self) -> u64 {
        self.number
    }

    pub(super) fn get(&self, namespace: &Namespace, key: &Key) -> Option<&Held> {
        self.spaces.get(namespace)?.get(key)
    }

    /// What all would count with a value in place of what is there.
    pub(super) fn bytes_with(&self, namespace: &Namespace, key: &Key, held: &Held) -> u64 {
        let empty = Space::new(namespace);
        let space = self.spaces.get(namespace);
        let (less, more) = space.unwrap_or(&empty).change(key, held);
        let fresh = if space.is_none() { empty.bytes() } else { 0 };
        self.bytes - less + more + fresh
    }

    pub(super) fn put(&mut self, namespace: &Namespace, key: Key, held: Held) {
        self.bytes = self.bytes_with(namespace, &key, &held);
        let space = self.spaces.entry(namespace.clone());
        let space = space.or_insert_with(|| Space::new(namespace));
        space.put(key, held);
    }

    /// A namespace without values is none.
    pub(super) fn remove(&mut self, namespace: &Namespace, key: &Key) -> Option<Held> {
        let space = self.spaces.get_mut(namespace)?;
        let before = space.bytes();
        let held = space.remove(key)?;
        self.bytes -= before - space.bytes();
        if space.is_empty() {
            self.detach(namespace);
            self.bytes -= Space::bytes_of_none(namespace);
        }
        Some(held)
    }

    /// Takes all values of a namespace out at once. They count until they are let go.
    pub(super) fn detach(&mut self, namespace: &Namespace) -> Option<Space> {
        self.spaces.remove(namespace)
    }

    pub(super) fn keys(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        after: Option<&Key>,
    ) -> (Vec<Key>, Option<Key>) {
        let space = self.spaces.get(namespace);
        space.map_or_else(Default::default, |space| space.keys(pattern, after))
    }

    /// A page of namespaces, and whether more follow.
    pub(super) fn stats(&self, after: Option<&Namespace>) -> (Vec<NamespaceStats>, bool) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut range = self.spaces.range::<Namespace, _>((from, Bound::Unbounded));
        let page = range.by_ref().take(NAMESPACES_PER_PAGE);
        let page = page.map(|(name, space)| space.stats(name)).collect();
        (page, range.next().is_some())
    }
}
