//! What holds for one key, and why.

use serde_json::{Value as Json, json};
use swarm_sync::{Durability, Key, MergeRule, OnConcurrent, Policies, Policy, Priority, span};

use super::{history, list, object};
use crate::output::brief_text;

/// What holds for one key, and why.
#[derive(Debug)]
pub(crate) struct Explanation<'a> {
    key: &'a Key,
    /// The one that counts first.
    matching: Vec<&'a Policy>,
    why: String,
    /// The rule of the value that the key holds, as far as that was asked.
    held_under: Option<MergeRule>,
}

impl<'a> Explanation<'a> {
    pub(crate) fn of(key: &'a Key, policies: &'a Policies, held_under: Option<MergeRule>) -> Self {
        let matching: Vec<&Policy> = policies.matching(key).collect();
        let why = why(&matching);
        Self {
            key,
            matching,
            why,
            held_under,
        }
    }

    /// Under which rule the key is held. A value that the policy's rule does not hold goes on under its
    /// own, also when it is replaced, until the key is free of it.
    fn held(&self) -> Option<String> {
        let held = self.held_under?;
        let wanted = self.matching.first().and_then(|policy| policy.rule);
        Some(if wanted.is_none_or(|rule| rule == held) {
            held.to_string()
        } else {
            format!("{held}, until the key is deleted; then the rule below begins")
        })
    }

    pub(crate) fn to_json(&self) -> Json {
        let counts = self.matching.first();
        json!({
            "key": self.key,
            "matching": list(self.matching.iter().copied()),
            "counts": counts.map(|policy| &policy.pattern),
            "why": self.why,
            "held_under": self.held_under,
            "holds": counts.map(|policy| {
                let mut holds = object(policy);
                // Also what follows from the rule.
                holds["on_concurrent"] = json!(policy.rule.map(|_| policy.on_concurrent()));
                holds
            }),
        })
    }

    pub(crate) fn to_text(&self) -> String {
        let mut lines = Vec::new();
        for policy in &self.matching {
            lines.push(format!(
                "matches        {}",
                brief_text(policy.pattern.as_str())
            ));
        }
        if let Some(policy) = self.matching.first() {
            lines.push(format!(
                "counts         {}",
                brief_text(policy.pattern.as_str())
            ));
        }
        lines.push(format!("because        {}", self.why));
        let policy = self.matching.first();
        let or = |said: Option<String>, else_: &str| said.unwrap_or_else(|| else_.to_owned());
        let rule = policy.and_then(|p| p.rule).map(|rule| rule.to_string());
        let concurrent = policy.filter(|p| p.rule.is_some()).map(|p| concurrent(p));
        let durability = policy.and_then(|p| p.durability).map(survives);
        let ttl = policy.and_then(|p| p.ttl);
        let ttl = ttl.map(|ttl| {
            let from = if ttl.refresh { "last" } else { "first" };
            format!("{} from the {from} write", span::text(ttl.after))
        });
        let bytes = policy.and_then(|p| p.max_value_bytes);
        let bytes = bytes.map(|bytes| format!("{bytes} bytes"));
        let history = policy.and_then(|p| history(p.history));
        lines.extend(self.held().map(|rule| format!("held under     {rule}")));
        let priority = policy.map_or_else(Priority::default, |policy| policy.priority);
        lines.extend([
            format!(
                "rule           {}",
                or(rule, "that of the key's first operation")
            ),
            format!("if concurrent  {}", or(concurrent, "as that rule has it")),
            format!(
                "durability     {}",
                or(durability, "what the agent's store gives: disk, or memory")
            ),
            format!("lifetime       {}", or(ttl, "for ever")),
            format!("priority       {priority}: {}", decides(priority)),
            format!("largest value  {}", or(bytes, "the hub's limit")),
            format!(
                "history        {}",
                or(history, "the hub's bounds: 16 commits")
            ),
            format!("receipts       {}", receipts(policy)),
        ]);
        lines.join("\n")
    }
}

/// Why the first one counts.
fn why(matching: &[&Policy]) -> String {
    let (first, second) = match matching {
        [] => return "no pattern matches, so that everything is as without policies".to_owned(),
        [_] => return "no other pattern matches".to_owned(),
        [first, second, ..] => (&first.pattern, &second.pattern),
    };
    let (a, b) = (first.specificity(), second.specificity());
    let other = brief_text(second.as_str());
    if a.0 != b.0 {
        format!(
            "it spells out more characters than {other}: {} against {}",
            a.0, b.0
        )
    } else if a.1 != b.1 {
        format!("it spells out as many characters as {other} and has fewer stars")
    } else {
        format!("it spells out as many characters as {other} and asks for more others")
    }
}

/// What becomes of concurrent values.
fn concurrent(policy: &Policy) -> String {
    match (policy.rule, policy.on_concurrent()) {
        (Some(MergeRule::Counter), _) => "all additions count".to_owned(),
        (Some(MergeRule::Set), _) => "an addition wins over a removal".to_owned(),
        (Some(MergeRule::Map), _) => "of each field the newest write wins".to_owned(),
        (_, OnConcurrent::Keep) => {
            "keep: all are shown until somebody who saw them writes".to_owned()
        }
        (_, OnConcurrent::Custom) => {
            let function = policy.merge.as_deref().map_or_else(String::new, brief_text);
            format!("custom: the hub has {function:?} make one of them")
        }
        _ => "lww: the newest write wins, the others come back to their writers".to_owned(),
    }
}

/// How many receipts may wait for one agent.
fn receipts(policy: Option<&&Policy>) -> String {
    let said = policy.and_then(|p| p.receipts);
    let limit = said.unwrap_or(swarm_sync::RECEIPTS_WAITING_MAX);
    format!("{limit} may wait for one agent, then the oldest become a number")
}

/// What a priority decides.
fn decides(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical => "synchronized first; nothing else is given up later",
        Priority::High => "synchronized before the usual, and given up after it",
        Priority::Medium => "the usual",
        Priority::Low => "synchronized after the usual; gives way to it where room runs out",
        Priority::Background => "synchronized last; gives way first where room runs out",
    }
}

fn survives(durability: Durability) -> String {
    let survives = match durability {
        Durability::Memory => "a write is acknowledged at once",
        Durability::Disk => "a write is acknowledged once it is on the agent's disk",
        _ => "a write is acknowledged once the hub has committed it",
    };
    format!("{durability}: {survives}")
}
