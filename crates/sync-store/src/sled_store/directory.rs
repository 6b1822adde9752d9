//! The directory around sled's files: made, locked, recognised, fsynced.
//!
//! | file | whose | holds |
//! |---|---|---|
//! | `lock` | ours | nothing; locked while the store is open |
//! | `format` | ours | the storage format, written before anything else |
//! | `seal` | ours | [`super::seal`] |
//! | `conf`, `db`, `snap.*`, `blobs/` | sled's | the rows |

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sync_core::store::StoreError;

use super::row::FORMAT;
use super::table::corrupt;

const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
const FORMAT_FILE_NEW: &str = "format.new";
const SEAL_FILE: &str = "seal";
const SLED_FILE: &str = "db";
const SLED_CONFIG_FILE: &str = "conf";
const SLED_SNAPSHOT_PREFIX: &str = "snap.";
const SLED_UNFINISHED: &str = ".generating";

const FORMAT_FILE_HEAD: &str = "swarm-sync store\nformat ";

/// How long sled may take to let go of its file after it was dropped: its last thread ends by
/// itself. Seen: under 1 ms.
const RELEASE_POLLS_MAX: u32 = 5_000;
const RELEASE_POLL: Duration = Duration::from_millis(1);

/// A directory that this store and no other has.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// The path as text, for messages.
    name: Arc<str>,
    lock: File,
}

