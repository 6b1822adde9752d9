//! A directory that is kept from being opened, without opening it.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use sync_core::store::StoreError;

use crate::directory::{LOCK_FILE, io_error};

/// As long as this lives no store can be opened in the directory.
#[derive(Debug)]
pub struct Hold {
    /// None if nobody has opened a store there yet. Its end unlocks it.
    _lock: Option<File>,
}

/// Keeps stores from being opened in the directory `path`. Nothing is written.
///
/// # Errors
///
/// [`StoreError::InUse`] if one is open there, [`StoreError::Io`] if the system refuses.
pub fn hold(path: impl AsRef<Path>) -> Result<Hold, StoreError> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let lock = match File::open(path.join(LOCK_FILE)) {
        Ok(lock) => lock,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Hold { _lock: None }),
        Err(e) => return Err(io_error(&name, "opening the lock file", &e)),
    };
    match lock.try_lock() {
        Ok(()) => Ok(Hold { _lock: Some(lock) }),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: name }),
        Err(TryLockError::Error(e)) => Err(io_error(&name, "locking", &e)),
    }
}
