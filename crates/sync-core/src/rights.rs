//! Who may read, write and administer what: grants for names, swarms and keys, each a pattern.
//!
//! Grants only add up: what none gives is refused, so that their order says nothing and the widest of two
//! is never a surprise of the narrower one.

use std::fmt;

use crate::id::{AgentId, SwarmId};
use crate::policy::Pattern;

/// Grants in one table: more than there are roles in any team, and each is looked at for every connection.
pub const GRANTS_MAX: usize = 1_024;

/// One thing that may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "each is checked somewhere")]
pub enum Right {
    /// To see keys and their values.
    Read,
    /// To change keys.
    Write,
    /// To clear a swarm, read its policies anew, take agents off its roster.
    Admin,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        })
    }
}

/// Some rights of some names to some keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who, where, what")]
pub struct Grant {
    /// Names of agents, and of whoever uses commands.
    pub agents: Pattern,
    /// Names of swarms.
    pub swarms: Pattern,
    /// Keys. Those of the memory count as `memory/NAMESPACE/KEY`.
    pub keys: Pattern,
    /// What is granted.
    pub rights: Vec<Right>,
}

/// All grants of a hub.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    grants: Vec<Grant>,
}

impl Rights {
    /// A table of at most [`GRANTS_MAX`] grants; `None` if there are more.
    pub fn new(grants: Vec<Grant>) -> Option<Self> {
        (grants.len() <= GRANTS_MAX).then_some(Self { grants })
    }

    /// How many grants there are.
    pub fn len(&self) -> usize {
        self.grants.len()
    }

    /// Whether nobody may do anything.
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// Whether anybody may administer anything.
    pub fn has_admin(&self) -> bool {
        let mut grants = self.grants.iter();
        grants.any(|grant| grant.rights.contains(&Right::Admin))
    }

    /// What a name may do in a swarm.
    pub fn of(&self, swarm: &SwarmId, agent: &AgentId) -> Allowed {
        let grants = self.grants.iter().filter(|grant| {
            grant.agents.matches(agent.as_str()) && grant.swarms.matches(swarm.as_str())
        });
        Allowed {
            grants: grants.map(|g| (g.keys.clone(), g.rights.clone())).collect(),
        }
    }
}

/// What one name may do in one swarm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    grants: Vec<(Pattern, Vec<Right>)>,
}

impl Allowed {
    /// Whether it has a right to a key.
    pub fn may(&self, right: Right, key: &str) -> bool {
        self.with(right).any(|keys| keys.matches(key))
    }

    /// Whether one grant gives it a right to every key that `pattern` can match, whichever there are.
    /// Only a grant for the same pattern, or for a beginning followed by a star, is recognized.
    pub fn covers(&self, right: Right, pattern: &str) -> bool {
        self.with(right).any(|keys| {
            let keys = keys.as_str();
            let begins = keys.strip_suffix('*').filter(|p| !p.contains(['*', '?']));
            keys == pattern || begins.is_some_and(|begin| pattern.starts_with(begin))
        })
    }

    /// Whether it has no right to anything.
    pub fn is_empty(&self) -> bool {
        self.grants.iter().all(|(_, rights)| rights.is_empty())
    }

    /// Whether it has a right to the whole swarm.
    pub fn all(&self, right: Right) -> bool {
        self.covers(right, "*")
    }

    fn with(&self, right: Right) -> impl Iterator<Item = &Pattern> {
        let with = self.grants.iter();
        with.filter(move |(_, rights)| rights.contains(&right))
            .map(|(keys, _)| keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(agents: &str, swarms: &str, keys: &str, rights: &[Right]) -> Grant {
        let pattern = |text: &str| Pattern::new(text).unwrap();
        Grant {
            agents: pattern(agents),
            swarms: pattern(swarms),
            keys: pattern(keys),
            rights: rights.to_vec(),
        }
    }

    fn of(rights: &Rights, swarm: &str, agent: &str) -> Allowed {
        rights.of(&SwarmId::new(swarm).unwrap(), &AgentId::new(agent).unwrap())
    }

    #[test]
    fn what_no_grant_gives_is_refused_and_grants_add_up() {
        use Right::{Admin, Read, Write};
        let rights = Rights::new(vec![
            grant("*", "team", "*", &[Read]),
            grant("worker-?", "team", "task_*", &[Write]),
            grant("lead", "*", "*", &[Admin]),
        ]);
        let rights = rights.unwrap();
        let worker = of(&rights, "team", "worker-1");
        assert!(worker.may(Read, "plan") && worker.may(Write, "task_1"));
        assert!(!worker.may(Write, "plan") && !worker.may(Admin, "task_1"));
        assert!(worker.all(Read) && !worker.all(Write));
        let elsewhere = of(&rights, "other", "worker-1");
        assert_eq!(elsewhere, Allowed::default());
        assert!(elsewhere.is_empty() && !worker.is_empty());
        let lead = of(&rights, "other", "lead");
        assert!(lead.all(Admin) && !lead.may(Read, "plan"));
        assert!(!of(&Rights::default(), "team", "lead").all(Read));
    }

    #[test]
    fn a_pattern_is_covered_only_if_every_key_of_it_is() {
        let rights = Rights::new(vec![grant("a", "*", "task_*", &[Right::Read])]).unwrap();
        let allowed = of(&rights, "team", "a");
        for inside in ["task_*", "task_1", "task_?", "task_*_x"] {
            assert!(allowed.covers(Right::Read, inside), "{inside}");
        }
        for outside in ["*", "t*", "task?*", "?ask_1", "plan"] {
            assert!(!allowed.covers(Right::Read, outside), "{outside}");
        }
        let middle = Rights::new(vec![grant("a", "*", "a*b*", &[Right::Read])]).unwrap();
        let middle = of(&middle, "team", "a");
        assert!(middle.covers(Right::Read, "a*b*") && !middle.covers(Right::Read, "a*bc*"));
    }
}
