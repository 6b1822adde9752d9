//! What holds for keys of a pattern: rule, durability, lifetime, bounds. The table of a swarm is checked
//! as a whole; the hub has it, agents learn it from the hub.

mod flaw;
mod meeting;
mod pattern;
mod table;
mod wire;

use std::fmt;
use std::time::Duration;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::resolver::{MergeRule, OnConcurrent};
use crate::store::Durability;

pub use self::flaw::{Flaw, PolicyError};
pub use self::pattern::{Pattern, matches};
pub use self::table::{POLICIES_MAX, Policies, TABLE_BYTES_MAX};

/// What holds for the keys that match a pattern. What is not set is as if there were no policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode)]
#[non_exhaustive]
pub struct Policy {
    /// The keys.
    pub pattern: Pattern,
    /// Their rule; else the first operation chooses.
    pub rule: Option<MergeRule>,
    /// What becomes of concurrent values, for [`MergeRule::Causal`] only.
    pub on_concurrent: Option<OnConcurrent>,
    /// The user's function that merges, by the name it is registered under at the hub.
    pub merge: Option<String>,
    /// What an agent's write waits for before it is acknowledged.
    pub durability: Option<Durability>,
    /// How long a value lives.
    pub ttl: Option<Ttl>,
    /// Which keys go first, how long they are waited for, and what is given up last.
    pub priority: Priority,
    /// Largest encoded value of one write, in bytes; never above the hub's own limit.
    pub max_value_bytes: Option<u64>,
    /// How much of a key's past is kept.
    pub history: History,
    /// Receipts that may wait for one agent, at the hub and at its replica; past it the oldest become a
    /// number. Else 100,000.
    pub receipts: Option<u32>,
}

impl Policy {
    /// A policy that says nothing yet.
    pub fn new(pattern: Pattern) -> Self {
        Self {
            pattern,
            rule: None,
            on_concurrent: None,
            merge: None,
            durability: None,
            ttl: None,
            priority: Priority::default(),
            max_value_bytes: None,
            history: History::default(),
            receipts: None,
        }
    }

    /// What becomes of concurrent values.
    pub fn on_concurrent(&self) -> OnConcurrent {
        let by_rule = self
            .rule
            .map_or(OnConcurrent::Lww, MergeRule::on_concurrent);
        self.on_concurrent.unwrap_or(by_rule)
    }

    /// What makes no sense by itself.
    fn check(&self) -> Result<(), Flaw> {
        let rule = self.rule;
        if self.on_concurrent.is_some() && rule != Some(MergeRule::Causal) {
            return Err(Flaw::OnConcurrent);
        }
        let merges = self.on_concurrent() == OnConcurrent::Custom;
        if merges && self.merge.as_ref().is_none_or(String::is_empty) {
            return Err(Flaw::NoFunction);
        }
        if !merges && self.merge.is_some() {
            return Err(Flaw::Function);
        }
        if self.ttl.is_some_and(|ttl| ttl.after.is_zero()) {
            return Err(Flaw::Ttl);
        }
        if self.max_value_bytes == Some(0) {
            return Err(Flaw::ValueBytes);
        }
        if self.history.age.is_some_and(|age| age.is_zero()) {
            return Err(Flaw::HistoryAge);
        }
        if self
            .history
            .commits
            .is_some_and(|count| count > HISTORY_COMMITS_MAX)
        {
            return Err(Flaw::HistoryCommits);
        }
        if matches!(self.durability, Some(Durability::Replicas(_))) {
            return Err(Flaw::Durability);
        }
        if self.receipts == Some(0) {
            return Err(Flaw::Receipts);
        }
        Ok(())
    }
}

/// How long a value lives, by the hub's clock. Expiry is a delete; nobody gets a receipt for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "all there is to say")]
pub struct Ttl {
    /// How long.
    pub after: Duration,
    /// Counted from the last write instead of from the one that brought the key to life.
    pub refresh: bool,
}

/// The most commits that a policy may have a hub keep of each key: a write is found among them by
/// looking at them one after the other.
pub const HISTORY_COMMITS_MAX: u32 = 4_096;

/// How much of a key's past the hub keeps, whichever bound is reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "the two bounds there are")]
pub struct History {
    /// Commits to the key, the newest; 0 keeps none. At most [`HISTORY_COMMITS_MAX`].
    pub commits: Option<u32>,
    /// How old a commit may be, by the hub's clock.
    pub age: Option<Duration>,
}

/// Which keys go first. It decides three things: in which order the rounds of one synchronization go
/// out, how long each waits for agents if its caller does not say, and who is given up first where room
/// runs out: open rounds at a hub, new writes of an agent that does not reach its hub. What was
/// acknowledged is never given up.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    serde::Deserialize,
    Encode,
    Decode,
)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the five classes there are")]
pub enum Priority {
    /// Before everything else.
    Critical,
    /// Before the usual.
    High,
    /// The usual.
    #[default]
    Medium,
    /// After the usual.
    Low,
    /// When there is nothing else to do.
    Background,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 5] = [
        Self::Critical,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Background,
    ];

    /// Its name in a file of policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Background => "background",
        }
    }

    /// Whether small writes overtake what waits in line.
    pub fn goes_ahead(self) -> bool {
        self <= Self::High
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
