//! How much looking for keys one answer may cost. What remains is for the next question, so that others
//! are answered in between.

use sync_core::{Key, Pattern, RequestError};

/// Bytes of a pattern that a peer asks about: it is kept while its question waits.
const PATTERN_BYTES_MAX: usize = 256;

/// Steps that one answer may take in looking for keys: about a millisecond, however many keys there are
/// and whatever they are held against. Others are answered in between, so the less the better for them;
/// it is still thousands of keys.
const STEPS_MAX: usize = 1024 * 1024;

/// Steps to reach a key, beside those of holding a pattern against it.
const STEPS_PER_KEY: usize = 64;

/// Steps to begin looking for a part of a pattern, between two stars.
const STEPS_PER_PART: usize = 32;

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
pub(super) struct Effort {
    left: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { left: STEPS_MAX }
    }
}

impl Effort {
    /// Whether it is spent: the answer ends with what it has.
    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Something else that takes time like so many bytes.
    pub(super) fn spend(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(STEPS_PER_KEY + steps);
    }
}

/// A pattern that is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a> {
    pattern: &'a Pattern,
    steps_per_byte: usize,
    steps_per_key: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(pattern: &'a Pattern) -> Self {
        let stars = pattern.as_str().bytes().filter(|byte| *byte == b'*');
        Self {
            pattern,
            steps_per_byte: pattern.steps_per_byte(),
            steps_per_key: stars.count() * STEPS_PER_PART,
        }
    }

    /// Whether a key matches.
    pub(super) fn finds(&self, key: &Key, effort: &mut Effort) -> bool {
        let key = key.as_str();
        effort.spend(self.steps_per_key + key.len().saturating_mul(self.steps_per_byte));
        self.pattern.matches(key)
    }
}
