//! Every row that can be read of a directory, whatever became of the others.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sync_core::store::StoreError;

use super::SledOptions;
use super::engine::Engine;
use super::keys::{CHUNK_PREFIX, COMMIT_KEY, PART_PREFIX};
use super::table::{PhysicalRow, Table, engine};
use super::value::Body;
use crate::inspect::{Met, Survey};
use crate::row::{ROW_PREFIX, SEAL_KEY, swarm_of};
use crate::seal::Seal;
use crate::thread::Engine as _;

/// Opens the directory as a node does, and closes it.
pub(crate) fn try_open(place: &Path) -> Result<(), StoreError> {
    Engine::open(place, &SledOptions::default())?.close()
}

/// Meets every row in ascending order, until the engine says no more.
pub(crate) fn survey(place: &Path, each: Survey<'_>) -> Result<(), StoreError> {
    let name: Arc<str> = place.display().to_string().into();
    let db = sled::Config::new()
        .path(place)
        .flush_every_ms(None)
        .open()
        .map_err(|e| engine(&name, e, "opening"))?;
    let table = Table::unsealed(name, db);
    for found in table.range(..) {
        let met = match found {
            Ok((key, row)) => read(&table, &key, &row).or_else(Met::damaged),
            Err(error) => Met::damaged(error),
        };
        each(met?);
    }
    Ok(())
}

fn read(table: &Table, key: &[u8], row: &PhysicalRow) -> Result<Met, StoreError> {
    let unknown = || table.corrupt(key, "no row of this store has such a key");
    match key.first() {
        Some(&(CHUNK_PREFIX | PART_PREFIX)) => Ok(Met::Inner),
        Some(&ROW_PREFIX) => {
            let (swarm, prefix) = swarm_of(key).ok_or_else(unknown)?;
            let body = Body::decode(row.body()).map_err(|e| table.corrupt(key, e))?;
            let value = match body {
                Body::Inline(bytes) => Bytes::copy_from_slice(bytes),
                Body::Chunked(chunked) => chunked.read(table, key)?.into(),
            };
            Ok(Met::row(swarm, &key[prefix..], value))
        }
        _ if key == COMMIT_KEY => Ok(Met::Inner),
        _ if key == SEAL_KEY => Seal::read(&table.name, row.body()).map(Met::Seal),
        _ => Err(unknown()),
    }
}
