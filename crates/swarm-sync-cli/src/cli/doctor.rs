//! The command line of `doctor`.

use std::path::PathBuf;

use clap::Args;

use super::HubArgs;

pub(super) const HELP: &str = "\
Looks whether agents, commands or a hub would run well from here, and says so in a line for each
thing that it looked at: how it is, and what to do if it is not as it should be.

  hub     its name has an address, something answers there, TLS, the hello, both ends' versions
  rights  whether they let an agent of this name in; commands ask under it, whatever they say
  clock   against the hub's: writes from too far ahead are refused
  data    the directory: what is in it, who has it open, whose it is and who else may read it;
          a file without a name is written there, fsynced and read back; space; filesystem
  limits  open files, and connections that the system keeps for a hub that is busy

It takes no lock and leaves nothing behind, so that hub and agents may go on meanwhile. It asks as
commands do, and pushes no agent off. What is inside a store it does not check.

Given a directory, it looks inside that and at nothing else, while no node runs on it: a copy
is opened as a node would, in the system's directory for temporary files (TMPDIR), and the
directory itself is only read. It says whose it is, which swarms, how far each had got, what
waits, whether seals and rows agree, which rows are damaged, and what to do.

Examples:
  swarm-sync doctor
  swarm-sync doctor --data /var/lib/swarm-sync/agent-1 --timeout 3
  swarm-sync doctor --agent --hub hub.example:7420 --swarm team --tls-ca ca.pem \
    --token-file team.a.token
  swarm-sync doctor /var/lib/swarm-sync/hub     inside, while it is stopped
  swarm-sync doctor --json | jq -r '.checks[] | select(.verdict != \"ok\") | .message'

Exits with 0 if nothing fails, whatever it warns of. Else the first that fails says with what: 3 the
hub, 4 the data directory, 2 files that the command line names, 1 anything else.";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Look inside this directory of a stopped hub or agent.
    #[arg(value_name = "DIR", conflicts_with = "data", value_parser = crate::secret::path())]
    pub(crate) directory: Option<PathBuf>,
    /// Directory of a node's state, there or not yet. Default: a hub's, `hub` under `SWARM_SYNC_DATA` or
    /// `./swarm-sync-data`.
    #[arg(long, value_name = "DIR", value_parser = crate::secret::path())]
    pub(crate) data: Option<PathBuf>,
    /// An agent is to run under this name: fail also if the rights of the hub let it in for commands only.
    #[arg(long)]
    pub(crate) agent: bool,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}
