//! The command line of `demo`.

use clap::Args;

pub(super) const HELP: &str = "\
Starts a hub and its agents as processes of their own, with TCP on loopback and a
directory each, and checks at every step that no write is lost: concurrent writes,
catching up after an absence, a hub killed by SIGKILL.

Examples:
  swarm-sync demo
  swarm-sync demo --json | jq .delta_ratio
  swarm-sync demo --keep                keep the directories, to look into them";

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Print one JSON object with all the facts.
    #[arg(long)]
    pub(crate) json: bool,
    /// Keep the directory with the data and logs of every process. A failed demo always does, an
    /// interrupted one does not.
    #[arg(long)]
    pub(crate) keep: bool,
}
