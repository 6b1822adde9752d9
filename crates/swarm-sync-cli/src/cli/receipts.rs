//! The arguments of `receipts`.

use clap::Args;
use swarm_sync::AgentId;

use super::HubArgs;

pub(super) const HELP: &str = "\
Examples:
  swarm-sync receipts                   what came back to commands like `set`
  swarm-sync receipts --take            the same, and forget it at the hub
  swarm-sync receipts --follow --json | jq -r .why
  swarm-sync receipts --name agent-1    what waits for an agent that is away

Commands write at the hub under one name, cli; so is written what `propose` had voted on.
An agent that was cut off may still supersede what they wrote: the receipt says what was discarded, what won and why, and
waits until it is taken. An agent's receipts come to it by themselves and are its own to
take; here they can only be looked at. With --follow one line or object follows as each
arrives, until Ctrl-C, also after a lost connection and a restart of the hub; one that has
lost its disk shows anew what waits there. --take forgets at the hub what has been printed,
and only then: if nobody reads it, nothing is taken; if the hub is lost in between, the exit
code is 1 and they are shown again the next time, or with --follow taken later. A line with the reason dropped counts those that were
too many to wait (`receipts` in the policy of their keys).";

#[derive(Debug, Args)]
pub(crate) struct ReceiptsArgs {
    /// Whose receipts to show, instead of those of commands.
    #[arg(long, value_name = "AGENT")]
    pub(crate) name: Option<AgentId>,
    /// Go on as receipts arrive.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Forget at the hub what was shown.
    #[arg(long)]
    pub(crate) take: bool,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}
