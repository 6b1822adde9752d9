//! How long values live at the hub: none ends too early, and each in the end.

use std::collections::BTreeMap;

use sync_core::{Entry, Key, Receipt, Revision, WriteId};
use sync_protocol::{Hub, KeyState};

use crate::tables;
use crate::world::World;

/// Since when a key of the hub is live, by the hub's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    born_ms: u64,
    changed_ms: u64,
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
            if !alone && !others {
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
    pub(crate) fn note_life(&mut self, key: &Key, is_live: bool) {
        let now_ms = self.hub_now().wall_ms;
        let fresh = Life {
            born_ms: now_ms,
            changed_ms: now_ms,
        };
        if is_live {
            let life = self.hub.lives.entry(key.clone()).or_insert(Some(fresh));
            if let Some(life) = life {
                life.changed_ms = now_ms;
            }
        } else {
            self.hub.lives.remove(key);
        }
    }

    /// Whether a key may have reached its end.
    fn check_age(&mut self, key: &Key) {
        let Some(life) = self.hub.lives.get(key).copied().flatten() else {
            return;
        };
        let ends = self.plan.tables[..=self.table].iter().filter_map(|table| {
            let ttl = tables::ttl(table, key)?;
            // An end that an earlier table has set may stay.
            let refreshed = ttl.refresh && self.table == 0;
            let since = if refreshed {
                life.changed_ms
            } else {
                life.born_ms
            };
            Some(since + u64::try_from(ttl.after.as_millis()).expect("short lives"))
        });
        let (due, now) = (ends.min(), self.hub_now().wall_ms);
        self.require(due.is_some_and(|due| due <= now), || {
            format!("{key} ended at {now}, is due at {due:?}: {life:?}")
        });
    }
}
