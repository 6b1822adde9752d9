//! How many keys a run was about, counted a few at a time.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{Key, Pattern, Policies, Priority};

use crate::hub::{Effort, Sought};
use crate::keyspace::Keyspace;
use crate::schedule::Covers;

/// How far a run has counted its keys.
#[derive(Debug)]
pub(super) struct Walk {
    /// Those that are spelled out, which count whether or not anybody holds them.
    named: BTreeSet<Key>,
    patterns: Vec<Pattern>,
    priorities: BTreeSet<Priority>,
    /// Where the next turn begins.
    after: Option<Key>,
    counts: BTreeMap<Priority, usize>,
    is_over: bool,
}

impl Walk {
    pub(super) fn new(covers: &Covers, policies: &Policies, space: &Keyspace) -> Self {
        let mut walk = Self {
            named: covers.named(policies).into_iter().collect(),
            patterns: covers.patterns(),
            priorities: covers.priorities(policies),
            after: None,
            counts: BTreeMap::new(),
            is_over: covers.is_named(),
        };
        for key in &walk.named {
            *walk.counts.entry(policies.priority_of(key)).or_default() += 1;
        }
        walk.take_all(policies, space);
        walk
    }

    /// Every key there is need not be looked at to be counted, if all have one priority.
    fn take_all(&mut self, policies: &Policies, space: &Keyspace) {
        let all = self.patterns.iter().any(|p| p.as_str() == "*");
        let only = policies.iter().all(|p| p.priority == Priority::default());
        let usual = self.priorities.contains(&Priority::default());
        if all && only && usual && self.named.is_empty() {
            let live = usize::try_from(space.live_keys()).unwrap_or(usize::MAX);
            self.counts.insert(Priority::default(), live);
            self.is_over = true;
        }
    }

    /// Looks at some more keys, as far as one effort reaches. How many there are of each priority, once
    /// all were looked at.
    pub(super) fn turn(
        &mut self,
        policies: &Policies,
        space: &Keyspace,
    ) -> Option<&BTreeMap<Priority, usize>> {
        if !self.is_over {
            self.look(policies, space);
        }
        self.is_over.then_some(&self.counts)
    }

    fn look(&mut self, policies: &Policies, space: &Keyspace) {
        let (sought, mut effort) = (Sought::new(&self.patterns, policies), Effort::default());
        let mut last = None;
        self.is_over = true;
        for (key, state) in space.iter_after(self.after.as_ref()) {
            if effort.is_spent() {
                self.is_over = false;
                break;
            }
            effort.spend(0);
            last = Some(key);
            if !state.entry().is_live() || self.named.contains(key) {
                continue;
            }
            let priority = sought.priority_of(key, &mut effort);
            let covered = priority.filter(|of| self.priorities.contains(of));
            if let Some(priority) = covered {
                *self.counts.entry(priority).or_default() += 1;
            }
        }
        self.after = last.cloned();
    }
}
