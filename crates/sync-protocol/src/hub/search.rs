//! How much looking for keys one answer may cost. What remains is for the next question, so that others
//! are answered in between.

use sync_core::{Key, Pattern, Policies, Priority, RequestError};

use crate::schedule::PATTERN_BYTES_MAX;

/// Steps that one answer may take in looking for keys: about a millisecond, however many keys there are
/// and whatever they are held against. Others are answered in between, so the less the better for them;
/// it is still thousands of keys.
const STEPS_MAX: usize = 1024 * 1024;

/// Steps to reach a key, beside those of holding a pattern against it.
const STEPS_PER_KEY: usize = 64;

/// Steps to begin looking for a part of a pattern, between two stars.
const STEPS_PER_PART: usize = 32;

/// Steps to rule a policy out for a key: most are at the key's ends.
const STEPS_PER_POLICY: usize = 16;

/// A pattern that is not too long to be kept.
pub(super) fn check_pattern(pattern: &Pattern) -> Result<(), RequestError> {
    let bytes = pattern.as_str().len();
    if bytes <= PATTERN_BYTES_MAX {
        return Ok(());
    }
    let reason = format!(
        "the pattern has {bytes} bytes; the limit for listing and watching is {PATTERN_BYTES_MAX}: put a `*` in place of a part of it"
    );
    Err(RequestError::Invalid { reason })
}

/// What is left to spend.
#[derive(Debug)]
pub(crate) struct Effort {
    left: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { left: STEPS_MAX }
    }
}

impl Effort {
    /// Whether it is spent: the answer ends with what it has.
    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Something else that takes time like so many bytes.
    pub(crate) fn spend(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(STEPS_PER_KEY + steps);
    }
}

/// What finding out about a key's policy takes.
pub(super) fn steps_of(policies: &Policies) -> usize {
    policies.iter().count() * STEPS_PER_POLICY
}

/// What holding a pattern against keys takes at worst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    per_byte: usize,
    per_key: usize,
}

impl Cost {
    /// O(pattern): for one that is held against keys again and again it is kept.
    pub(super) fn of(pattern: &Pattern) -> Self {
        let stars = pattern.as_str().bytes().filter(|byte| *byte == b'*');
        Self {
            per_byte: pattern.steps_per_byte(),
            per_key: stars.count() * STEPS_PER_PART,
        }
    }
}

/// A pattern that is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a> {
    pattern: &'a Pattern,
    cost: Cost,
}

impl<'a> Search<'a> {
    pub(super) fn new(pattern: &'a Pattern) -> Self {
        Self::with(pattern, Cost::of(pattern))
    }

    /// The same where the cost is known.
    pub(super) fn with(pattern: &'a Pattern, cost: Cost) -> Self {
        Self { pattern, cost }
    }

    /// Whether a key matches.
    pub(super) fn finds(&self, key: &Key, effort: &mut Effort) -> bool {
        let key = key.as_str();
        let bytes = key.len().saturating_mul(self.cost.per_byte);
        effort.spend(self.cost.per_key + bytes);
        self.pattern.matches(key)
    }
}

/// Keys that match one of some patterns, with the priority that policies give them.
pub(crate) struct Sought<'a> {
    patterns: Vec<Search<'a>>,
    policies: &'a Policies,
    steps: usize,
}

impl<'a> Sought<'a> {
    pub(crate) fn new(patterns: &'a [Pattern], policies: &'a Policies) -> Self {
        Self {
            patterns: patterns.iter().map(Search::new).collect(),
            policies,
            steps: steps_of(policies),
        }
    }

    /// The priority of a key if it is among them.
    pub(crate) fn priority_of(&self, key: &Key, effort: &mut Effort) -> Option<Priority> {
        if !self.patterns.iter().any(|p| p.finds(key, effort)) {
            return None;
        }
        effort.spend(self.steps);
        Some(self.policies.priority_of(key))
    }
}
