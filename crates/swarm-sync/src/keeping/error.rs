//! Why a directory could not be looked at, copied or brought back.

use std::io;
use std::path::Path;

use sync_core::StoreError;
use sync_protocol::RowError;
use sync_store::ArchiveError;
use thiserror::Error;

/// It was not done, and what was there is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeepingError {
    /// A store cannot be opened, read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row is another node's, or does not read as what its key says.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A file is no backup that can be used.
    #[error("{path}: {source}")]
    Archive {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: ArchiveError,
    },
    /// Something is there already.
    #[error("{path} is there already, and nothing is written over it; choose another name")]
    Exists {
        /// The file.
        path: String,
    },
    /// Somebody else makes a backup of that name.
    #[error(
        "{path} is being written by another backup; wait until that has ended, or choose another name"
    )]
    Busy {
        /// The file.
        path: String,
    },
    /// The store that is to be filled holds something.
    #[error("what is to be filled holds the swarm {swarm} already; choose an empty directory")]
    NotEmpty {
        /// The first that it holds.
        swarm: String,
    },
    /// The node that was to be copied while it runs has stopped, or has enough copies to make.
    #[error("no backup is made: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// There is nothing to copy.
    #[error("there is nothing to back up: no swarm has been written to there")]
    Nothing,
    /// The system refused.
    #[error("{path}: {doing} failed: {source}")]
    Io {
        /// The file.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl KeepingError {
    pub(super) fn archive(path: &Path) -> impl Fn(ArchiveError) -> Self {
        let path = path.display().to_string();
        move |source| Self::Archive {
            path: path.clone(),
            source,
        }
    }

    pub(super) fn io(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io {
            path: path.clone(),
            doing,
            source,
        }
    }
}
