//! Where a node keeps its state, on its command line.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::parse::keep_free;

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
    /// Bytes of the directory's disk to leave free, 0 to 1152921504606846976. With less, new writes are
    /// refused with the kind `no-space` until there is a quarter more; reads, synchronization and deletes go
    /// on. 0 takes writes until the disk is full, at which the node ends.
    #[arg(long, value_name = "BYTES", default_value_t = swarm_sync::KEEP_FREE, value_parser = keep_free)]
    pub(crate) keep_free: u64,
}

/// What keeps the rows of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// The default.
    Sled,
    /// Fsyncs every commit by itself.
    Redb,
}
