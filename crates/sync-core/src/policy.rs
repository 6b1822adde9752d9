//! What holds for keys of a pattern: rule, durability, lifetime, bounds. The table of a swarm is checked
//! as a whole; the hub has it, agents learn it from the hub.

mod pattern;

use std::time::Duration;

use bincode::{Decode, Encode};
use serde::Serialize;
use thiserror::Error;

use crate::codec::{self, List};
use crate::id::Key;
use crate::resolver::{MergeRule, OnConcurrent};
use crate::store::Durability;

pub use self::pattern::{Pattern, matches};

/// Policies in one table. Each is looked at for every key that no earlier one matches.
pub const POLICIES_MAX: usize = 512;

/// A table's size in bytes: it travels in one message.
pub const TABLE_BYTES_MAX: usize = 256 * 1024;

/// What holds for the keys that match a pattern. What is not set is as if there were no policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
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
    /// Which keys go first under pressure.
    pub priority: Priority,
    /// Largest encoded value of one write, in bytes; never above the hub's own limit.
    pub max_value_bytes: Option<u64>,
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

/// Which keys go first.
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
    /// The same keys twice.
    #[error("the pattern {pattern} is there twice; keep one of the two")]
    Twice {
        /// The pattern.
        pattern: String,
    },
    /// Neither is more specific.
    #[error(
        "{pattern} and {other} both match {example:?} and neither is more specific; make one more specific, or add a policy for what both match"
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

/// The table of a swarm. For a key the most specific pattern that matches it counts, alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    /// The most specific first.
    ordered: Vec<Policy>,
    fingerprint: u64,
}

impl Policies {
    /// Checks a table as a whole. O(n²) in the number of policies.
    pub fn new(policies: Vec<Policy>) -> Result<Self, PolicyError> {
        if policies.len() > POLICIES_MAX {
            let flaw = Flaw::TooMany;
            return Err(PolicyError {
                index: POLICIES_MAX,
                flaw,
            });
        }
        for (index, policy) in policies.iter().enumerate() {
            policy.check().map_err(|flaw| PolicyError { index, flaw })?;
            for other in &policies[..index] {
                clash(policy, other).map_err(|flaw| PolicyError { index, flaw })?;
            }
        }
        let mut ordered = policies;
        ordered.sort_by(|a, b| {
            let by_pattern = |p: &Policy| p.pattern.specificity();
            by_pattern(b)
                .cmp(&by_pattern(a))
                .then_with(|| a.pattern.cmp(&b.pattern))
        });
        let bytes = codec::to_bytes(&List(ordered.clone()));
        if bytes.len() > TABLE_BYTES_MAX {
            let (index, flaw) = (ordered.len() - 1, Flaw::TooLarge { bytes: bytes.len() });
            return Err(PolicyError { index, flaw });
        }
        let fingerprint = if ordered.is_empty() {
            0
        } else {
            fingerprint(&bytes)
        };
        Ok(Self {
            ordered,
            fingerprint,
        })
    }

    /// What holds for a key. O(policies · length of the key).
    pub fn of(&self, key: &Key) -> Option<&Policy> {
        self.matching(key).next()
    }

    /// Every policy whose pattern matches, the one that counts first.
    pub fn matching(&self, key: &Key) -> impl Iterator<Item = &Policy> {
        self.ordered
            .iter()
            .filter(|p| p.pattern.matches(key.as_str()))
    }

    /// All of them, the most specific first.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.ordered.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    /// Equal for equal tables, on every machine; 0 for an empty one.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The policies, to send or store them.
    pub fn to_list(&self) -> List<Policy> {
        List(self.ordered.clone())
    }
}

fn clash(policy: &Policy, earlier: &Policy) -> Result<(), Flaw> {
    let (pattern, other) = (&policy.pattern, &earlier.pattern);
    if pattern == other {
        let pattern = pattern.to_string();
        return Err(Flaw::Twice { pattern });
    }
    if pattern.specificity() != other.specificity() {
        return Ok(());
    }
    pattern.common_key(other).map_or(Ok(()), |example| {
        Err(Flaw::Tie {
            pattern: pattern.to_string(),
            other: other.to_string(),
            example,
        })
    })
}

