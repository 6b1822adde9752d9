//! What a closed directory holds, and whether all of it can be read.

use std::collections::BTreeMap;
use std::path::Path;

use sync_core::{StoreError, SwarmId};
use sync_protocol::{Census, Owner};
use sync_store::{Inspection, inspect};

/// What was found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Examined {
    /// Rows, seals and what a node that opens it is told.
    pub store: Inspection,
    /// What the rows of each swarm say, as far as they can be read.
    pub swarms: BTreeMap<SwarmId, Census>,
}

impl Examined {
    /// Whether a node can be started from it, and has all that was acknowledged.
    pub fn is_healthy(&self) -> bool {
        self.store.is_healthy() && self.swarms.values().all(|census| census.unreadable == 0)
    }

    /// Whose it is; none if no row that says so can be read.
    pub fn owner(&self) -> Option<&Owner> {
        self.swarms.values().find_map(|found| found.owner.as_ref())
    }
}

/// Looks at the directory `path`, which nobody may have open. It is only read: what is there is copied
/// into `scratch`, an empty directory, and opened there.
///
/// # Errors
///
/// [`StoreError::InUse`] while somebody has it open, [`StoreError::Format`] if a newer program wrote it,
/// [`StoreError::Io`] if there is no store or it cannot be copied. Damage is no error.
pub fn examine(path: impl AsRef<Path>, scratch: impl AsRef<Path>) -> Result<Examined, StoreError> {
    let mut swarms: BTreeMap<SwarmId, Census> = BTreeMap::new();
    let store = inspect(path, scratch, |swarm, row| match swarms.get_mut(swarm) {
        Some(census) => census.row(&row),
        None => swarms.entry(swarm.clone()).or_default().row(&row),
    })?;
    Ok(Examined { store, swarms })
}
