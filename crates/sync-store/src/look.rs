//! What a directory is, seen from outside: nothing is made, locked or opened for writing.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sync_core::store::StoreError;

use crate::directory::{FORMAT_FILE, LOCK_FILE, foreign, io_error, parse_format};
use crate::row::FORMAT;

/// What a directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// There is none, or nothing in it: a store would be made there.
    Nothing,
    /// A store.
    Store {
        /// The number of its format.
        format: u8,
        /// What keeps its rows: `sled` or `redb`, or what a newer program knows.
        engine: String,
    },
    /// A store whose file `format` cannot be read.
    Unreadable,
    /// Something else, which a store leaves alone.
    Foreign {
        /// A file that is no store's.
        file: String,
    },
}

/// The storage format that this program writes, and reads.
pub const STORE_FORMAT: u8 = FORMAT;

/// The file that is locked while a store is open in the directory `path`.
pub fn lock_file(path: impl AsRef<Path>) -> PathBuf {
    path.as_ref().join(LOCK_FILE)
}

/// What the directory `path` holds, without opening a store: nothing is made, and nothing locked.
///
/// # Errors
///
/// [`StoreError::Io`] if it cannot be read.
pub fn look(path: impl AsRef<Path>) -> Result<Found, StoreError> {
    let path = path.as_ref();
    let failed = |doing, e| io_error(&path.display().to_string(), doing, &e);
    match fs::read(path.join(FORMAT_FILE)) {
        Ok(bytes) => {
            let found = parse_format(&bytes).map(|(format, engine)| Found::Store {
                format,
                engine: engine.to_owned(),
            });
            return Ok(found.unwrap_or(Found::Unreadable));
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(failed("reading the storage format", e)),
    }
    match foreign(path) {
        Ok(None) => Ok(Found::Nothing),
        Ok(Some(file)) => Ok(Found::Foreign {
            file: file.display().to_string(),
        }),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
        Err(e) => Err(failed("listing the directory", e)),
    }
}
