//! What became of every write that was acknowledged, as its writer sees it from outside.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::support::{Agent, Hub, json_of};

/// What is written, by number modulo 4: a key of its own, and three that everybody writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Own,
    Counter,
    Set,
    Register,
}

impl Kind {
    pub(super) fn of(number: u64) -> Self {
        match number % 4 {
            0 => Self::Own,
            1 => Self::Counter,
            2 => Self::Set,
            _ => Self::Register,
        }
    }
}

/// One write.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// Its id, once it was acknowledged.
    pub(super) write: Option<String>,
    /// What the register showed its writer right before, once that was answered.
    pub(super) shown: Option<Json>,
}

/// All writes of one agent, in all its runs.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) attempts: BTreeMap<u64, Attempt>,
}

impl Account {
    pub(super) fn acknowledged(&self) -> usize {
        self.attempts.values().filter(|a| a.write.is_some()).count()
    }

    /// The numbers of this kind that must be there, and those that may.
    fn of(&self, kind: Kind) -> (BTreeSet<u64>, BTreeSet<u64>) {
        let own = self.attempts.iter().filter(|(n, _)| Kind::of(**n) == kind);
        let (acked, open): (Vec<_>, Vec<_>) = own.partition(|(_, a)| a.write.is_some());
        [acked, open]
            .map(|all| all.into_iter().map(|(n, _)| *n).collect())
            .into()
    }

    /// Whether a later write of the same agent has replaced it: one whose writer was shown it right before,
    /// or was killed before it heard what it was shown.
    fn is_replaced(&self, number: u64, value: &Json) -> bool {
        let later = self.attempts.range(number + 1..);
        let mut later = later.filter(|(n, _)| Kind::of(**n) == Kind::Register);
        later.any(|(_, a)| a.shown.as_ref().is_none_or(|shown| shown == value))
    }
}

pub(super) fn text(name: &str, number: u64) -> String {
    format!("{name}/{number}")
}

/// An agent that goes on, and what was written through it.
pub(super) struct Ended {
    pub(super) name: String,
    pub(super) agent: Agent,
    pub(super) account: Account,
}

/// Panics with the first write that is not accounted for. As all replicas hold the same, any one is asked.
/// Says how many receipts there are.
pub(super) fn check(hub: &Hub, all: &mut [Ended]) -> usize {
    own_keys_and_sum(all);
    set(all);
    register(hub, all)
}

fn own_keys_and_sum(all: &mut [Ended]) {
    let (mut least, mut most) = (0, 0);
    for at in 0..all.len() {
        let (acked, _) = all[at].account.of(Kind::Own);
        for number in acked {
            let value = text(&all[at].name, number);
            let read = all[0].agent.value(&format!("own/{value}"));
            assert_eq!(read, json!(value));
        }
        let (acked, open) = all[at].account.of(Kind::Counter);
        least += acked.len();
        most += acked.len() + open.len();
    }
    let sum = all[0].agent.value("counter").as_u64().unwrap_or_default();
    let sum = usize::try_from(sum).expect("a small one");
    assert!((least..=most).contains(&sum), "{least} <= {sum} <= {most}");
}

fn set(all: &mut [Ended]) {
    let read = all[0].agent.value("set");
    let there: BTreeSet<String> = serde_json::from_value(read).unwrap_or_default();
    let mut possible = 0;
    for Ended { name, account, .. } in all {
        let (acked, open) = account.of(Kind::Set);
        possible += acked.len() + open.len();
        for number in acked {
            let element = text(name, number);
            assert!(there.contains(&element), "{element} is missing");
        }
    }
    assert!(there.len() <= possible, "what nobody wrote is there");
}

/// A write to what everybody writes to came back, or the hub has committed it and it has not lost since, or
/// its own writer replaced it before the hub saw it.
fn register(hub: &Hub, all: &mut [Ended]) -> usize {
    let (committed, lost) = commits(hub);
    let mut receipts = 0;
    for Ended {
        name,
        agent,
        account,
    } in all
    {
        let told = agent.ok(json!({"op": "receipts"}));
        let returned = ids(&told["receipts"]);
        receipts += returned.len();
        for (number, attempt) in &account.attempts {
            let Some(write) = &attempt.write else {
                continue;
            };
            if Kind::of(*number) != Kind::Register {
                continue;
            }
            let value = json!(text(name, *number));
            let stayed = committed.contains(write) && !lost.contains(write);
            let accounted =
                returned.contains(write) || stayed || account.is_replaced(*number, &value);
            assert!(
                accounted,
                "{value}, {write}, has disappeared: committed {}, lost {}, {} came back",
                committed.contains(write),
                lost.contains(write),
                returned.len()
            );
        }
    }
    receipts
}

/// Of all that was ever written to the register, what the hub has committed, and what has lost there.
fn commits(hub: &Hub) -> (BTreeSet<String>, BTreeSet<String>) {
    let told = json_of(&hub.client(&["history", "register", "--json", "--limit", "4096"]));
    let commits = told["commits"].as_array().cloned().unwrap_or_default();
    assert_eq!(told["dropped"], Json::Null, "more commits than are kept");
    let all = |part: &str| {
        commits
            .iter()
            .flat_map(|commit| ids(&commit[part]))
            .collect()
    };
    (all("writes"), all("lost"))
}

fn ids(list: &Json) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    let ids = list.filter_map(|item| item["write"].as_str());
    ids.map(str::to_owned).collect()
}
