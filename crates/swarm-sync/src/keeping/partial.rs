//! The file of a backup that has not its name yet, and what a killed one has left of it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use sync_store::ArchiveReader;

use super::KeepingError;

/// Times that a file may be taken away between making and locking it. Somebody else who begins at the same
/// moment takes one for a leftover at most once, as by then the lock is held.
const TRIES_MAX: usize = 8;

/// A file that has not its name yet. It is locked for as long as it is written, by which a leftover is known.
/// Its end removes it.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl Partial {
    pub(super) fn create(to: &Path) -> Result<Self, KeepingError> {
        let mut name: OsString = to.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        for _ in 0..TRIES_MAX {
            if let Some(file) = make(&path)? {
                return Ok(Self { path, file });
            }
            remove_leftover(&path)?;
        }
        Err(busy(&path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What cannot be removed gives way to the next backup of that name.
        let _ = fs::remove_file(&self.path);
    }
}

/// The new file, locked; none if something is there already, or was put in its place meanwhile.
fn make(path: &Path) -> Result<Option<File>, KeepingError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        Err(error) => return Err(KeepingError::io(path, "making the file")(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(is_at(&file, path).then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // Where there are no locks nobody takes it for a leftover, as that takes one.
        Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// Removes what is there if a backup left it that is not under way any more. All else stays.
fn remove_leftover(path: &Path) -> Result<(), KeepingError> {
    let exists = || KeepingError::Exists {
        path: path.display().to_string(),
    };
    let failed = KeepingError::io(path, "removing what an earlier backup left");
    // A link could lead to anything.
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(exists()),
        Err(error) => return gone(error).map_err(failed),
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return gone(error).map_err(failed),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy(path)),
        Err(TryLockError::Error(_)) => return Err(exists()),
    }
    if !is_at(&file, path) {
        return Ok(());
    }
    let empty = file.metadata().is_ok_and(|found| found.len() == 0);
    if !empty && ArchiveReader::new(BufReader::new(&file)).is_err() {
        return Err(exists());
    }
    fs::remove_file(path).or_else(gone).map_err(failed)
}

/// Somebody else has removed it: so much the better.
fn gone(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

fn busy(path: &Path) -> KeepingError {
    KeepingError::Busy {
        path: path.display().to_string(),
    }
}

/// Whether the name still leads to this file, as it need not between opening and locking it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let (held, named) = (file.metadata(), fs::symlink_metadata(path));
    let at = |found: fs::Metadata| (found.dev(), found.ino());
    matches!((held.map(at), named.map(at)), (Ok(held), Ok(named)) if held == named)
}

/// What is open cannot lose its name there.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}
