//! The directory around an engine's files: made, locked, recognised.
//!
//! | file | holds |
//! |---|---|
//! | `lock` | nothing; locked while the store is open |
//! | `format` | the storage format and the engine, written before anything else |
//! | `seal` | [`super::seal`] |
//! | `trial` | a copy of the others, while an engine is seen to open them |
//! | others | the engine's: the rows |

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sync_core::store::StoreError;

use crate::damage::corrupt;
use crate::row::FORMAT;

pub(crate) const LOCK_FILE: &str = "lock";
pub(crate) const FORMAT_FILE: &str = "format";
const FORMAT_FILE_NEW: &str = "format.new";
pub(crate) const SEAL_FILE: &str = "seal";
/// Where an engine may try to open a copy of the others.
pub(crate) const TRIAL_DIRECTORY: &str = "trial";

const FORMAT_FILE_HEAD: &str = "swarm-sync store";

/// What keeps the rows of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineKind {
    #[cfg(feature = "sled")]
    Sled,
    #[cfg(feature = "redb")]
    Redb,
}

/// The engine of a directory whose `format` names none: the only one there was.
const FIRST_ENGINE: &str = "sled";

impl EngineKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "sled")]
            Self::Sled => FIRST_ENGINE,
            #[cfg(feature = "redb")]
            Self::Redb => "redb",
        }
    }

    /// The content of the file `format`.
    fn format_file(self) -> String {
        let engine = match self.name() {
            FIRST_ENGINE => String::new(),
            other => format!("engine {other}\n"),
        };
        format!("{FORMAT_FILE_HEAD}\nformat {FORMAT}\n{engine}")
    }
}

/// A directory that this store and no other has.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// The path as text, for messages.
    name: Arc<str>,
    lock: File,
}

impl Directory {
    /// Takes the directory and has an engine opened in it. On damaged files engines panic in places: the
    /// lock is not ours to keep then, and nothing that `open` touched is used again.
    pub(crate) fn open<E>(
        path: &Path,
        kind: EngineKind,
        open: impl FnOnce(Self) -> Result<E, StoreError>,
    ) -> Result<E, StoreError> {
        let directory = Self::take(path, kind)?;
        let name = directory.name().clone();
        catch_unwind(AssertUnwindSafe(|| open(directory))).unwrap_or_else(|_| {
            let reason = "the storage engine panicked while opening it";
            Err(corrupt(&name, b"unknown", reason))
        })
    }

    /// Makes the directory if there is none, locks it, and makes sure that it is a store's of this
    /// format, or empty.
    fn take(path: &Path, kind: EngineKind) -> Result<Self, StoreError> {
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
        directory.recognise(kind)?;
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn io_error(&self, doing: &'static str, error: &io::Error) -> StoreError {
        io_error(&self.name, doing, error)
    }

    /// Opens the file `seal`; `None` if there is none.
    pub(crate) fn open_seal(&self) -> Result<Option<File>, StoreError> {
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
    pub(crate) fn create_seal(&self) -> Result<File, StoreError> {
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
    pub(crate) fn release(self) -> Result<(), StoreError> {
        self.lock
            .unlock()
            .map_err(|e| self.io_error("unlocking", &e))
    }

    fn recognise(&self, kind: EngineKind) -> Result<(), StoreError> {
        match fs::read(self.path.join(FORMAT_FILE)) {
            Ok(bytes) => self.check_format(&bytes, kind),
            Err(e) if e.kind() == io::ErrorKind::NotFound => self
                .write_format(kind)
                .map_err(|e| self.io_error("writing the storage format", &e)),
            Err(e) => Err(self.io_error("reading the storage format", &e)),
        }
    }

    fn check_format(&self, bytes: &[u8], kind: EngineKind) -> Result<(), StoreError> {
        let (found, engine) = parse_format(bytes).ok_or_else(|| {
            corrupt(
                &self.name,
                FORMAT_FILE.as_bytes(),
                "the file `format` does not name a storage format",
            )
        })?;
        if found != FORMAT {
            return Err(StoreError::Format {
                path: self.name.to_string(),
                found,
                known: FORMAT,
            });
        }
        if engine != kind.name() {
            return Err(StoreError::Engine {
                path: self.name.to_string(),
                found: engine.to_owned(),
                wanted: kind.name(),
            });
        }
        Ok(())
    }

    fn write_format(&self, kind: EngineKind) -> io::Result<()> {
        let new = self.path.join(FORMAT_FILE_NEW);
        let mut file = File::create(&new)?;
        file.write_all(kind.format_file().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path.join(FORMAT_FILE))?;
        sync_directory(&self.path)
    }
}

/// The format and the engine that a file `format` names.
pub(crate) fn parse_format(bytes: &[u8]) -> Option<(u8, &str)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let mut lines = text.split('\n');
    if lines.next() != Some(FORMAT_FILE_HEAD) {
        return None;
    }
    let format = lines.next()?.strip_prefix("format ")?.parse().ok()?;
    let engine = match lines.next() {
        None => FIRST_ENGINE,
        Some(line) => line.strip_prefix("engine ")?,
    };
    // More lines belong to a format that names itself otherwise.
    lines.next().is_none().then_some((format, engine))
}

/// A file of a directory that is no store's; none in one that a store can be in.
pub(crate) fn foreign(path: &Path) -> io::Result<Option<OsString>> {
    for entry in fs::read_dir(path)? {
        let file = entry?.file_name();
        if file != LOCK_FILE && file != FORMAT_FILE_NEW {
            // Asked last: another process may be making a store here, and it makes this first.
            let is_store = path.join(FORMAT_FILE).try_exists()?;
            return Ok((!is_store).then_some(file));
        }
    }
    Ok(None)
}

/// Without a file `format` nothing but what an interrupted first open leaves may be here.
fn refuse_foreign(path: &Path, name: &str) -> Result<(), StoreError> {
    match foreign(path) {
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
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

pub(crate) fn io_error(name: &str, doing: &'static str, error: &io::Error) -> StoreError {
    StoreError::Io {
        path: name.to_owned(),
        doing,
        reason: error.to_string(),
    }
}
