//! The command line of `doctor`.

use std::path::PathBuf;

use clap::error::{Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};

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
directory itself is only read. No hub is asked, so options about one are refused. It says whose it is, which swarms, how far each had got, what
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

/// What `doctor DIR` heeds.
const INSIDE: [&str; 3] = ["directory", "json", "verbose"];

/// Refuses options of `doctor` that say nothing when it looks inside a directory: whoever gives them expects a
/// hub to be asked. What the environment says of hubs is meant for other commands, too.
pub(crate) fn refuse_unused(program: &mut Command, given: &ArgMatches) -> Result<(), Error> {
    let Some(("doctor", given)) = given.subcommand() else {
        return Ok(());
    };
    let Some(doctor) = program.find_subcommand_mut("doctor") else {
        return Ok(());
    };
    let typed = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
    if !typed("directory") {
        return Ok(());
    }
    let unused = doctor.get_arguments().filter(|argument| {
        let id = argument.get_id().as_str();
        !INSIDE.contains(&id) && given.try_contains_id(id).is_ok() && typed(id)
    });
    let unused: Vec<String> = unused
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
        .collect();
    if unused.is_empty() {
        return Ok(());
    }
    let message = format!(
        "`doctor DIR` looks inside a directory and asks no hub, so that {} would do nothing there: leave it out, or \
         give the directory with --data to have the hub looked at, too",
        unused.join(", ")
    );
    Err(doctor.error(ErrorKind::ArgumentConflict, message))
}

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
