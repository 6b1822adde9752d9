//! Every row that can be read of a directory, whatever became of the others.

use std::path::Path;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable};
use sync_core::store::StoreError;

use super::RedbOptions;
use super::engine::{DATABASE_FILE, ROWS, RedbEngine, engine};
use crate::damage::corrupt;
use crate::inspect::{Met, Survey};
use crate::row::{ROW_PREFIX, SEAL_KEY, swarm_of, unframe};
use crate::seal::Seal;
use crate::thread::Engine as _;

/// Opens the directory as a node does, and closes it.
pub(crate) fn try_open(place: &Path) -> Result<(), StoreError> {
    RedbEngine::open(place, &RedbOptions::default())?.close()
}

/// Meets every row in ascending order, until the engine says no more.
pub(crate) fn survey(place: &Path, each: Survey<'_>) -> Result<(), StoreError> {
    let name = place.display().to_string();
    let failed = |e: redb::Error| engine(&name, e, "reading");
    let db = Database::open(place.join(DATABASE_FILE)).map_err(|e| failed(e.into()))?;
    let transaction = db.begin_read().map_err(|e| failed(e.into()))?;
    let rows = match transaction.open_table(ROWS) {
        Ok(rows) => rows,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(failed(error.into())),
    };
    for row in rows.iter().map_err(|e| failed(e.into()))? {
        let (key, framed) = row.map_err(|e| failed(e.into()))?;
        let met = read(&name, key.value(), framed.value()).or_else(Met::damaged);
        each(met?);
    }
    Ok(())
}

fn read(name: &str, key: &[u8], framed: &[u8]) -> Result<Met, StoreError> {
    let damaged = |reason: &str| corrupt(name, key, reason);
    let row = unframe(key, framed).map_err(|e| corrupt(name, key, e))?;
    if key == SEAL_KEY {
        return Seal::read(name, row.body).map(Met::Seal);
    }
    let named = (key.first() == Some(&ROW_PREFIX)).then(|| swarm_of(key));
    let (swarm, prefix) = named
        .flatten()
        .ok_or_else(|| damaged("no row of this store has such a key"))?;
    let value = Bytes::copy_from_slice(row.body);
    Ok(Met::row(swarm, &key[prefix..], value))
}
