//! What a hub synchronizes by itself every so often. Checked as a whole when it is declared.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use sync_core::{Key, Pattern, Policies, Priority};
use thiserror::Error;

use crate::config::Limits;

/// Plans in one schedule: one per priority and some for patterns. Each may have a round under way.
pub const PLANS_MAX: usize = 32;

/// Patterns of one plan: every key is held against each.
pub const PLAN_PATTERNS_MAX: usize = 64;

/// Bytes of a pattern that the keys of a hub are held against: of a plan, of a listing, of a watch, whose
/// question keeps it while it waits.
pub const PATTERN_BYTES_MAX: usize = 256;

/// Bytes of a plan's name.
pub const PLAN_NAME_BYTES_MAX: usize = 128;

/// Shortest interval: a round takes about as long, so that a shorter one would find it under way.
pub const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Longest interval: longer than any run of a hub lasts.
pub const INTERVAL_MAX: Duration = Duration::from_hours(366 * 24);

/// A synchronization that takes place every so often.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeriodicPlan {
    /// Its name, in status and log.
    pub name: String,
    /// Which keys.
    pub covers: Covers,
    /// How often: at its multiples, counted from when the hub's process has started.
    pub interval: Duration,
    /// By up to how much a run comes later, so that hubs and plans do not all ask at once.
    pub jitter: Duration,
    /// How long a round waits for agents; by the priority of its keys if none.
    pub timeout: Option<Duration>,
}

/// Which keys a plan is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two ways to name keys")]
pub enum Covers {
    /// Those that match one of these. A pattern without stars names its key also if nobody has written
    /// it here.
    Patterns(Vec<Pattern>),
    /// Those whose policy gives them this priority; [`Priority::Medium`] is that of all others.
    Priority(Priority),
}

impl PeriodicPlan {
    /// A plan without jitter, whose rounds wait as long as the priorities of their keys say.
    pub fn new(name: impl Into<String>, covers: Covers, interval: Duration) -> Self {
        Self {
            name: name.into(),
            covers,
            interval,
            jitter: Duration::ZERO,
            timeout: None,
        }
    }

    /// The keys of a priority, named after it.
    pub fn of_priority(priority: Priority, interval: Duration) -> Self {
        Self::new(priority.as_str(), Covers::Priority(priority), interval)
    }

    /// By up to how much a run comes later; less than the interval.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// How long its rounds wait for agents, whatever the priority of their keys.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    fn check(&self, limits: &Limits) -> Result<(), Flaw> {
        if !(1..=PLAN_NAME_BYTES_MAX).contains(&self.name.len()) {
            return Err(Flaw::Name);
        }
        if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&self.interval) {
            return Err(Flaw::Interval);
        }
        if self.jitter >= self.interval {
            return Err(Flaw::Jitter);
        }
        let longest = limits.round_deadline_max;
        if self
            .timeout
            .is_some_and(|time| time.is_zero() || time > longest)
        {
            return Err(Flaw::Timeout { longest });
        }
        match &self.covers {
            Covers::Priority(_) => Ok(()),
            Covers::Patterns(patterns) => check_patterns(patterns),
        }
    }
}

fn check_patterns(patterns: &[Pattern]) -> Result<(), Flaw> {
    if patterns.is_empty() {
        return Err(Flaw::NoPattern);
    }
    if patterns.len() > PLAN_PATTERNS_MAX {
        return Err(Flaw::ManyPatterns);
    }
    let long = patterns
        .iter()
        .any(|p| p.as_str().len() > PATTERN_BYTES_MAX);
    if long { Err(Flaw::LongPattern) } else { Ok(()) }
}

impl Covers {
    /// The keys that are spelled out, whether or not the hub holds them.
    pub(crate) fn named(&self, policies: &Policies) -> Vec<Key> {
        match self {
            Self::Patterns(patterns) => patterns.iter().filter_map(Pattern::only_key).collect(),
            Self::Priority(priority) => {
                let of_it = policies.iter().filter(|p| p.priority == *priority);
                of_it.filter_map(|p| p.pattern.only_key()).collect()
            }
        }
    }

