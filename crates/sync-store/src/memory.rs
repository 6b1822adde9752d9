//! The store that keeps nothing: the reference for the others, and the one for tests and caches.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::{Batch, Durability, ROW_KEY_BYTES_MAX, Row, RowOp, Store, StoreError};

/// Boxed, because a batch hands over buffers with room to grow, and every row would keep that.
type Rows = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// Keeps rows in memory; [`Durability::Memory`].
///
/// No call waits for anything, no call fails except with [`StoreError::RowKeyTooLong`] and, once
/// closed, [`StoreError::Closed`]. Closing frees the rows. Its size is what is put into it.
pub struct MemoryStore {
    /// `None` once closed.
    swarms: Mutex<Option<BTreeMap<SwarmId, Rows>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            swarms: Mutex::new(Some(BTreeMap::new())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<SwarmId, Rows>>> {
        // Nothing between lock and unlock can panic halfway through a change.
        self.swarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let swarms = self.lock();
        f.debug_struct("MemoryStore")
            .field("swarms", &swarms.as_ref().map(BTreeMap::len))
            .finish()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, group: Vec<Batch>) -> Result<(), StoreError> {
        let mut guard = self.lock();
        let swarms = guard.as_mut().ok_or(CLOSED)?;
        check_row_keys(&group)?;
        for Batch { swarm, ops } in group {
            let rows = swarms.entry(swarm.clone()).or_default();
            for op in ops {
                match op {
                    RowOp::Put { key, value } => {
                        rows.insert(boxed(key), boxed(value));
                    }
                    RowOp::Delete { key } => {
                        rows.remove(&*key);
                    }
                }
            }
            if rows.is_empty() {
                swarms.remove(&swarm);
            }
        }
        Ok(())
    }

    async fn scan(
        &self,
        swarm: &SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let guard = self.lock();
        let swarms = guard.as_ref().ok_or(CLOSED)?;
        let Some(rows) = swarms.get(swarm) else {
            return Ok(Vec::new());
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        Ok(rows
            .range::<[u8], _>((from, Bound::Unbounded))
            .take(limit)
            .map(|(key, value)| Row {
                key: Bytes::copy_from_slice(key),
                value: Bytes::copy_from_slice(value),
            })
            .collect())
    }

    async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
        let guard = self.lock();
        Ok(guard.as_ref().ok_or(CLOSED)?.keys().cloned().collect())
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    async fn close(&self) -> Result<(), StoreError> {
        *self.lock() = None;
        Ok(())
    }
}

/// The bytes without room to spare. Copies nothing if nobody shares them.
fn boxed(bytes: Bytes) -> Box<[u8]> {
    Vec::from(bytes).into_boxed_slice()
}

const CLOSED: StoreError = StoreError::Closed { reason: None };

/// Refuses a group before any of it is applied.
pub(crate) fn check_row_keys(group: &[Batch]) -> Result<(), StoreError> {
    for op in group.iter().flat_map(|batch| &batch.ops) {
        let bytes = op.key().len();
        if bytes > ROW_KEY_BYTES_MAX {
            return Err(StoreError::RowKeyTooLong { bytes });
        }
    }
    Ok(())
}
