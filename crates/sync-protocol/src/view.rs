//! How a key's state reads: the same at a replica and at the hub.

use std::collections::BTreeSet;

use sync_core::report::UserMetadata;
use sync_core::{Key, Resolver, StateMetadata, StateVersion};

use crate::keyspace::KeyState;

/// A key as its rule reads it. `rule` is none for a key without live writes.
pub(crate) fn state_version(
    key: &Key,
    state: &KeyState,
    rule: Option<&dyn Resolver>,
    provisional: bool,
    age_ms: Option<u64>,
) -> StateVersion {
    let entry = state.entry();
    let value = rule.and_then(|r| r.fold(entry));
    let shown = rule.and_then(|r| r.shown(entry));
    let agents: BTreeSet<_> = match &shown {
        Some(id) => std::iter::once(id.writer.agent().clone()).collect(),
        None => entry
            .writes()
            .map(|(id, _)| id.writer.agent().clone())
            .collect(),
    };
    let hidden = if shown.is_some() {
        entry.live_count().saturating_sub(1)
    } else {
        0
    };
    let user = shown
        .as_ref()
        .and_then(|id| entry.write(id))
        .and_then(|w| w.metadata());
    let numbered = state.version().get() > 0;
    StateVersion {
        key: key.clone(),
        version: (numbered && value.is_some()).then_some(state.version()),
        revision: numbered.then_some(state.revision()),
        timestamp: entry.writes().map(|(_, w)| w.stamp).max(),
        agent: shown.map(|id| id.writer.agent().clone()),
        metadata: StateMetadata {
            rule: rule.map(Resolver::rule),
            siblings: u32::try_from(hidden).unwrap_or(u32::MAX),
            merged_from: agents.into_iter().collect(),
            provisional,
            age_ms,
            user: user.map(UserMetadata::from),
        },
        value,
    }
}

/// Whether `key` matches `pattern`, in which `*` stands for any run of characters and `?` for one.
/// O(key · stars) at worst, no recursion.
pub fn matches(pattern: &str, key: &str) -> bool {
    let (pattern, key): (Vec<char>, Vec<char>) = (pattern.chars().collect(), key.chars().collect());
    let (mut p, mut k) = (0, 0);
    // Where to resume if the last star has to take one more character.
    let mut retry = None;
    while k < key.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, k));
                p += 1;
            }
            Some(&c) if c == '?' || c == key[k] => {
                p += 1;
                k += 1;
            }
            _ => match retry {
                Some((star, taken)) => {
                    p = star + 1;
                    k = taken + 1;
                    retry = Some((star, k));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        let cases = [
            ("*", "", true),
            ("*", "any", true),
            ("task_*", "task_7", true),
            ("task_*", "tusk_7", false),
            ("?at", "cat", true),
            ("?at", "at", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "", true),
            ("", "a", false),
            ("ä?", "äö", true),
        ];
        for (pattern, key, expected) in cases {
            assert_eq!(matches(pattern, key), expected, "{pattern} against {key}");
        }
    }
}
