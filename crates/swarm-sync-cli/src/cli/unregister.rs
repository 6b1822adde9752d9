//! The arguments of `unregister`.

use clap::Args;
use swarm_sync::AgentId;

use super::HubArgs;

pub(super) const HELP: &str = "\
An agent is on the roster from its first connection on, connected or not. Votes need more
than half of the roster, and a `sync` reports who of it is missing: take off who has left
for good. What it wrote stays, votes under way keep their roster, and it is on the roster
again once it connects. One that is connected connects again by itself, within a second or
so: end it first. The answer says if it was connected, \"was_connected\" with --json.

Examples:
  swarm-sync unregister worker-7
  swarm-sync unregister worker-7 --swarm team --json | jq .unregistered
  swarm-sync status                     who is on the roster, and connected

Exits with 1 if it was not on the roster.";

#[derive(Debug, Args)]
pub(crate) struct UnregisterArgs {
    /// Name of the agent.
    #[arg(value_name = "NAME")]
    pub(crate) agent: AgentId,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}
