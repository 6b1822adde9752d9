//! Concurrent values that a function of the user's makes one of. The function runs outside; until it has
//! answered, and if it fails, all of them stay and are shown.

mod calls;

use sync_core::{
    Context, Entry, Key, Now, Payload, Reason, Value, Write, WriteId,
    planted::{self, Planted},
};

pub(super) use self::calls::Merges;

use self::calls::Call;
use super::commit::{Commit, receipt};
use super::{HUB_NAME, Hub, HubOutput};
use crate::keyspace::KeyState;
use crate::{compose, view};

impl Hub {
    /// Puts those of `keys` in line that need a merge, and starts what there is a place for.
    pub(super) fn request_merges<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) {
        for key in keys {
            let Some(function) = self.merge_of(key) else {
                self.merges.settle(key);
                continue;
            };
            if self.merges.is_under_way(key, &function) {
                continue;
            }
            let writes = self.unmerged(key);
            if writes.is_empty() {
                self.merges.settle(key);
            } else {
                self.merges.want(key, &function, &writes);
            }
        }
        self.start_merges();
    }

    /// Asks functions again that have failed some time ago.
    pub(super) fn retry_merges(&mut self, now: Now) {
        self.merges.wake(now.mono);
        self.start_merges();
    }

    /// Calls functions as long as there are places. What they are given is read only now: a key in line
    /// holds nothing.
    fn start_merges(&mut self) {
        let mut places = self.config.limits.merges_max.max(1);
        if planted::is(Planted::MergesWithoutBound) {
            places = usize::MAX;
        }
        while let Some(key) = self.merges.first(places) {
            let writes = self.unmerged(&key);
            let entry = self.space.get(&key).map(KeyState::entry);
            let Some(entry) = entry.filter(|_| !writes.is_empty()) else {
                self.merges.settle(&key);
                continue;
            };
            let siblings = view::values_of(&writes, entry);
            let lengths = writes.iter().filter_map(|id| entry.write(id));
            let bytes = lengths.map(|w| w.payload.as_bytes().len()).sum();
            if let Some((ticket, function)) = self.merges.call(&key, writes) {
                let output = HubOutput::Merge {
                    ticket,
                    key,
                    function,
                    siblings,
                };
                self.gate.push_weighing(bytes, output);
            }
        }
    }

    /// What a function has made of the siblings it was given, or why nothing. It counts as long as all of
    /// them are live, whatever has come since: then they are merged, and it is asked again for the rest.
    pub fn handle_merged(&mut self, now: Now, ticket: u64, result: Result<Value, String>) {
        let Some((call, contest)) = self.merges.answered(ticket) else {
            return self.start_merges();
        };
        let key = call.key.clone();
        let limit = self.merged_bytes_max(&call);
        let checked = result.and_then(|value| {
            let payload = compose::put_within(&value, limit).map_err(|e| e.to_string())?;
            Ok((value, payload))
        });
        match checked {
            Ok(merged) if self.is_due(&call) => return self.commit_merged(now, &call, merged),
            Ok(_) => {}
            Err(reason) => {
                let pause = self.config.merge_retry;
                self.merges.fail((call, contest), reason, now.mono, pause);
            }
        }
        self.request_merges([&key]);
    }

    /// The largest value that a function may make: what a write of the key may have, or what is there
    /// already. A bound that was lowered since would keep the values apart for ever, which takes more room
    /// than what is made of them.
    fn merged_bytes_max(&self, call: &Call) -> u64 {
        let limit = compose::value_bytes_max(&call.key, &self.config.limits, self.policies());
        let entry = self.space.get(&call.key).map(KeyState::entry);
        let given = entry.into_iter().flat_map(|entry| {
            let writes = call.writes.iter().filter_map(|id| entry.write(id));
            writes.map(|write| write.payload.as_bytes().len() as u64)
        });
        given.fold(limit, u64::max)
    }

    /// Whether a call is still to the point: its function merges the key, and all it was given is there.
    fn is_due(&self, call: &Call) -> bool {
        let named = self.merge_of(&call.key).as_ref() == Some(&call.function);
        let live = self.unmerged(&call.key);
        named && call.writes.iter().all(|id| live.contains(id))
    }

    fn commit_merged(&mut self, now: Now, call: &Call, (value, payload): (Value, Payload)) {
        let key = &call.key;
        let Some(entry) = self.space.get(key).map(KeyState::entry) else {
            return;
        };
        let Some(rule) = self.resolvers.of_entry(key, entry, |_| true) else {
            return;
        };
        let rule = rule.rule();
        let writer = self.writer.clone();
        let id = self.next_id(&writer);
        let merged: Option<Vec<_>> = call
            .writes
            .iter()
            .map(|id| Some((id, entry.write(id)?)))
            .collect();
        let Some(merged) = merged else { return };
        let mut over = Context::new();
        for (old, write) in &merged {
            over.union(&write.closure(old));
        }
        let floor = merged.iter().map(|(_, write)| write.stamp).max();
        let stamp = self.clock.tick(now, floor);
        let reason = Reason::Merged {
            by: call.function.clone(),
            into: id.clone(),
            into_stamp: stamp,
            into_value: value,
            rule,
        };
        // The hub's own is a merge of earlier ones.
        let told = merged
            .iter()
            .filter(|(old, _)| old.writer.agent().as_str() != HUB_NAME)
            .filter(|_| !planted::is(Planted::MergedUntold));
        let told: Vec<_> = told
            .map(|(old, write)| receipt((*old).clone(), key, write, reason.clone()))
            .collect();
        let write = Write {
            stamp,
            payload,
            prev: entry.context().last_of(&writer).unwrap_or_default(),
            over,
            note: None,
        };
        let mut commit = Commit::own();
        commit.with_receipts(told);
        let delta = Entry::of_write(id.clone(), write);
        self.admit_own(&mut commit, now, key, &id, delta);
        self.finish(commit, now);
    }

    /// The function that merges concurrent values of a key.
    fn merge_of(&self, key: &Key) -> Option<String> {
        self.policies().of(key)?.merge.clone()
    }

    /// The live writes of a key that wait for a merge.
    fn unmerged(&self, key: &Key) -> Vec<WriteId> {
        let entry = self.space.get(key).map(KeyState::entry);
        let unmerged = entry.and_then(|entry| {
            let rule = self.resolvers.of_entry(key, entry, |_| true)?;
            Some(rule.unmerged(entry))
        });
        unmerged.unwrap_or_default()
    }
}
