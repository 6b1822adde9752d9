//! Where a node keeps its state, on its command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// Directory for its state, of its own. Default: `hub`, or `agents/SWARM/NAME`, under
    /// `SWARM_SYNC_DATA` or `./swarm-sync-data`.
    #[arg(long, value_name = "DIR", value_parser = crate::secret::path())]
    pub(crate) data: Option<PathBuf>,
    /// Keep its state in memory only: it is gone when the process ends.
    #[arg(long, conflicts_with = "data")]
    pub(crate) memory: bool,
    /// What keeps a new directory: redb where power loss matters most. One that is there stays what it is.
    #[arg(long, value_enum, value_name = "ENGINE", conflicts_with = "memory")]
    pub(crate) store: Option<StoreKind>,
    /// If the directory is damaged, move it aside under a name with the date, and start from what can be
    /// relied on of it; the others bring the rest. One that is not damaged stays as it is.
    #[arg(long, conflicts_with = "memory")]
    pub(crate) recover: bool,
}

/// What keeps the rows of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// The default.
    Sled,
    /// Fsyncs every commit by itself.
    Redb,
}
