//! Concurrent values that a function of the user's makes one of. The function runs outside; until it has
//! answered, and if it fails, all of them stay and are shown.

use std::collections::BTreeMap;

use sync_core::{Context, Entry, Key, Now, Payload, Reason, Sibling, Value, Write, WriteId};

use super::commit::{Commit, Source, receipt};
use super::{HUB_NAME, Hub, HubOutput};
use crate::keyspace::KeyState;
use crate::{compose, rows, view};

/// A merge that was asked for.
#[derive(Debug)]
struct Merging {
    ticket: u64,
    /// The function that was called.
    function: String,
    /// What it is to be made of.
    writes: Vec<WriteId>,
    /// Why the function made nothing of them. It is asked again once there are others, or another
    /// function is.
    failed: Option<String>,
}

/// The merges under way, by key.
#[derive(Debug, Default)]
pub(super) struct Merges {
    by_key: BTreeMap<Key, Merging>,
    tickets: BTreeMap<u64, Key>,
    last_ticket: u64,
}

impl Merges {
    /// Why the siblings of a key could not be merged.
    pub(super) fn failure(&self, key: &Key) -> Option<&str> {
        self.by_key.get(key)?.failed.as_deref()
    }

    fn forget(&mut self, key: &Key) {
        if let Some(merging) = self.by_key.remove(key) {
            self.tickets.remove(&merging.ticket);
        }
    }

    fn start(&mut self, key: &Key, function: String, writes: Vec<WriteId>) -> u64 {
        self.forget(key);
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.tickets.insert(ticket, key.clone());
        let merging = Merging {
            ticket,
            function,
            writes,
            failed: None,
        };
        self.by_key.insert(key.clone(), merging);
        ticket
    }
}

impl Hub {
    /// Asks for the merges that `keys` need and that were not asked for yet.
    pub(super) fn request_merges<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>) {
        for key in keys {
            let Some((writes, siblings)) = self.unmerged(key) else {
                self.merges.forget(key);
                continue;
            };
            let policy = self.policies().of(key);
            let Some(function) = policy.and_then(|p| p.merge.clone()) else {
                continue;
            };
            let asked = self.merges.by_key.get(key);
            if asked.is_some_and(|m| m.writes == writes && m.function == function) {
                continue;
            }
            let ticket = self.merges.start(key, function.clone(), writes);
            self.gate.push(HubOutput::Merge {
                ticket,
                key: key.clone(),
                function,
                siblings,
            });
        }
    }

    /// What a function has made of the siblings it was given, or why nothing. One that comes late, when
    /// there are others, changes nothing: the function was asked again.
    pub fn handle_merged(&mut self, now: Now, ticket: u64, result: Result<Value, String>) {
        let Some(key) = self.merges.tickets.remove(&ticket) else {
            return;
        };
        let limit = compose::value_bytes_max(&key, &self.config.limits, self.policies());
        let checked = result.and_then(|value| {
            let fits = compose::check_value(&value, limit);
            fits.map(|()| value).map_err(|e| e.to_string())
        });
        let failed = match checked {
            Ok(value) => return self.commit_merged(now, &key, &value),
            Err(reason) => reason,
        };
        if let Some(merging) = self.merges.by_key.get_mut(&key) {
            merging.failed = Some(failed);
        }
    }

    fn commit_merged(&mut self, now: Now, key: &Key, value: &Value) {
        let Some(merging) = self.merges.by_key.remove(key) else {
            return;
        };
        let Some(entry) = self.space.get(key).map(KeyState::entry) else {
            return;
        };
        let writer = self.writer.clone();
        let seq = self.known.get(&writer).copied().unwrap_or_default().next();
        let id = WriteId::new(writer.clone(), seq);
        let mut over = Context::new();
        let mut floor = None;
        let mut merged = Vec::new();
        for old in &merging.writes {
            // All are live still: else another merge would have been asked for.
            let Some(write) = entry.write(old) else {
                return;
            };
            over.union(&write.closure(old));
            floor = floor.max(Some(write.stamp));
            let reason = Reason::Merged {
                by: merging.function.clone(),
                into: id.clone(),
            };
            // The hub's own is a merge of earlier ones.
            if old.writer.agent().as_str() != HUB_NAME {
                merged.push(receipt(old.clone(), key, write, reason));
            }
        }
        let write = Write {
            stamp: self.clock.tick(now, floor),
            payload: Payload::put(value),
            prev: entry.context().last_of(&writer).unwrap_or_default(),
            over,
            note: None,
        };
        let mut commit = Commit::default();
        commit.with_row(rows::put_known(&writer, seq));
        self.known.insert(writer, seq);
        for receipt in merged {
            commit.with_receipt(receipt);
        }
        self.admit(
            &mut commit,
            now,
            key,
            Entry::of_write(id, write),
            Source::Here,
        );
        self.finish(commit, now);
    }

    /// The live writes of a key that wait for a merge.
    fn unmerged(&self, key: &Key) -> Option<(Vec<WriteId>, Vec<Sibling>)> {
        let entry = self.space.get(key)?.entry();
        let rule = self.resolvers.of_entry(key, entry, |_| true)?;
        let writes = rule.unmerged(entry);
        let siblings = view::values_of(&writes, entry);
        (!writes.is_empty()).then_some((writes, siblings))
    }
}
