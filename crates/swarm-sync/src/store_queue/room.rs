//! Room for batches that wait for the store, and how much of it each swarm has taken.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sync_core::{Batch, SwarmId};
use tokio::sync::Semaphore;

/// Bytes of batches that wait for the store or are being written. Far more than a disk takes in the time
/// of one flush.
const QUEUE_BYTES_MAX: usize = 32 << 20;

/// Of that for one swarm, before the rest of what it brings waits with its machine: a few groups.
const SWARM_BYTES_MAX: usize = 1 << 20;

/// Bytes per unit of the room.
const UNIT_BYTES: usize = 1 << 10;

/// The room there is.
#[derive(Debug)]
pub(super) struct Room {
    shared: Semaphore,
    /// In units.
    by_swarm: Mutex<BTreeMap<SwarmId, usize>>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            shared: Semaphore::new(QUEUE_BYTES_MAX / UNIT_BYTES),
            by_swarm: Mutex::default(),
        }
    }
}

impl Room {
    /// Waits until there is room for a batch, and takes it.
    pub(super) async fn take(&self, batch: &Batch) {
        let units = units(batch);
        if let Ok(room) = self.shared.acquire_many(units).await {
            room.forget();
        }
        let mut by_swarm = self.by_swarm.lock().unwrap_or_else(PoisonError::into_inner);
        *by_swarm.entry(batch.swarm.clone()).or_default() += units as usize;
    }

    /// Gives back what written batches had taken.
    pub(super) fn give_back(&self, written: BTreeMap<SwarmId, u32>) {
        let mut by_swarm = self.by_swarm.lock().unwrap_or_else(PoisonError::into_inner);
        for (swarm, units) in written {
            self.shared.add_permits(units as usize);
            if let Some(held) = by_swarm.get_mut(&swarm) {
                *held = held.saturating_sub(units as usize);
                if *held == 0 {
                    by_swarm.remove(&swarm);
                }
            }
        }
    }

    pub(super) fn is_crowded(&self, swarm: &SwarmId) -> bool {
        let by_swarm = self.by_swarm.lock().unwrap_or_else(PoisonError::into_inner);
        let held = by_swarm.get(swarm).copied().unwrap_or_default();
        held * UNIT_BYTES >= SWARM_BYTES_MAX
    }
}

/// What a batch takes of the room: all of it, if it is larger.
pub(super) fn units(batch: &Batch) -> u32 {
    let units = (1 + batch.bytes() / UNIT_BYTES).min(QUEUE_BYTES_MAX / UNIT_BYTES);
    u32::try_from(units).unwrap_or(u32::MAX)
}
