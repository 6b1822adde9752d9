//! An empty store, filled from a backup.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use sync_core::{Epoch, Row, RowOp, Store, SwarmId};
use sync_protocol::{Limits, Owner, Restoration};
use sync_store::ArchiveReader;

use super::{Filling, KeepingError};

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Rows of the backup.
    pub rows: u64,
    /// Whose they are.
    pub owner: Option<Owner>,
    /// The swarms.
    pub swarms: Vec<SwarmId>,
}

/// Fills `into`, which must be empty, from the backup `from`: all of it is read and found to be in order
/// before anything is written. A hub that starts from it has a run that nobody has heard of, and grants no
/// claim before every lease is over that may have been granted since; an agent draws an incarnation of its
/// own as at every start.
///
/// # Errors
///
/// [`KeepingError`]; what was written to `into` by then is to be thrown away.
pub async fn restore(from: impl AsRef<Path>, into: &dyn Store) -> Result<Restored, KeepingError> {
    let from = from.as_ref();
    if let Some(swarm) = into.swarms().await?.first() {
        let swarm = swarm.to_string();
        return Err(KeepingError::NotEmpty { swarm });
    }
    let mut swarms: BTreeMap<SwarmId, Restoration> = BTreeMap::new();
    let mut backup = Backup::open(from)?;
    while let Some((swarm, row)) = backup.next_row()? {
        swarms.entry(swarm).or_default().row(&row)?;
    }
    let mut filling = Filling::new(into);
    let mut backup = Backup::open(from)?;
    while let Some((swarm, Row { key, value })) = backup.next_row()? {
        filling.add(&swarm, RowOp::Put { key, value }).await?;
    }
    let lease_max = Limits::default().lease_max;
    for (swarm, restoration) in &swarms {
        let drawn = Epoch::from_random(rand::random());
        for op in restoration.finish(drawn, lease_max) {
            filling.add(swarm, op).await?;
        }
    }
    filling.flush().await?;
    Ok(Restored {
        rows: backup.reader.rows(),
        owner: swarms.values().find_map(Restoration::owner).cloned(),
        swarms: swarms.into_keys().collect(),
    })
}

/// A file that is read as a backup.
#[derive(Debug)]
struct Backup<'a> {
    path: &'a Path,
    reader: ArchiveReader<BufReader<File>>,
}

impl<'a> Backup<'a> {
    fn open(path: &'a Path) -> Result<Self, KeepingError> {
        let file = File::open(path).map_err(KeepingError::io(path, "opening the backup"))?;
        let reader = ArchiveReader::new(BufReader::new(file));
        let reader = reader.map_err(KeepingError::archive(path))?;
        Ok(Self { path, reader })
    }

    fn next_row(&mut self) -> Result<Option<(SwarmId, Row)>, KeepingError> {
        self.reader
            .next_row()
            .map_err(KeepingError::archive(self.path))
    }
}
