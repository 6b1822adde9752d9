//! Which keys a run is about, found a few at a time.

use std::collections::BTreeSet;

use sync_core::{Key, Policies, Priority};

use crate::hub::search::{Effort, Search, steps_of};
use crate::keyspace::Keyspace;
use crate::schedule::Covers;

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

    /// As far as one effort reaches.
    fn look(&mut self, covers: &Covers, policies: &Policies, space: &Keyspace) {
        let (search, mut effort) = (Sought::new(covers, policies), Effort::default());
        let mut last = None;
        self.is_over = true;
        for (key, state) in space.iter_after(self.after.as_ref()) {
            if effort.is_spent() {
                self.is_over = false;
                break;
            }
            effort.spend(0);
            last = Some(key);
            let is_new = state.entry().is_live() && !self.named.contains(key);
            if is_new && search.finds(key, &mut effort) {
                self.found.push(key.clone());
            }
        }
        self.after = last.cloned();
    }
}

/// What a plan covers, as it is looked for.
enum Sought<'a> {
    Patterns(Vec<Search<'a>>),
    Priority {
        priority: Priority,
        policies: &'a Policies,
        steps: usize,
    },
}

impl<'a> Sought<'a> {
    fn new(covers: &'a Covers, policies: &'a Policies) -> Self {
        match covers {
            Covers::Patterns(patterns) => {
                Self::Patterns(patterns.iter().map(Search::new).collect())
            }
            Covers::Priority(priority) => Self::Priority {
                priority: *priority,
                policies,
                steps: steps_of(policies),
            },
        }
    }

    /// Whether a key is among them.
    fn finds(&self, key: &Key, effort: &mut Effort) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().any(|p| p.finds(key, effort)),
            Self::Priority {
                priority,
                policies,
                steps,
            } => {
                effort.spend(*steps);
                policies.priority_of(key) == *priority
            }
        }
    }
}
