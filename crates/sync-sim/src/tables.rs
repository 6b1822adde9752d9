//! Tables of policies, and what the keys of a class are.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{
    Durability, Key, MergeRule, OnConcurrent, Pattern, Policies, Policy, Priority, Ttl,
};

use crate::random::Random;

/// Shortest and longest life of a value, in milliseconds.
const TTL_MS: (u64, u64) = (100, 3_000);

/// Largest value where a policy has a bound: what is written is at times larger.
const VALUE_BYTES_MAX: u64 = 48;

/// What is done to a key, by its name; `ttl-` only says that its values end.
pub(crate) fn class(key: &Key) -> &str {
    let name = key.as_str();
    let name = name.strip_prefix("ttl-").unwrap_or(name);
    name.split('-').next().unwrap_or_default()
}

/// Whether values of the key are the hub's to decide, by compare-and-set or as claims.
pub(crate) fn is_decided(key: &Key) -> bool {
    is_claimed(key) || class(key) == "cas"
}

/// Whether the key is there to be claimed.
pub(crate) fn is_claimed(key: &Key) -> bool {
    class(key) == "claim"
}

/// Whether rules fight over the key.
pub(crate) fn fights(key: &Key) -> bool {
    class(key) == "fight"
}

/// Whether the table lets concurrent values of the key stand beside each other, at least until they are
/// merged.
pub(crate) fn keeps(table: &Policies, key: &Key) -> bool {
    let policy = table.of(key).filter(|p| p.rule.is_some());
    policy.is_some_and(|p| p.on_concurrent() != OnConcurrent::Lww)
}

/// Whether a function makes one value of concurrent ones.
pub(crate) fn merges(table: &Policies, key: &Key) -> bool {
    table.of(key).is_some_and(|p| p.merge.is_some())
}

/// How long values of the key live.
pub(crate) fn ttl(table: &Policies, key: &Key) -> Option<Ttl> {
    table.of(key)?.ttl
}

/// A table for some of the classes.
pub(crate) fn draw(random: &mut Random, fights: bool) -> Arc<Policies> {
    let mut policies = Vec::new();
    for class in ["lww", "keep", "merge", "map", "ttl"] {
        let mut policy = policy(&format!("{class}-*"));
        // Most seeds give a class what it is there for, some what another one is.
        let meant = random.chance(700);
        match (class, random.below(5)) {
            ("ttl", _) => policy.ttl = Some(lifetime(random)),
            ("map", 0..=2) => policy.rule = Some(MergeRule::Map),
            ("map", _) => {}
            ("keep", _) if meant => keep(&mut policy, random),
            ("merge", _) if meant => merge(&mut policy, random),
            (_, 0) => keep(&mut policy, random),
            (_, 1) => merge(&mut policy, random),
            (_, 2) => {
                policy.rule = Some(MergeRule::Causal);
                policy.on_concurrent = Some(OnConcurrent::Lww);
            }
            _ => {}
        }
        if random.chance(80) {
            policy.ttl = Some(lifetime(random));
        }
        if random.chance(100) {
            policy.max_value_bytes = Some(VALUE_BYTES_MAX);
        }
        if random.chance(300) {
            let levels = [Durability::Memory, Durability::Disk, Durability::Hub];
            policy.durability = Some(*random.pick(&levels));
        }
        if random.chance(400) {
            policy.priority = *random.pick(&Priority::ALL);
        }
        policy.receipts = waiting(random);
        if random.chance(850) {
            policies.push(policy);
        }
    }
    for class in ["cas", "claim"] {
        let mut policy = policy(&format!("{class}-*"));
        policy.rule = random.chance(500).then_some(MergeRule::Authority);
        policy.receipts = waiting(random);
        if random.chance(400) {
            policies.push(policy);
        }
    }
    if fights && random.chance(500) {
        let mut fight = policy("fight-0");
        fight.rule = Some(*random.pick(&[MergeRule::Counter, MergeRule::Causal, MergeRule::Map]));
        policies.push(fight);
    }
    Arc::new(Policies::new(policies).expect("a valid table"))
}

fn policy(pattern: &str) -> Policy {
    Policy::new(Pattern::new(pattern).expect("a valid pattern"))
}

fn keep(policy: &mut Policy, random: &mut Random) {
    policy.rule = Some(MergeRule::Causal);
    policy.on_concurrent = random.chance(500).then_some(OnConcurrent::Keep);
}

fn merge(policy: &mut Policy, random: &mut Random) {
    policy.rule = Some(MergeRule::Custom);
    if random.chance(300) {
        policy.rule = Some(MergeRule::Causal);
        policy.on_concurrent = Some(OnConcurrent::Custom);
    }
    policy.merge = Some((*random.pick(&["max", "min"])).to_owned());
}

/// How many receipts may wait for one agent: so few that some are dropped.
fn waiting(random: &mut Random) -> Option<u32> {
    let few = *random.pick(&[1, 1, 2, 5]);
    random.chance(300).then_some(few)
}

fn lifetime(random: &mut Random) -> Ttl {
    Ttl {
        after: Duration::from_millis(random.between(TTL_MS.0, TTL_MS.1)),
        refresh: random.chance(500),
    }
}
