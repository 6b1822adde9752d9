//! Whether sled is let at the files at all. Where it cannot read them it writes zeroes over what follows, and a
//! snapshot that leaves it out: what could have been taken from a damaged directory would be gone with the
//! first start that is refused.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use sync_core::store::StoreError;

use super::files::SLED_FILE;
use super::survey::sealed_if_whole;
use crate::directory::{Directory, EngineKind, SEAL_FILE, TRIAL_DIRECTORY};
use crate::inspect::{copy, renamed};
use crate::seal::SealFile;

/// Has `open` try a copy of the directory, if anything in it cannot be read, and fails as it does. The end of
/// a process does not make that necessary, only damage and some power losses do.
pub(super) fn refuse_damaged(
    directory: &Directory,
    open: impl FnOnce(Directory) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |e: io::Error| {
        let doing = "copying the files within it, to see what the storage engine makes of them,";
        directory.io_error(doing, &e)
    };
    let place = directory.path().join(TRIAL_DIRECTORY);
    remove(&place).map_err(failed)?;
    if is_whole(directory.path()).map_err(|e| directory.io_error("reading its files", &e))? {
        return Ok(());
    }
    tracing::info!(
        path = &**directory.name(),
        "something in it cannot be read; a copy is opened first"
    );
    fs::create_dir(&place)
        .and_then(|()| copy(directory.path(), &place))
        .map_err(failed)?;
    let tried = Directory::open(&place, EngineKind::Sled, open);
    remove(&place).map_err(failed)?;
    tried.map_err(|error| renamed(error, directory.name()))
}

/// Whether every message of sled's is there, up to the one with the seal that was acknowledged last.
fn is_whole(place: &Path) -> io::Result<bool> {
    let here = match File::open(place.join(SLED_FILE)) {
        Ok(mut file) => sealed_if_whole(&mut file)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Some(0),
        Err(e) => return Err(e),
    };
    let sealed = match File::open(place.join(SEAL_FILE)) {
        Ok(file) => SealFile::new(file).read(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => return Err(e),
    };
    let sealed = sealed.map(|seal| seal.map_or(0, |seal| seal.number));
    Ok(matches!((here, sealed), (Some(here), Ok(sealed)) if here >= sealed))
}

fn remove(place: &Path) -> io::Result<()> {
    match fs::remove_dir_all(place) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
