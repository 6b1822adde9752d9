//! The arguments of `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use swarm_sync::Key;

use super::{HubArgs, StatusArgs, with_codes};

pub(super) const HELP: &str = r#"A file of policies, for `swarm-sync serve --policy FILE`:
  [[policy]]
  pattern = "task_*"          # * is any run of characters, ? is one
  rule = "causal"             # lww (or register), counter, set, map, causal, custom,
                              # or authority: changed by cas and claims alone
  on_concurrent = "keep"      # for causal: lww, keep, custom
  merge = "max"               # for custom: max or min of numbers, union of lists
  durability = "hub"          # memory, disk, hub
  ttl = "7d"                  # a whole number and ms, s, m, h or d
  ttl_refresh = true          # counted from the last write, not the first
  priority = "high"           # critical, high, medium, low, background: which
                              # keys a sync asks for first, how long it waits for
                              # them, and what gives way first where room runs out
  max_value_bytes = 65536
  history_commits = 100       # kept per key for `history` and `explain`,
  history_age = "30d"         # and how long they are told of
  receipts = 1000             # that may wait for one agent: then the oldest become
                              # a number; 100,000 if not given
Only the pattern is needed; what is left out is as without policies. For each key the most
specific pattern that matches counts, alone: more characters spelled out, then fewer
stars, then more question marks. Two that are equally specific and match the same key
are refused.
Another ttl holds for keys that are there, too, counted from the same write as before. No
ttl ends a claim: it lasts as long as its lease.

Examples:
  swarm-sync policy check policies.toml
  swarm-sync policy explain task_7 --file policies.toml
  swarm-sync policy show                what holds at the hub
  swarm-sync policy explain task_7      the same for one key, and why
  swarm-sync policy reload              after the file has changed"#;

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say whether a file is a valid table of policies, and what is wrong with it. Needs no hub.
    #[command(after_help = with_codes(CHECK_HELP))]
    Check(CheckArgs),
    /// Show the policies in force at the hub, the most specific first.
    #[command(after_help = with_codes(SHOW_HELP))]
    Show(StatusArgs),
    /// Say which patterns match a key, which of them counts and why, what holds for the key, and at a hub
    /// under which rule it is held.
    #[command(after_help = with_codes(EXPLAIN_HELP))]
    Explain(ExplainArgs),
    /// Have the hub read its file anew. A file that is not valid leaves everything as it was.
    #[command(after_help = with_codes(RELOAD_HELP))]
    Reload(StatusArgs),
}

impl PolicyCommand {
    pub(super) fn json(&self) -> bool {
        match self {
            Self::Check(args) => args.json,
            Self::Show(args) | Self::Reload(args) => args.hub.json,
            Self::Explain(args) => args.hub.json,
        }
    }
}

const CHECK_HELP: &str = "\
Examples:
  swarm-sync policy check policies.toml
  swarm-sync policy check policies.toml --json | jq '.policies[].pattern'

Everything that is wrong is a line FILE:LINE: REASON on stderr.";

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The file.
    #[arg(value_parser = crate::secret::path())]
    pub(crate) file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

const SHOW_HELP: &str = "\
Examples:
  swarm-sync policy show
  swarm-sync policy show --json | jq '.policies[] | select(.ttl_ms)'";

const EXPLAIN_HELP: &str = "\
Examples:
  swarm-sync policy explain task_7
  swarm-sync policy explain task_7 --json | jq .holds.rule
  swarm-sync policy explain task_7 --file policies.toml   without a hub";

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The key. It need not be there.
    pub(crate) key: Key,
    /// Ask this file, not a hub.
    #[arg(long, value_name = "FILE", value_parser = crate::secret::path())]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

const RELOAD_HELP: &str = "\
Examples:
  swarm-sync policy reload
  swarm-sync policy check policies.toml && swarm-sync policy reload

SIGHUP at the hub's process does the same, and the hub's log says what came of it.

A key that holds a value of another rule goes on under that one until it is deleted:
`policy explain` says so.

Exits with 1 if the file is not valid or the hub was started without --policy.";
