//! The arguments of commands about the past.

use clap::Args;
use swarm_sync::{Key, Since};

use super::HubArgs;
use crate::position;

pub(super) const HISTORY_HELP: &str = "\
Examples:
  swarm-sync history config
  swarm-sync history config --limit 3
  swarm-sync history config --json | jq '.commits[].writes[].write'

The newest commit comes first. The hub keeps the last 16 of each key, or what the policy
of the key says (history_commits, history_age); where it has dropped some the answer
ends with the version up to which and why.";

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The key.
    pub(crate) key: Key,
    /// How many commits at most.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  swarm-sync explain config
  swarm-sync explain config --json | jq -r '.sentences[]'

Says why the value of a key is what it is: who wrote it, what its author had seen, what
lost against it and by what comparison, what remains concurrent, when it ends, and which
policy counts. Which policies there are for a key: swarm-sync policy explain.";

#[derive(Debug, Args)]
pub(crate) struct ExplainKeyArgs {
    /// The key.
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

pub(super) const DIFF_HELP: &str = "\
Examples:
  swarm-sync diff 17 42                 what changed after revision 17, up to 42
  swarm-sync diff 17                    up to now
  swarm-sync diff start 42 --json | jq '.changes[].key'

Each key once, with what it was and what it became, as far as its history goes back. The
hub knows the keys of its last 100,000 commits.";

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// After which revision: a number, `start`, or a cursor as `watch` prints it.
    #[arg(value_name = "FROM", value_parser = position::parse)]
    pub(crate) from: Since,
    /// Up to which revision; the last one if not given.
    #[arg(value_name = "TO", value_parser = position::parse)]
    pub(crate) to: Option<Since>,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}