    /// Whether nothing but what is spelled out can be among them.
    pub(crate) fn is_named(&self) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().all(|p| p.only_key().is_some()),
            Self::Priority(_) => false,
        }
    }

    /// What a key among them matches.
    pub(crate) fn patterns(&self) -> Vec<Pattern> {
        match self {
            Self::Patterns(patterns) => patterns.clone(),
            Self::Priority(_) => vec![Pattern::new("*").expect("a star is a pattern")],
        }
    }

    /// The priorities that keys among them can have.
    pub(crate) fn priorities(&self, policies: &Policies) -> BTreeSet<Priority> {
        match self {
            Self::Priority(priority) => BTreeSet::from([*priority]),
            Self::Patterns(_) if self.is_named() => {
                let named = self.named(policies).into_iter();
                named.map(|key| policies.priority_of(&key)).collect()
            }
            Self::Patterns(_) => {
                let declared = policies.iter().map(|policy| policy.priority);
                declared.chain([Priority::default()]).collect()
            }
        }
    }
}

impl fmt::Display for Covers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Priority(priority) => write!(f, "keys of {priority} priority"),
            Self::Patterns(patterns) => {
                let texts: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
                f.write_str(&texts.join(", "))
            }
        }
    }
}

/// Plans that were found to make sense, each and beside each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule(Vec<PeriodicPlan>);

impl Schedule {
    /// Checks `plans` as a whole, against the bounds of the hub that is to follow them.
    pub fn new(plans: Vec<PeriodicPlan>, limits: &Limits) -> Result<Self, ScheduleError> {
        if plans.len() > PLANS_MAX {
            return Err(ScheduleError::TooMany { plans: plans.len() });
        }
        for (at, plan) in plans.iter().enumerate() {
            let name = || plan.name.chars().take(PLAN_NAME_BYTES_MAX).collect();
            plan.check(limits)
                .map_err(|flaw| ScheduleError::Plan { name: name(), flaw })?;
            if plans[..at].iter().any(|earlier| earlier.name == plan.name) {
                return Err(ScheduleError::Twice { name: name() });
            }
        }
        Ok(Self(plans))
    }

    /// The plans.
    pub fn plans(&self) -> &[PeriodicPlan] {
        &self.0
    }
}

/// Why there is no such schedule. The caller's fault; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// More than there may be.
    #[error(
        "{plans} periodic synchronizations; the limit is {PLANS_MAX}: let one cover several patterns"
    )]
    TooMany {
        /// How many.
        plans: usize,
    },
    /// Two of one name.
    #[error("two periodic synchronizations are called {name:?}: name one of them otherwise")]
    Twice {
        /// The name.
        name: String,
    },
    /// One that makes no sense.
    #[error("the periodic synchronization {name:?} {flaw}")]
    Plan {
        /// Its name.
        name: String,
        /// What is wrong.
        flaw: Flaw,
    },
}

/// What makes no sense about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Flaw {
    /// Empty or too long.
    #[error("needs a name of 1 to {PLAN_NAME_BYTES_MAX} bytes")]
    Name,
    /// Too short or too long.
    #[error(
        "has an interval that is not from {} ms to {} days",
        INTERVAL_MIN.as_millis(),
        INTERVAL_MAX.as_secs() / 86_400
    )]
    Interval,
    /// As long as the interval: a run could come after the next one.
    #[error("has a jitter that is not shorter than its interval: make it a part of it")]
    Jitter,
    /// None at all, or longer than a round may wait.
    #[error("has a timeout that is not from 1 ms to {} s", longest.as_secs())]
    Timeout {
        /// How long a round may wait.
        longest: Duration,
    },
    /// It covers nothing.
    #[error("covers no pattern: name at least one, `*` for every key")]
    NoPattern,
    /// Too many patterns.
    #[error(
        "covers more than {PLAN_PATTERNS_MAX} patterns: use stars, or several synchronizations"
    )]
    ManyPatterns,
    /// A pattern that is too long to be held against every key.
    #[error(
        "has a pattern of more than {PATTERN_BYTES_MAX} bytes: put a `*` in place of a part of it"
    )]
    LongPattern,
}

#[cfg(test)]
mod tests;
