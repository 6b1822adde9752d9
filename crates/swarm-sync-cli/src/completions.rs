//! Scripts that complete commands in a shell.

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::exit::Failure;
use crate::output;

pub(crate) fn print(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut command = Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "swarm-sync", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(())
}
