//! What the tests of the durable stores share.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test binary uses a part; helpers fail by panicking, as tests do"
)]

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use sync_core::id::SwarmId;
use sync_core::store::{Row, Store, StoreError};

#[path = "workload.rs"]
pub(crate) mod workload;

pub(crate) use workload::{Numbers, batch, delete, put, swarm};

/// Tells a child of this binary which directory to work on; without it the child does nothing.
pub(crate) const CHILD_DIRECTORY: &str = "SYNC_STORE_TEST_DIRECTORY";

/// Tells it with which engine.
pub(crate) const CHILD_ENGINE: &str = "SYNC_STORE_TEST_ENGINE";

/// A store on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    #[cfg(feature = "sled")]
    Sled,
    #[cfg(feature = "redb")]
    Redb,
}

impl Disk {
    pub(crate) const ALL: &[Self] = &[
        #[cfg(feature = "sled")]
        Self::Sled,
        #[cfg(feature = "redb")]
        Self::Redb,
    ];

    pub(crate) fn open(self, directory: impl AsRef<Path>) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            #[cfg(feature = "sled")]
            Self::Sled => Arc::new(sync_store::SledStore::open(directory)?),
            #[cfg(feature = "redb")]
            Self::Redb => Arc::new(sync_store::RedbStore::open(directory)?),
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "sled")]
            Self::Sled => "sled",
            #[cfg(feature = "redb")]
            Self::Redb => "redb",
        }
    }

    /// The engine's file with the rows.
    pub(crate) fn database(self) -> &'static str {
        match self {
            #[cfg(feature = "sled")]
            Self::Sled => "db",
            #[cfg(feature = "redb")]
            Self::Redb => "rows.redb",
        }
    }

    /// In a child of this binary: the directory to work on, and with what.
    pub(crate) fn of_child() -> Option<(Self, std::ffi::OsString)> {
        let directory = std::env::var_os(CHILD_DIRECTORY)?;
        let named = std::env::var(CHILD_ENGINE).unwrap();
        let disk = Self::ALL.iter().find(|disk| disk.database() == named);
        Some((*disk.unwrap(), directory))
    }
}

pub(crate) async fn read_all(store: &dyn Store, swarm: &SwarmId) -> Vec<Row> {
    store.scan(swarm, None, usize::MAX).await.unwrap()
}

/// This binary again, running only the test `child`, which finds out by [`Disk::of_child`].
pub(crate) fn child(child: &str, disk: Disk, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", child, "--nocapture", "--test-threads=1"])
        .env(CHILD_DIRECTORY, directory)
        .env(CHILD_ENGINE, disk.database());
    command
}

/// One whole line to standard output, at once: the parent may kill this process right after.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A whole directory, file by file.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
