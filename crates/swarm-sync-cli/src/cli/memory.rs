//! The arguments of `memory`.

use clap::{Args, Subcommand};
use swarm_sync::{Key, Namespace, Pattern, Value};

use super::parse::pattern;
use super::{HubArgs, StatusArgs, with_codes};
use crate::json::value_or_text;

pub(super) const HELP: &str = "\
Values by namespace and key, kept at the hub beside the synchronized state: no replica
holds them, no revision counts them, and the last one stored is the one there is. Each
swarm has a memory of its own. A value survives a restart of the hub, and `kill -9`,
unless it is stored with --volatile.

Examples:
  swarm-sync memory store plan '{\"step\":3}'
  swarm-sync memory store draft text --namespace notes --volatile
  swarm-sync memory get plan
  swarm-sync memory get plan --default null
  swarm-sync memory list 'task_*' --namespace notes
  swarm-sync memory delete plan
  swarm-sync memory clear --namespace notes
  swarm-sync memory stats";

#[derive(Debug, Args)]
pub(crate) struct MemoryArgs {
    #[command(subcommand)]
    pub(crate) command: MemoryCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MemoryCommand {
    /// Store a value in place of what is there.
    #[command(after_help = with_codes(STORE_HELP))]
    Store(MemoryStoreArgs),
    /// Read a value.
    #[command(after_help = with_codes(GET_HELP))]
    Get(MemoryGetArgs),
    /// Remove a value.
    #[command(after_help = with_codes(DELETE_HELP))]
    Delete(MemoryKeyArgs),
    /// List the keys of a namespace.
    #[command(after_help = with_codes(LIST_HELP))]
    List(MemoryListArgs),
    /// Remove all values of a namespace: all of them or, if the hub dies over it, none.
    #[command(after_help = with_codes(CLEAR_HELP))]
    Clear(MemoryClearArgs),
    /// Show what each namespace holds.
    #[command(after_help = with_codes(STATS_HELP))]
    Stats(StatusArgs),
}

impl MemoryCommand {
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Store(args) => args.at.hub.json,
            Self::Get(args) => args.at.hub.json,
            Self::Delete(args) => args.at.hub.json,
            Self::List(args) => args.at.hub.json,
            Self::Clear(args) => args.hub.json,
            Self::Stats(args) => args.hub.json,
        }
    }
}

/// Where in the memory.
#[derive(Debug, Args)]
pub(crate) struct SpaceArgs {
    /// The namespace: letters, digits, `.`, `_`, `:` and `-`, at most 128.
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    pub(crate) namespace: Namespace,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

const STORE_HELP: &str = "\
Examples:
  swarm-sync memory store plan '{\"step\":3}'
  swarm-sync memory store draft text --namespace notes --volatile

A volatile value in place of a persistent one takes it away: after a restart of the hub
there is none.";

#[derive(Debug, Args)]
pub(crate) struct MemoryStoreArgs {
    /// The key.
    pub(crate) key: Key,
    /// The value: JSON, or text if it is not JSON.
    #[arg(allow_hyphen_values = true, value_parser = value_or_text)]
    pub(crate) value: Value,
    /// Keep it only as long as the hub runs.
    #[arg(long)]
    pub(crate) volatile: bool,
    #[command(flatten)]
    pub(crate) at: SpaceArgs,
}

const GET_HELP: &str = "\
Examples:
  swarm-sync memory get plan
  swarm-sync memory get plan --default '{}' --json | jq .value

Exits with 1 if there is no value and no --default.";

#[derive(Debug, Args)]
pub(crate) struct MemoryGetArgs {
    /// The key.
    pub(crate) key: Key,
    /// What to print if there is no value: JSON, or text if it is not JSON.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true, value_parser = value_or_text)]
    pub(crate) default: Option<Value>,
    #[command(flatten)]
    pub(crate) at: SpaceArgs,
}

const DELETE_HELP: &str = "\
Examples:
  swarm-sync memory delete plan
  swarm-sync memory delete draft --namespace notes --json | jq .deleted";

#[derive(Debug, Args)]
pub(crate) struct MemoryKeyArgs {
    /// The key.
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) at: SpaceArgs,
}

const LIST_HELP: &str = "\
Examples:
  swarm-sync memory list
  swarm-sync memory list 'task_*' --namespace notes
  swarm-sync memory list 'task_?' --json | jq '.keys | length'";

#[derive(Debug, Args)]
pub(crate) struct MemoryListArgs {
    /// `*` stands for any run of characters, `?` for one.
    #[arg(default_value = "*", value_parser = pattern)]
    pub(crate) pattern: Pattern,
    #[command(flatten)]
    pub(crate) at: SpaceArgs,
}

const CLEAR_HELP: &str = "\
Examples:
  swarm-sync memory clear --namespace notes";

#[derive(Debug, Args)]
pub(crate) struct MemoryClearArgs {
    /// The namespace. It has to be named.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Namespace,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

const STATS_HELP: &str = "\
Examples:
  swarm-sync memory stats
  swarm-sync memory stats --json | jq '.namespaces[] | select(.volatile > 0)'

Bytes are counted as the hub's bound counts them: names, keys and values, and what it takes
to hold each of them.";