fn fingerprint(bytes: &[u8]) -> u64 {
    use std::hash::Hasher;

    let mut hasher = siphasher::sip::SipHasher24::new_with_keys(0, 0);
    hasher.write(bytes);
    // 0 says that there is no table.
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(pattern: &str) -> Policy {
        Policy::new(Pattern::new(pattern).unwrap())
    }

    fn counts(policies: &Policies, key: &str) -> Option<String> {
        let policy = policies.of(&Key::new(key).unwrap())?;
        Some(policy.pattern.to_string())
    }

    #[test]
    fn the_most_specific_pattern_counts() {
        let patterns = ["*", "task_*", "task_?", "task_7", "*_log"];
        let table = Policies::new(patterns.map(policy).into()).unwrap();
        let cases = [
            ("x", "*"),
            ("task_7", "task_7"),
            ("task_8", "task_?"),
            ("task_88", "task_*"),
            ("task_log", "task_*"),
            ("my_log", "*_log"),
        ];
        for (key, expected) in cases {
            assert_eq!(counts(&table, key).as_deref(), Some(expected), "{key}");
        }
        let key = Key::new("task_7").unwrap();
        let order = table.matching(&key);
        let order: Vec<String> = order.map(|p| p.pattern.to_string()).collect();
        assert_eq!(order, ["task_7", "task_?", "task_*", "*"]);
        assert_eq!(counts(&Policies::default(), "x"), None);
    }

    #[test]
    fn equally_specific_patterns_must_not_meet() {
        let meet = Policies::new(vec![policy("z*"), policy("a*"), policy("*b")]).unwrap_err();
        assert_eq!(meet.index, 2);
        let Flaw::Tie {
            pattern,
            other,
            example,
        } = meet.flaw
        else {
            panic!("{meet}")
        };
        assert_eq!((&*pattern, &*other), ("*b", "z*"));
        assert!(policy("z*").pattern.matches(&example) && policy("*b").pattern.matches(&example));
        assert!(Policies::new(vec![policy("a*"), policy("b*")]).is_ok());
        let twice = Policies::new(vec![policy("a*"), policy("a*")]).unwrap_err();
        assert!(matches!(twice.flaw, Flaw::Twice { .. }));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let flawed = |change: fn(&mut Policy)| {
            let mut policy = policy("*");
            change(&mut policy);
            Policies::new(vec![policy]).unwrap_err().flaw
        };
        let custom = Some(MergeRule::Custom);
        assert_eq!(
            flawed(|p| p.on_concurrent = Some(OnConcurrent::Keep)),
            Flaw::OnConcurrent
        );
        assert_eq!(
            flawed(|p| p.rule = Some(MergeRule::Custom)),
            Flaw::NoFunction
        );
        assert_eq!(flawed(|p| p.merge = Some("f".to_owned())), Flaw::Function);
        assert_eq!(flawed(|p| p.max_value_bytes = Some(0)), Flaw::ValueBytes);
        let ttl = Ttl {
            after: Duration::ZERO,
            refresh: false,
        };
        let mut kept = policy("*");
        kept.ttl = Some(ttl);
        assert_eq!(Policies::new(vec![kept]).unwrap_err().flaw, Flaw::Ttl);
        let mut merged = policy("*");
        (merged.rule, merged.merge) = (custom, Some("f".to_owned()));
        assert!(Policies::new(vec![merged]).is_ok());
    }

    #[test]
    fn equal_tables_have_equal_fingerprints() {
        let table = |patterns: &[&str]| {
            let policies = patterns.iter().map(|p| policy(p)).collect();
            Policies::new(policies).unwrap().fingerprint()
        };
        assert_eq!(table(&["a", "b*"]), table(&["b*", "a"]));
        assert_ne!(table(&["a", "b*"]), table(&["a"]));
        assert_eq!(table(&[]), 0);
    }
}
