//! The table of a swarm: checked as a whole, asked for one key.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Flaw, Policy, PolicyError, Priority};
use crate::codec::{self, List};
use crate::id::Key;

/// Policies in one table. Each is looked at for every key that no earlier one matches.
pub const POLICIES_MAX: usize = 512;

/// A table's size in bytes: it travels in one message.
pub const TABLE_BYTES_MAX: usize = 256 * 1024;

/// The table of a swarm. For a key the most specific pattern that matches it counts, alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    /// The most specific first.
    ordered: Vec<Policy>,
    fingerprint: u64,
    /// Asked at each commit.
    any_goes_ahead: bool,
}

impl Policies {
    /// Checks a table as a whole. Its size first, because that bounds the rest: two patterns are held
    /// against each other in time in proportion to the shorter one, so all of them at worst in
    /// [`POLICIES_MAX`] · [`TABLE_BYTES_MAX`] steps, and most differ in the first few characters.
    pub fn new(policies: Vec<Policy>) -> Result<Self, PolicyError> {
        if policies.len() > POLICIES_MAX {
            let flaw = Flaw::TooMany;
            return Err(PolicyError {
                index: POLICIES_MAX,
                flaw,
            });
        }
        let mut ordered = policies.clone();
        ordered.sort_by_cached_key(|p| (Reverse(p.pattern.specificity()), p.pattern.clone()));
        let bytes = codec::to_bytes(&List(ordered.clone()));
        if bytes.len() > TABLE_BYTES_MAX {
            let (index, flaw) = (ordered.len() - 1, Flaw::TooLarge { bytes: bytes.len() });
            return Err(PolicyError { index, flaw });
        }
        check_each(&policies)?;
        let fingerprint = if ordered.is_empty() {
            0
        } else {
            fingerprint(&bytes)
        };
        let any_goes_ahead = ordered.iter().any(|policy| policy.priority.goes_ahead());
        Ok(Self {
            ordered,
            fingerprint,
            any_goes_ahead,
        })
    }

    /// What holds for a key. Looks at every policy until one matches, see
    /// [`matches`](crate::policy::matches).
    pub fn of(&self, key: &Key) -> Option<&Policy> {
        self.matching(key).next()
    }

    /// The priority of a key.
    pub fn priority_of(&self, key: &Key) -> Priority {
        self.of(key).map(|p| p.priority).unwrap_or_default()
    }

    /// Every policy whose pattern matches, the one that counts first.
    pub fn matching(&self, key: &Key) -> impl Iterator<Item = &Policy> {
        let key = key.as_str();
        let patterns = |p: &&Policy| p.pattern.agrees_at_the_ends(key) && p.pattern.matches(key);
        self.ordered.iter().filter(patterns)
    }

    /// Whether any key may go ahead.
    pub fn any_goes_ahead(&self) -> bool {
        self.any_goes_ahead
    }

