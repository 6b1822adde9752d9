//! Which keys a run is about, found a few at a time.

use std::collections::BTreeSet;

use sync_core::{Key, Policies};

use crate::keyspace::Keyspace;
use crate::schedule::Covers;

/// Keys that are looked at in one turn of the hub. Each is held against every pattern of the plan or of
/// the policies: some milliseconds at worst.
const KEYS_PER_TURN: usize = 1_024;

/// Keys in one synchronization of a run: the next ones are asked for when these are through.
const KEYS_PER_CHUNK: usize = 4_096;

/// How far a run has looked for its keys.
#[derive(Debug)]
pub(super) struct Walk {
    /// Those that are spelled out, which come first.
    named: BTreeSet<Key>,
    /// Where the next turn begins.
    after: Option<Key>,
    found: Vec<Key>,
    chunk: usize,
    is_over: bool,
}

/// What a turn came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// These are next.
    Chunk(Vec<Key>),
    /// Nothing yet.
    More,
    /// There are no others.
    Over,
}

impl Walk {
    /// At most `keys_max` keys become a chunk.
    pub(super) fn new(covers: &Covers, policies: &Policies, keys_max: usize) -> Self {
        let named: BTreeSet<Key> = covers.named(policies).into_iter().collect();
        Self {
            found: named.iter().cloned().collect(),
            named,
            after: None,
            chunk: KEYS_PER_CHUNK.min(keys_max).max(1),
            is_over: covers.is_named(),
        }
    }

    /// Looks at some more keys.
    pub(super) fn turn(&mut self, covers: &Covers, policies: &Policies, space: &Keyspace) -> Turn {
        if !self.is_over && self.found.len() < self.chunk {
            self.look(covers, policies, space);
        }
        if self.found.len() >= self.chunk {
            let rest = self.found.split_off(self.chunk);
            return Turn::Chunk(std::mem::replace(&mut self.found, rest));
        }
        match (self.is_over, self.found.is_empty()) {
            (false, _) => Turn::More,
            (true, false) => Turn::Chunk(std::mem::take(&mut self.found)),
            (true, true) => Turn::Over,
        }
    }

    fn look(&mut self, covers: &Covers, policies: &Policies, space: &Keyspace) {
        let mut looked = 0;
        let mut last = None;
        for (key, state) in space.iter_after(self.after.as_ref()).take(KEYS_PER_TURN) {
            looked += 1;
            last = Some(key);
            let is_new = state.entry().is_live() && !self.named.contains(key);
            if is_new && covers.contains(key, policies) {
                self.found.push(key.clone());
            }
        }
        self.after = last.cloned();
        self.is_over = looked < KEYS_PER_TURN;
    }
}
