//! What makes a table of policies invalid, in sentences.

use thiserror::Error;

use super::{HISTORY_COMMITS_MAX, POLICIES_MAX, TABLE_BYTES_MAX};
use crate::id::start_of;

/// What is wrong with one policy, or with two together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Flaw {
    /// A setting of another rule.
    #[error("`on_concurrent` needs the rule causal; leave it out, or set `rule = \"causal\"`")]
    OnConcurrent,
    /// A rule that needs a function.
    #[error("a custom merge needs `merge`, the name of a function registered at the hub")]
    NoFunction,
    /// A function that nothing calls.
    #[error(
        "`merge` names a function, but nothing would call it; set `rule = \"custom\"`, or leave it out"
    )]
    Function,
    /// Nothing would live.
    #[error("a lifetime of 0 would keep nothing; leave `ttl` out to keep values for ever")]
    Ttl,
    /// Nothing could be written.
    #[error("`max_value_bytes = 0` would refuse every write; leave it out for the hub's limit")]
    ValueBytes,
    /// Nothing would be kept.
    #[error(
        "`history_age` of 0 would keep nothing; set `history_commits = 0` for no history at all"
    )]
    HistoryAge,
    /// More than a hub looks through.
    #[error(
        "`history_commits` is over {HISTORY_COMMITS_MAX}, the most that is kept of each key; set a smaller number"
    )]
    HistoryCommits,
    /// A level that only a single write can wait for.
    #[error(
        "a policy's durability is memory, disk or hub; a write that is to wait for replicas asks for them itself"
    )]
    Durability,
    /// Nobody would be told what was lost.
    #[error(
        "`receipts = 0` would tell nobody what was lost; set how many may wait, or leave it out for 100,000"
    )]
    Receipts,
    /// The same keys twice.
    #[error(
        "the pattern {} is there twice; keep one of the two",
        start_of(pattern)
    )]
    Twice {
        /// The pattern.
        pattern: String,
    },
    /// Neither is more specific.
    #[error(
        "{} and {} both match {:?} and neither is more specific; make one more specific, or add a policy for what both match",
        start_of(pattern),
        start_of(other),
        start_of(example)
    )]
    Tie {
        /// This pattern.
        pattern: String,
        /// The earlier one.
        other: String,
        /// A key that both match.
        example: String,
    },
    /// More than a table holds.
    #[error("the table holds more than {POLICIES_MAX} policies; use wider patterns")]
    TooMany,
    /// More than a message holds.
    #[error("the table takes {bytes} bytes; the limit is {TABLE_BYTES_MAX}: use fewer policies")]
    TooLarge {
        /// Its encoded size.
        bytes: usize,
    },
}

/// A table that is not valid; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("policy {}: {flaw}", index + 1)]
#[expect(clippy::exhaustive_structs, reason = "where and what")]
pub struct PolicyError {
    /// Which policy, counted from 0 in the order given.
    pub index: usize,
    /// What is wrong with it.
    pub flaw: Flaw,
}
