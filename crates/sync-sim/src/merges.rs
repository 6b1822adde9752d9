//! The user's functions, which take their time and may fail.

use std::collections::BTreeSet;

use sync_core::{Key, PayloadKind, Sibling, Value, WriteId};

use crate::world::{Event, World};
use crate::writes::new_at_hub;

/// Longest time a function takes, in microseconds: most times, and when it is slow.
const FUNCTION_US_MAX: u64 = 30_000;
const SLOW_US_MAX: u64 = 1_000_000;

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The hub's run that calls.
    pub(crate) run: u64,
    pub(crate) ticket: u64,
    pub(crate) key: Key,
    pub(crate) function: String,
    pub(crate) siblings: Vec<Sibling>,
}

impl Call {
    fn given(&self) -> BTreeSet<WriteId> {
        self.siblings.iter().map(|s| s.write.clone()).collect()
    }

    /// What the function of that name makes of the values.
    fn result(&self) -> Option<Value> {
        let values = self.siblings.iter().map(|s| s.value.clone());
        match self.function.as_str() {
            "min" => values.min_by_key(Value::encode),
            _ => values.max_by_key(Value::encode),
        }
    }
}

impl World {
    pub(crate) fn call(&mut self, call: Call) {
        let several = call.given().len() > 1;
        self.require(several, || format!("nothing to merge: {call:?}"));
        let at_work = |other: &&Call| other.run == call.run;
        let at_work: Vec<&Call> = self.calls.iter().filter(at_work).collect();
        let room = at_work.len() < self.plan.hub().limits.merges_max;
        // Another function of the key's may be at work that the table does not name any more.
        let same = |other: &&Call| other.key == call.key && other.function == call.function;
        let twice = at_work.iter().any(same);
        self.require(room && !twice, || format!("{call:?} is one too many"));
        let slow = self.random.chance(100);
        let most = if slow { SLOW_US_MAX } else { FUNCTION_US_MAX };
        let after = self.random.between(20, most);
        self.calls.push(call.clone());
        self.schedule(after, Event::Called(call));
    }

    /// The function answers: with one of the values, or not at all.
    pub(crate) fn called(&mut self, call: &Call) {
        self.calls.retain(|other| other != call);
        let fails = self.faulty && self.random.chance(200);
        let now = self.hub_now();
        let before = self.at_hub(&call.key);
        let live = self.values_at_hub(&call.key);
        let Some(hub) = self
            .hub
            .machine
            .as_mut()
            .filter(|_| self.hub.run == call.run)
        else {
            return;
        };
        let value = call.result().filter(|_| !fails);
        let result = value.clone().ok_or_else(|| "no".to_owned());
        hub.handle_merged(now, call.ticket, result);
        let made = new_at_hub(&self.at_hub(&call.key), &before);
        let (given, key) = (call.given(), &call.key);
        let named = self.function(key).is_some_and(|name| name == call.function);
        let is_due = !fails && named && given.is_subset(&live);
        self.require(is_due || made.is_none(), || {
            format!("{key} holds {live:?}, of {given:?} was made {made:?}")
        });
        match (made, value) {
            (Some(id), Some(value)) => {
                self.stats.hit("merge");
                if given != live {
                    self.stats.hit("merge of some");
                }
                self.trace
                    .say(|| format!("{id}: {value} made of {given:?}"));
                self.ghost
                    .note_merged(&id, key, &value, given, &call.function);
            }
            (_, None) => self.stats.hit("merge failed"),
            _ => self.stats.hit("merge out of date"),
        }
        self.drain_hub();
    }

    /// Whether values wait for a function: it is at work, or has failed and is asked again.
    pub(crate) fn awaits_merges(&self) -> bool {
        let rules = self.rules();
        let waits = |key: &&Key| {
            let entry = self.at_hub(key);
            let rule = rules.of_entry(key, &entry, |_| true);
            rule.is_some_and(|rule| !rule.unmerged(&entry).is_empty())
        };
        !self.calls.is_empty() || self.plan.keys.iter().any(|key| waits(&key))
    }

    /// The function that the hub's table names.
    fn function(&self, key: &Key) -> Option<String> {
        let rules = self.rules();
        rules.policies().of(key)?.merge.clone()
    }

    fn values_at_hub(&self, key: &Key) -> BTreeSet<WriteId> {
        let entry = self.at_hub(key);
        let values = entry.writes();
        let values = values.filter(|(_, write)| write.payload.kind() == PayloadKind::Put);
        values.map(|(id, _)| id.clone()).collect()
    }
}
