//! Every row that can be read of a directory, whatever became of the others.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use sync_core::store::StoreError;

use super::SledOptions;
use super::engine::Engine;
use super::files::SLED_FILE;
use super::keys::{CHUNK_PREFIX, COMMIT_KEY, PART_PREFIX};
use super::log::{Log, Rows};
use super::table::PhysicalRow;
use super::value::Body;
use crate::damage::corrupt;
use crate::directory::io_error;
use crate::inspect::{Met, Survey};
use crate::row::{ROW_PREFIX, SEAL_KEY, swarm_of};
use crate::seal::Seal;
use crate::thread::Engine as _;

/// Opens the directory as a node does, and closes it.
pub(crate) fn try_open(place: &Path) -> Result<(), StoreError> {
    Engine::open(place, &SledOptions::default())?.close()
}

/// Meets every row in ascending order. Nothing is written: sled is not asked, who would leave out what
/// comes after damage.
pub(crate) fn survey(place: &Path, each: Survey<'_>) -> Result<(), StoreError> {
    let name = &*place.display().to_string();
    let failed = |e: io::Error| io_error(name, "reading the database file", &e);
    let mut file = match File::open(place.join(SLED_FILE)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    let log = Log::read(&mut file).map_err(failed)?;
    let mut rows = log.rows(&mut file).map_err(failed)?;
    for range in rows.ranges() {
        for (key, framed) in rows.of(&range).map_err(failed)? {
            let met = read(name, &mut rows, &key, framed).or_else(Met::damaged);
            each(met?);
        }
    }
    Ok(())
}

/// The number of the newest seal among the rows of sled's file, if every message in it can be read.
pub(super) fn sealed_if_whole(file: &mut File) -> io::Result<Option<u64>> {
    let log = Log::read(file)?;
    if !log.is_whole() {
        return Ok(None);
    }
    let Some(framed) = log.newest(file, SEAL_KEY)? else {
        return Ok(Some(0));
    };
    let row = PhysicalRow::checked("", SEAL_KEY, framed.into());
    let seal = row.and_then(|row| Seal::read("", row.body()));
    Ok(seal.ok().map(|seal| seal.number))
}

fn read(name: &str, rows: &mut Rows<'_>, key: &[u8], framed: Vec<u8>) -> Result<Met, StoreError> {
    let unknown = || corrupt(name, key, "no row of this store has such a key");
    let row = PhysicalRow::checked(name, key, framed.into())?;
    match key.first() {
        Some(&(CHUNK_PREFIX | PART_PREFIX)) => Ok(Met::Inner),
        Some(&ROW_PREFIX) => {
            let (swarm, prefix) = swarm_of(key).ok_or_else(unknown)?;
            let body = Body::decode(row.body()).map_err(|e| corrupt(name, key, e))?;
            let value = match body {
                Body::Inline(bytes) => Bytes::copy_from_slice(bytes),
                Body::Chunked(chunked) => {
                    let chunk = |chunk: &[u8]| chunk_of(name, rows, chunk);
                    chunked.read(name, key, chunk)?.into()
                }
            };
            Ok(Met::row(swarm, &key[prefix..], value))
        }
        _ if key == COMMIT_KEY => Ok(Met::Inner),
        _ if key == SEAL_KEY => Seal::read(name, row.body()).map(Met::Seal),
        _ => Err(unknown()),
    }
}

fn chunk_of(
    name: &str,
    rows: &mut Rows<'_>,
    key: &[u8],
) -> Result<Option<PhysicalRow>, StoreError> {
    let framed = rows.get(key);
    let framed = framed.map_err(|e| io_error(name, "reading the database file", &e))?;
    framed
        .map(|framed| PhysicalRow::checked(name, key, framed.into()))
        .transpose()
}
