//! What is done with a node's directory while the node does not run: looked at, copied, brought back. A hub that
//! runs is copied by [`StateSynchronizer::backup`](crate::StateSynchronizer::backup).
//!
//! | function | does |
//! |---|---|
//! | [`examine`] | says what a directory holds and whether all of it can be read; changes nothing |
//! | [`backup`] | writes the rows of a store to one file, which is read again |
//! | [`restore`] | fills an empty store from such a file, so that nobody takes it for the one that went on |
//! | [`Rescue`] | takes what can be relied on from a damaged directory, for a new one |
//!
//! All of them wait for the disk on the thread that they are called on.

mod backup;
mod error;
mod examine;
mod partial;
mod rescue;
mod restore;

use sync_core::{Batch, RowOp, Store, StoreError, SwarmId};
pub use sync_protocol::{Census, Owner, Taken};
pub use sync_store::{ArchiveError, DamagedRow, Hold, Inspection, Sealed, hold};

pub(crate) use self::backup::backup_apart;
pub use self::backup::{BackedUp, backup};
pub use self::error::KeepingError;
pub use self::examine::{Examined, examine};
pub use self::rescue::Rescue;
pub use self::restore::{Restored, restore};

/// Rows of one batch: a store makes each all or nothing, which nobody needs here.
const OPS_PER_BATCH: usize = 1_000;

/// Bytes after which a batch ends, so that it is not all of a large state.
const BATCH_BYTES: usize = 1 << 20;

/// Rows on their way into a store that nobody reads yet.
#[derive(Debug)]
struct Filling<'a> {
    store: &'a dyn Store,
    swarm: Option<SwarmId>,
    ops: Vec<RowOp>,
    bytes: usize,
}

impl<'a> Filling<'a> {
    fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            swarm: None,
            ops: Vec::new(),
            bytes: 0,
        }
    }

    async fn add(&mut self, swarm: &SwarmId, op: RowOp) -> Result<(), StoreError> {
        let is_full = self.ops.len() >= OPS_PER_BATCH || self.bytes >= BATCH_BYTES;
        if is_full || self.swarm.as_ref() != Some(swarm) {
            self.flush().await?;
            self.swarm = Some(swarm.clone());
        }
        self.bytes += match &op {
            RowOp::Put { key, value } => key.len() + value.len(),
            RowOp::Delete { key } => key.len(),
        };
        self.ops.push(op);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        self.bytes = 0;
        let ops = std::mem::take(&mut self.ops);
        match self.swarm.take() {
            Some(swarm) if !ops.is_empty() => self.store.commit(vec![Batch { swarm, ops }]).await,
            _ => Ok(()),
        }
    }
}
