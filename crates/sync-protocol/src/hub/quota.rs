//! How much a swarm's synchronized state may hold. Only growth is refused: what takes away or makes
//! nothing larger enters a swarm that is full, and what replicas held already always does.

use sync_core::{Entry, Key, Payload, Quota, Reason, RequestError, Write};

use super::Hub;
use super::admit::Source;
use crate::keyspace::KeyState;

/// What a change would do to the sums.
#[derive(Debug, Default)]
struct Change {
    keys_added: u64,
    keys_gone: u64,
    /// With what it takes to hold them.
    bytes_added: u64,
    bytes_gone: u64,
    /// Of the values alone: to write over something costs a note of it, which a full swarm still has room for.
    values_added: u64,
    values_gone: u64,
}

impl Change {
    fn goes(&mut self, write: &Write) {
        self.bytes_gone += write.weight() as u64;
        self.values_gone += write.value_bytes() as u64;
    }
}

impl Hub {
    /// Why a fresh write has no room, if so. A write that has not seen what it competes with counts in
    /// full, as nobody has decided yet which of them stays.
    pub(super) fn over_quota(
        &self,
        key: &Key,
        write: &Write,
        delta: &Entry,
        source: Source,
    ) -> Option<Reason> {
        if source != Source::Writer {
            return None;
        }
        let (quota, limit) = self.quota_of_write(key, write, delta)?;
        Some(Reason::QuotaExceeded { quota, limit })
    }

    /// The same of a write that is made here.
    pub(super) fn check_quota_of(&self, key: &Key, delta: &Entry) -> Result<(), RequestError> {
        let mut writes = delta.writes();
        let over = writes.find_map(|(_, write)| self.quota_of_write(key, write, delta));
        over.map_or(Ok(()), exceeded)
    }

    /// The same of what puts values in the place of all that some keys hold, or deletes them.
    pub(super) fn check_quota<'a>(
        &self,
        assigned: impl Iterator<Item = (&'a Key, Option<&'a Payload>)> + Clone,
    ) -> Result<(), RequestError> {
        let mut change = Change::default();
        for (key, payload) in assigned.clone() {
            let is_live = self.is_live(key);
            change.keys_added += u64::from(!is_live && payload.is_some());
            change.keys_gone += u64::from(is_live && payload.is_none());
            let bytes = payload.map_or(0, |payload| payload.as_bytes().len() as u64);
            change.bytes_added += bytes;
            change.values_added += bytes;
        }
        if self.quota_of(&change).is_none() {
            return Ok(());
        }
        let held = assigned.filter_map(|(key, _)| self.space.get(key));
        for (_, write) in held.flat_map(|state| state.entry().writes()) {
            change.goes(write);
        }
        self.quota_of(&change).map_or(Ok(()), exceeded)
    }

    fn quota_of_write(&self, key: &Key, write: &Write, delta: &Entry) -> Option<(Quota, u64)> {
        if write.payload.kind().is_absence() {
            return None;
        }
        let mut change = Change {
            keys_added: u64::from(!self.is_live(key)),
            bytes_added: write.weight() as u64,
            values_added: write.value_bytes() as u64,
            ..Change::default()
        };
        // What it replaces is looked for only where it matters, as a key may hold many writes.
        self.quota_of(&change)?;
        let held = self.space.get(key).map(KeyState::entry);
        let held = held.into_iter().flat_map(Entry::writes);
        for (_, write) in held.filter(|(id, _)| delta.context().contains(id)) {
            change.goes(write);
        }
        self.quota_of(&change)
    }

    /// The bound that a change would go over.
    fn quota_of(&self, change: &Change) -> Option<(Quota, u64)> {
        let limits = &self.config.limits;
        let keys = (self.space.live_keys() + change.keys_added).saturating_sub(change.keys_gone);
        if change.keys_added > change.keys_gone && keys > limits.keys_max {
            return Some((Quota::Keys, limits.keys_max));
        }
        let bytes = (self.space.weight() + change.bytes_added).saturating_sub(change.bytes_gone);
        let grows = change.values_added > change.values_gone;
        (grows && bytes > limits.state_bytes_max).then_some((Quota::Bytes, limits.state_bytes_max))
    }
}

fn exceeded((quota, limit): (Quota, u64)) -> Result<(), RequestError> {
    Err(RequestError::QuotaExceeded { quota, limit })
}