    /// Those of `keys` that go ahead, the most urgent first, else as they come. Looks at no key where
    /// none may.
    pub fn urgent_first<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Key>,
    ) -> Vec<(Priority, &'k Key)> {
        if !self.any_goes_ahead {
            return Vec::new();
        }
        let ranked = keys.into_iter().map(|key| (self.priority_of(key), key));
        let mut ranked: Vec<_> = ranked.filter(|(p, _)| p.goes_ahead()).collect();
        ranked.sort_by_key(|(priority, _)| *priority);
        ranked
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

/// What is wrong with the first policy that cannot be there, or not beside an earlier one.
fn check_each(policies: &[Policy]) -> Result<(), PolicyError> {
    let mut equals: BTreeMap<_, Vec<&Policy>> = BTreeMap::new();
    for (index, policy) in policies.iter().enumerate() {
        let flawed = |flaw| PolicyError { index, flaw };
        policy.check().map_err(flawed)?;
        let equals = equals.entry(policy.pattern.specificity()).or_default();
        for earlier in &*equals {
            clash(policy, earlier).map_err(flawed)?;
        }
        equals.push(policy);
    }
    Ok(())
}

/// Two that are equally specific must not match the same key. They have as many stars, so that to find
/// out takes time in proportion to their lengths.
fn clash(policy: &Policy, earlier: &Policy) -> Result<(), Flaw> {
    let (pattern, other) = (&policy.pattern, &earlier.pattern);
    if pattern == other {
        let pattern = pattern.to_string();
        return Err(Flaw::Twice { pattern });
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
    use std::time::Duration;

    use super::*;
    use crate::policy::{Pattern, Ttl};
    use crate::resolver::{MergeRule, OnConcurrent};
    use crate::store::Durability;

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
    fn what_is_urgent_is_sorted_out_by_class() {
        let ranked = |pattern, priority| Policy {
            priority,
            ..policy(pattern)
        };
        let table = Policies::new(vec![
            ranked("c*", Priority::Critical),
            ranked("h*", Priority::High),
            ranked("m*", Priority::Medium),
        ]);
        let table = table.unwrap();
        let keys = ["h2", "c2", "m1", "x", "c1", "h1"].map(|key| Key::new(key).unwrap());
        let urgent = table.urgent_first(&keys).into_iter();
        let urgent: Vec<_> = urgent.map(|(p, key)| (p.as_str(), key.as_str())).collect();
        let (critical, high) = ("critical", "high");
        let expected = [
            (critical, "c2"),
            (critical, "c1"),
            (high, "h2"),
            (high, "h1"),
        ];
        assert_eq!(urgent, expected);
        assert!(table.any_goes_ahead());
        let usual = Policies::new(vec![ranked("*", Priority::Medium)]).unwrap();
        assert!(!usual.any_goes_ahead() && usual.urgent_first(&keys).is_empty());
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
        assert_eq!(flawed(|p| p.receipts = Some(0)), Flaw::Receipts);
        let replicas = |p: &mut Policy| p.durability = Some(Durability::Replicas(2));
        assert_eq!(flawed(replicas), Flaw::Durability);
        let age = Some(Duration::ZERO);
        let mut forgetful = policy("*");
        forgetful.history.age = age;
        let error = Policies::new(vec![forgetful]).unwrap_err();
        assert_eq!(error.flaw, Flaw::HistoryAge);
        let commits = Some(super::super::HISTORY_COMMITS_MAX + 1);
        let mut hoarder = policy("*");
        hoarder.history.commits = commits;
        let error = Policies::new(vec![hoarder]).unwrap_err();
        assert_eq!(error.flaw, Flaw::HistoryCommits);
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

    /// Patterns as long as they may be, as many as a table holds: the time for them has a bound.
    #[test]
    fn a_table_of_long_patterns_is_checked_at_once() {
        let (stars, none) = ("*a?".repeat(330), String::new());
        let same = "aab".repeat(330);
        for (start, end) in [(&stars, &none), (&none, &stars), (&same, &"*".to_owned())] {
            let pattern = |n: usize| policy(&format!("{start}{n:04}{end}"));
            let table = |count| Policies::new((0..count).map(pattern).collect());
            let checked = table(240).err().map(|e| e.flaw);
            assert_eq!(checked, None, "{start} {end}");
            let flaw = table(POLICIES_MAX).unwrap_err().flaw;
            assert!(matches!(flaw, Flaw::TooLarge { .. }), "{flaw}");
        }
    }

    #[test]
    fn a_sentence_shows_the_start_of_a_long_pattern() {
        let long = |end: &str| policy(&format!("{}{end}", "a*".repeat(400)));
        let tie = Policies::new(vec![long("b"), long("?b")]);
        assert!(tie.is_ok(), "one asks for more");
        for second in ["b*", "*b"] {
            let flawed = Policies::new(vec![long("*b"), long(second)]).unwrap_err();
            let sentence = flawed.to_string();
            let starts = sentence.matches(&format!("{}…", "a*".repeat(20))).count();
            let expected = if second == "*b" { 1 } else { 2 };
            assert_eq!(starts, expected, "{sentence}");
            assert!(sentence.chars().count() < 400, "{sentence}");
        }
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
