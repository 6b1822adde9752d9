//! sled's own files: waited for, cleaned, fsynced.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use sync_core::store::StoreError;

use crate::directory::{Directory, sync_directory};

pub(super) const SLED_FILE: &str = "db";
const SLED_CONFIG_FILE: &str = "conf";
const SLED_SNAPSHOT_PREFIX: &str = "snap.";
const SLED_UNFINISHED: &str = ".generating";

/// How long sled may take to let go of its file after it was dropped: its last thread ends by
/// itself. Seen: under 1 ms.
const RELEASE_POLLS_MAX: u32 = 5_000;
const RELEASE_POLL: Duration = Duration::from_millis(1);

/// Waits until sled's own lock is free. It is our lock that decides who has the directory; this
/// one lingers for a moment when sled's threads end.
pub(super) fn wait_for_sled(directory: &Directory) -> Result<(), StoreError> {
    let file = match File::open(directory.path().join(SLED_FILE)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(directory.io_error("opening the database file", &e)),
    };
    for _ in 0..RELEASE_POLLS_MAX {
        match file.try_lock() {
            Ok(()) => {
                return file
                    .unlock()
                    .map_err(|e| directory.io_error("unlocking the database file", &e));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(RELEASE_POLL),
            Err(TryLockError::Error(e)) => {
                return Err(directory.io_error("locking the database file", &e));
            }
        }
    }
    Err(StoreError::InUse {
        path: directory.name().to_string(),
    })
}

/// Opens sled's file anew and makes what sled wrote while opening durable. The handle must exist
/// before the first write: a handle opened after a failed write does not see the failure.
pub(super) fn open_and_sync(directory: &Directory) -> Result<File, StoreError> {
    let open = |name: &Path| -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).open(name)?;
        file.sync_all()?;
        Ok(file)
    };
    let sync_all = || -> io::Result<File> {
        let db = open(&directory.path().join(SLED_FILE))?;
        open(&directory.path().join(SLED_CONFIG_FILE))?;
        if let Some(snapshot) = newest_snapshot(directory)? {
            open(&directory.path().join(snapshot))?;
        }
        sync_directory(directory.path())?;
        Ok(db)
    };
    sync_all().map_err(|e| directory.io_error("fsync", &e))
}

/// Removes what a process that was killed while it opened the store had begun to write of a
/// snapshot. Such a file tells nothing that the log does not, but sled takes it for the newest
/// snapshot and, as it is cut short, the whole store for damaged.
pub(super) fn remove_unfinished_snapshots(directory: &Directory) -> Result<(), StoreError> {
    let remove = || -> io::Result<()> {
        for entry in fs::read_dir(directory.path())? {
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
    remove().map_err(|e| directory.io_error("removing an unfinished snapshot", &e))
}

fn newest_snapshot(directory: &Directory) -> io::Result<Option<OsString>> {
    let mut newest = None;
    for entry in fs::read_dir(directory.path())? {
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