impl Directory {
    /// Makes the directory if there is none, locks it, and makes sure that it is a store's of this
    /// format, or empty.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let name: Arc<str> = path.display().to_string().into();
        make(path).map_err(|e| io_error(&name, "making the directory", &e))?;
        // Before the lock: in somebody else's directory not even that file is ours to make.
        refuse_foreign(path, &name)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(|e| io_error(&name, "opening the lock file", &e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    path: name.to_string(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(io_error(&name, "locking", &e)),
        }
        let directory = Self {
            path: path.to_owned(),
            name,
            lock,
        };
        directory.recognise()?;
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn io_error(&self, doing: &'static str, error: &io::Error) -> StoreError {
        io_error(&self.name, doing, error)
    }

    /// Waits until sled's own lock is free. It is our lock that decides who has the directory; this
    /// one lingers for a moment when sled's threads end.
    pub(super) fn wait_for_sled(&self) -> Result<(), StoreError> {
        let file = match File::open(self.path.join(SLED_FILE)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(self.io_error("opening the database file", &e)),
        };
        for _ in 0..RELEASE_POLLS_MAX {
            match file.try_lock() {
                Ok(()) => {
                    return file
                        .unlock()
                        .map_err(|e| self.io_error("unlocking the database file", &e));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(RELEASE_POLL),
                Err(TryLockError::Error(e)) => {
                    return Err(self.io_error("locking the database file", &e));
                }
            }
        }
        Err(StoreError::InUse {
            path: self.name.to_string(),
        })
    }

    /// Opens sled's file anew and makes what sled wrote while opening durable. The handle must exist
    /// before the first write: a handle opened after a failed write does not see the failure.
    pub(super) fn open_and_sync(&self) -> Result<File, StoreError> {
        let open = |name: &Path| -> io::Result<File> {
            let file = OpenOptions::new().read(true).write(true).open(name)?;
            file.sync_all()?;
            Ok(file)
        };
        let sync_all = || -> io::Result<File> {
            let db = open(&self.path.join(SLED_FILE))?;
            open(&self.path.join(SLED_CONFIG_FILE))?;
            if let Some(snapshot) = self.newest_snapshot()? {
                open(&self.path.join(snapshot))?;
            }
            sync_directory(&self.path)?;
            Ok(db)
        };
        sync_all().map_err(|e| self.io_error("fsync", &e))
    }

    /// Opens the file `seal`; `None` if there is none.
    pub(super) fn open_seal(&self) -> Result<Option<File>, StoreError> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path.join(SEAL_FILE));
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.io_error("opening the seal", &e)),
        }
    }

    /// Makes the file `seal`, empty.
    pub(super) fn create_seal(&self) -> Result<File, StoreError> {
        let create = || -> io::Result<File> {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(self.path.join(SEAL_FILE))?;
            sync_directory(&self.path)?;
            Ok(file)
        };
        create().map_err(|e| self.io_error("making the seal", &e))
    }

    /// Unlocks, so that the next open succeeds at once. Not left to the file's end: a process that
    /// is being started elsewhere may hold a copy of the handle for a moment.
    pub(super) fn release(self) -> Result<(), StoreError> {
        self.lock
            .unlock()
            .map_err(|e| self.io_error("unlocking", &e))
    }

    fn recognise(&self) -> Result<(), StoreError> {
        match fs::read(self.path.join(FORMAT_FILE)) {
            Ok(bytes) => self.check_format(&bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => self
                .write_format()
                .map_err(|e| self.io_error("writing the storage format", &e)),
            Err(e) => Err(self.io_error("reading the storage format", &e)),
        }
    }

    fn check_format(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let found = std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.strip_prefix(FORMAT_FILE_HEAD)?.strip_suffix('\n'))
            .and_then(|number| number.parse::<u8>().ok());
        match found {
            Some(FORMAT) => Ok(()),
            Some(found) => Err(StoreError::Format {
                path: self.name.to_string(),
                found,
                known: FORMAT,
            }),
            None => Err(corrupt(
                &self.name,
                FORMAT_FILE.as_bytes(),
                "the file `format` does not name a storage format",
            )),
        }
    }

    fn write_format(&self) -> io::Result<()> {
        let new = self.path.join(FORMAT_FILE_NEW);
        let mut file = File::create(&new)?;
        file.write_all(format!("{FORMAT_FILE_HEAD}{FORMAT}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path.join(FORMAT_FILE))?;
        sync_directory(&self.path)
    }

    /// Removes what a process that was killed while it opened the store had begun to write of a
    /// snapshot. Such a file tells nothing that the log does not, but sled takes it for the newest
    /// snapshot and, as it is cut short, the whole store for damaged.
    pub(super) fn remove_unfinished_snapshots(&self) -> Result<(), StoreError> {
        let remove = || -> io::Result<()> {
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                let is_unfinished = entry.file_name().to_str().is_some_and(|name| {
                    name.starts_with(SLED_SNAPSHOT_PREFIX) && name.ends_with(SLED_UNFINISHED)
                });
                if is_unfinished {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        remove().map_err(|e| self.io_error("removing an unfinished snapshot", &e))
    }

    fn newest_snapshot(&self) -> io::Result<Option<OsString>> {
        let mut newest = None;
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let is_snapshot = name
                .to_str()
                .and_then(|name| name.strip_prefix(SLED_SNAPSHOT_PREFIX))
                .is_some_and(|number| !number.contains('.'));
            // The number is hexadecimal of a fixed width, so the newest sorts last.
            if is_snapshot && Some(&name) > newest.as_ref() {
                newest = Some(name);
            }
        }
        Ok(newest)
    }
}

/// Without a file `format` nothing but what an interrupted first open leaves may be here.
fn refuse_foreign(path: &Path, name: &str) -> Result<(), StoreError> {
    let foreign = || -> io::Result<Option<OsString>> {
        for entry in fs::read_dir(path)? {
            let file = entry?.file_name();
            if file != LOCK_FILE && file != FORMAT_FILE_NEW {
                // Asked last: another process may be making a store here, and it makes this first.
                let is_store = path.join(FORMAT_FILE).try_exists()?;
                return Ok((!is_store).then_some(file));
            }
        }
        Ok(None)
    };
    match foreign() {
        Ok(None) => Ok(()),
        Ok(Some(file)) => Err(StoreError::Io {
            path: name.to_owned(),
            doing: "making a store",
            reason: format!(
                "the directory is not a store (it has {} but no file `format`); choose an empty one",
                file.display()
            ),
        }),
        Err(e) => Err(io_error(name, "listing the directory", &e)),
    }
}

/// Makes `path` and what is missing above it, readable by its owner only, and durable.
fn make(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|part| !part.as_os_str().is_empty() && !part.exists())
        .collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)?;
    for made in missing {
        match made.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent)?,
            _ => sync_directory(Path::new("."))?,
        }
    }
    Ok(())
}

/// Makes the names in a directory durable. Only Unix can and needs to.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

fn io_error(name: &str, doing: &'static str, error: &io::Error) -> StoreError {
    StoreError::Io {
        path: name.to_owned(),
        doing,
        reason: error.to_string(),
    }
}
