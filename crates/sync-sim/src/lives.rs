//! How long values live at the hub: none ends too early, and each in the end.

use std::collections::BTreeMap;

use sync_core::{Entry, Key, Policies, Receipt, Revision, Ttl, Version, WriteId};
use sync_protocol::{Hub, KeyState};

use crate::tables;
use crate::world::World;

/// Since when a key of the hub is live, by the hub's clock. Of a key that has changed twice in a step
/// it is not known whether it was gone in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    born_ms: u64,
    changed_ms: u64,
    pub(crate) version: Version,
}

impl Life {
    /// When a lifetime ends, at the earliest if another table has held since the key was written.
    fn end(self, ttl: Ttl) -> Option<u64> {
        let since = if ttl.refresh {
            self.changed_ms
        } else {
            self.born_ms
        };
        Some(since + u64::try_from(ttl.after.as_millis()).ok()?)
    }
}

/// What is live under a lifetime before time passes.
#[derive(Debug)]
pub(crate) struct Mortal {
    revision: Revision,
    live: BTreeMap<Key, Entry>,
}

impl World {
    pub(crate) fn mortal(&self) -> Option<Mortal> {
        let hub = self.hub.machine.as_ref()?;
        let keys = hub.keyspace().iter_after(None);
        let live = keys.filter(|(key, state)| {
            tables::ttl(hub.policies(), key).is_some() && state.entry().is_live()
        });
        let live = live.map(|(key, state)| (key.clone(), state.entry().clone()));
        Some(Mortal {
            revision: hub.revision(),
            live: live.collect(),
        })
    }

    /// Notes what the passing of time has ended.
    pub(crate) fn note_expired(&mut self, before: Mortal) {
        let Some(hub) = &self.hub.machine else { return };
        let told: Vec<WriteId> = hub.receipts().map(|r: &Receipt| r.write.clone()).collect();
        // A round may have ended in the same moment and brought what ends at once.
        let others = hub.revision().get() > before.revision.get() + 1;
        let mut ended = Vec::new();
        for (key, held) in before.live {
            let state = hub.keyspace().get(&key);
            let Some(entry) = state.map(KeyState::entry).filter(|e| !e.is_live()) else {
                continue;
            };
            // The end of a lifetime is no operation of anybody's; a delete is.
            let alone = entry.context() == held.context();
            // What is being cleared goes on being cleared with time.
            let mut ids = held.writes().map(|(id, _)| id);
            let alone = alone && !ids.all(|id| self.ghost.cleared.contains_key(id));
            if !alone && !others && entry.context() != held.context() {
                continue;
            }
            let mut ids: Vec<WriteId> = held.writes().map(|(id, _)| id.clone()).collect();
            if others {
                let ops = self.ghost.ops.iter().filter(|(_, op)| op.key == key);
                let known = ops.filter(|(id, _)| entry.context().contains(id));
                ids.extend(known.map(|(id, _)| id.clone()));
            }
            ids.retain(|id| !told.contains(id));
            ended.push((key, ids, alone));
        }
        for (key, ids, alone) in ended {
            if alone {
                self.stats.hit("expired");
                self.check_age(&key);
            }
            for id in ids {
                self.ghost.cleared.entry(id.clone()).or_default();
                if alone {
                    self.hub.ending.push(id);
                }
            }
            self.hub.expired.insert(key, alone);
        }
    }

    /// What has ended durably has ended for good.
    pub(crate) fn settle_expired(&mut self) {
        let settled = self.hub.machine.as_ref().is_some_and(Hub::is_settled);
        if settled {
            let ended = std::mem::take(&mut self.hub.ending);
            self.ghost
                .cleared
                .extend(ended.into_iter().map(|id| (id, true)));
        }
    }

    /// A key has changed at the hub.
    pub(crate) fn note_life(&mut self, key: &Key) {
        let hub = self.hub.machine.as_ref();
        let Some(state) = hub.and_then(|hub| hub.keyspace().get(key)) else {
            return;
        };
        if !state.entry().is_live() {
            self.hub.lives.remove(key);
            return;
        }
        let (changed_ms, version) = (self.hub_now().wall_ms, state.version());
        let fresh = Life {
            born_ms: changed_ms,
            changed_ms,
            version,
        };
        let held = self.hub.lives.entry(key.clone()).or_insert(Some(fresh));
        *held = held
            .filter(|life| version <= life.version.next())
            .map(|life| Life {
                changed_ms,
                version,
                ..life
            });
    }

    /// Whether a key may have reached its end, by the table that is in force.
    fn check_age(&mut self, key: &Key) {
        if self.hub_clock_hops() {
            return;
        }
        let life = self.hub.lives.get(key).copied().flatten();
        let (Some(life), Some(hub)) = (life, &self.hub.machine) else {
            return;
        };
        let ttl = tables::ttl(hub.policies(), key);
        let (due, now) = (ttl.and_then(|ttl| life.end(ttl)), self.hub_now().wall_ms);
        self.require(due.is_some_and(|due| due <= now), || {
            format!("{key} ended at {now}, is due at {due:?}: {life:?}")
        });
    }

    /// Whether a key is live as the last step has left it.
    fn is_unchanged(&self, key: &Key) -> bool {
        let hub = self.hub.machine.as_ref();
        let state = hub.and_then(|hub| hub.keyspace().get(key));
        state.is_some_and(|s| s.entry().is_live() && s.revision() <= self.hub.log_head)
    }

    /// Nothing is left whose end is over. Under another table that is known if both count from the same.
    pub(crate) fn check_ends(&mut self) {
        if self.hub_clock_hops() {
            return;
        }
        let Some(hub) = &self.hub.machine else { return };
        let refresh = |table: &Policies, key: &Key| Some(tables::ttl(table, key)?.refresh);
        let first = &self.plan.tables[0];
        let now = self.hub_now().wall_ms;
        let mut lives = self
            .hub
            .lives
            .iter()
            .filter_map(|(key, life)| Some((key, (*life)?)));
        let over = lives.find(|(key, life)| {
            let ttl = tables::ttl(hub.policies(), key);
            let known = ttl.filter(|ttl| refresh(first, key) == Some(ttl.refresh));
            let end = known.and_then(|ttl| life.end(ttl));
            end.is_some_and(|end| end <= now) && self.is_unchanged(key)
        });
        let text = over.map(|(key, life)| format!("{key} lives on at {now}: {life:?}"));
        self.require(text.is_none(), || text.unwrap_or_default());
    }
}
