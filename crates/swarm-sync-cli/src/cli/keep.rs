//! The command lines of `backup` and `restore`.

use std::path::PathBuf;

use clap::Args;

use super::StoreKind;

pub(super) const BACKUP_HELP: &str = "\
Takes the state of a node that is stopped, a hub's or an agent's, with all its swarms. The
file is written beside its name, as TO.partial, read again and compared, and then given
the name; nothing is written over. Only a TO.partial that a killed backup left is removed.
It holds everything in the clear: only its owner may read it.

A hub that is stopped for it is missed for a second: agents write on and come back. One
that is not to be stopped makes its own: see --backups of `swarm-sync serve --help`.

Examples:
  swarm-sync backup --data /var/lib/swarm-sync/hub hub-monday.backup
  swarm-sync backup --data ./agent-1 agent-1.backup --json

A directory that is in use or damaged is refused, with exit code 4.";

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// File to write, which must not be there yet.
    #[arg(value_name = "TO", value_parser = crate::secret::path())]
    pub(crate) to: PathBuf,
    /// The node's directory. Default: a hub's, `hub` under `SWARM_SYNC_DATA` or `./swarm-sync-data`.
    #[arg(long, value_name = "DIR", value_parser = crate::secret::path())]
    pub(crate) data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const RESTORE_HELP: &str = "\
Makes a directory of a backup. All of the file is checked first; the directory is filled
beside its name and then given it, and must be empty or not there.

A hub that is restored opens a run of its own: agents notice that it has lost what was
since, and bring back all they hold. What only the hub had is as old as the backup, and it
grants no claim for an hour after its start, as long as a lease may last that it forgot.
An agent that is restored draws a new incarnation and catches up from the hub; what it had
written since and not sent is gone.

Examples:
  swarm-sync restore hub-monday.backup --data /var/lib/swarm-sync/hub
  swarm-sync restore agent-1.backup --data ./agent-1 --store redb --json

A file that is no backup, cut short, damaged or of a newer format changes nothing and is
exit code 1; a directory that is not empty is exit code 4.";

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup.
    #[arg(value_name = "FROM", value_parser = crate::secret::path())]
    pub(crate) from: PathBuf,
    /// Directory to make. Default: a hub's, `hub` under `SWARM_SYNC_DATA` or `./swarm-sync-data`.
    #[arg(long, value_name = "DIR", value_parser = crate::secret::path())]
    pub(crate) data: Option<PathBuf>,
    /// What keeps it: redb where power loss matters most. It need not be what kept the original.
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub(crate) store: Option<StoreKind>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
