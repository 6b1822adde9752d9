//! What can be relied on of a damaged directory, for the next life of its node.

use std::collections::BTreeMap;
use std::path::Path;

use sync_core::{Epoch, Store, SwarmId};
use sync_protocol::{Limits, Owner, RowError, Salvage, Taken};
use sync_store::{Inspection, inspect};

use super::{Filling, KeepingError};

/// A damaged directory, read as far as it can be.
#[derive(Debug)]
pub struct Rescue {
    inspection: Inspection,
    swarms: BTreeMap<SwarmId, Salvage>,
}

impl Rescue {
    /// Reads the directory `path` of `owner`, which nobody may have open. It is not changed: what is there
    /// is copied into `scratch`, an empty directory, and opened there.
    ///
    /// # Errors
    ///
    /// [`KeepingError::Store`] as from [`examine`](super::examine), [`KeepingError::Row`] if it is another
    /// node's.
    pub fn of(
        path: impl AsRef<Path>,
        scratch: impl AsRef<Path>,
        owner: &Owner,
    ) -> Result<Self, KeepingError> {
        let mut swarms: BTreeMap<SwarmId, Salvage> = BTreeMap::new();
        let mut wrong: Option<RowError> = None;
        let inspection = inspect(path, scratch, |swarm, row| {
            let salvage = swarms
                .entry(swarm.clone())
                .or_insert_with(|| Salvage::new(owner.clone()));
            if let Err(error) = salvage.row(&row) {
                wrong.get_or_insert(error);
            }
        })?;
        match wrong {
            Some(error) => Err(error.into()),
            None => Ok(Self { inspection, swarms }),
        }
    }

    /// What was found.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Writes what can be relied on to `into`, an empty store. The node that starts from it exchanges all
    /// it holds with all the others; a hub grants no claim before every lease is over that it may have
    /// granted and lost.
    ///
    /// # Errors
    ///
    /// [`KeepingError::Store`]; what was written by then is to be thrown away.
    pub async fn finish(self, into: &dyn Store) -> Result<BTreeMap<SwarmId, Taken>, KeepingError> {
        let mut taken = BTreeMap::new();
        let mut filling = Filling::new(into);
        let lease_max = Limits::default().lease_max;
        for (swarm, salvage) in self.swarms {
            let drawn = Epoch::from_random(rand::random());
            let (ops, counts) = salvage.finish(drawn, lease_max);
            for op in ops {
                filling.add(&swarm, op).await?;
            }
            taken.insert(swarm, counts);
        }
        filling.flush().await?;
        Ok(taken)
    }
}
