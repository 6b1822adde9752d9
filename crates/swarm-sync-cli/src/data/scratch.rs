//! Where a recovery works until it is done: beside the directory, on the same file system.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::aside;

/// What it is called. A process that is killed leaves it, and the next one finds it by this name.
const SUFFIX: &str = ".recovering";

/// An empty directory that this process and no other works in. Its end removes it.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes it, without what an earlier one has left. None if another process works in it.
    pub(super) fn beside(directory: &Path) -> io::Result<Option<Self>> {
        let path = aside::beside(directory, SUFFIX);
        fs::create_dir_all(&path)?;
        let lock = File::create(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Some(Self { path, _lock: lock }))
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            let path = self.path.display();
            tracing::warn!("{path}: what a recovery worked with could not be removed: {error}");
        }
    }
}
