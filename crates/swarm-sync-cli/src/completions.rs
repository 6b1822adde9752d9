//! Scripts that complete commands in a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, CompletionsArgs};
use crate::exit::Failure;
use crate::output;

const PROGRAM: &str = "swarm-sync";

/// What `clap_complete` 4.6 makes of the program's name where its bash script tells what follows a
/// command: the hyphen counts as the start of a subcommand.
const NAME_IN_LABELS: &str = "swarm__subcmd__sync__subcmd__";

/// What it makes of the same name where that script finds out which command it is.
const NAME_IN_STATES: &str = "swarm__sync__subcmd__";

pub(crate) fn print(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut command = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, PROGRAM, &mut script);
    let script = String::from_utf8_lossy(&script);
    output::line(in_agreement(args.shell, &script).trim_end())?;
    Ok(())
}

/// The script with one spelling of the program's name: with two, bash completes nothing after the
/// first word (<https://github.com/clap-rs/clap/issues/6421>). Changes nothing once that is mended.
fn in_agreement(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => script.replace(NAME_IN_LABELS, NAME_IN_STATES),
        _ => script.to_owned(),
    }
}
