//! The arguments of commands that write, list and watch keys at the hub.

use std::num::NonZeroU64;

use clap::{Args, Subcommand};
use clap_complete::Shell;
use swarm_sync::{Key, Pattern, Since, Value};

use super::authority::{
    CAS_HELP, CAS_USAGE, CLAIM_HELP, CasArgs, ClaimArgs, HeldArgs, RELEASE_HELP, RENEW_HELP,
    RenewArgs,
};
use super::parse::{count, field, pattern};
use super::past::{DIFF_HELP, DiffArgs, EXPLAIN_HELP, ExplainKeyArgs, HISTORY_HELP, HistoryArgs};
use super::{HubArgs, ReceiptsArgs, WriteArgs, receipts, with_codes};
use crate::json::value_or_text;
use crate::position;

/// Commands that ask the hub and leave.
#[derive(Debug, Subcommand)]
pub(crate) enum Keyed {
    /// Delete a key at the hub.
    #[command(after_help = with_codes(DELETE_HELP))]
    Delete(KeyArgs),
    /// Add an element to a set at the hub.
    #[command(after_help = with_codes(INSERT_HELP))]
    Insert(ElementArgs),
    /// Take an element out of a set at the hub.
    #[command(after_help = with_codes(REMOVE_HELP))]
    Remove(ElementArgs),
    /// Write one field of a map at the hub.
    #[command(after_help = with_codes(PUT_HELP))]
    Put(PutArgs),
    /// Remove one field of a map at the hub.
    #[command(after_help = with_codes(UNSET_HELP))]
    Unset(UnsetArgs),
    /// Remove one key, or all keys of the swarm, with everything the hub holds of them.
    #[command(after_help = with_codes(CLEAR_HELP))]
    Clear(ClearArgs),
    /// List the keys that hold a value at the hub.
    #[command(after_help = with_codes(KEYS_HELP))]
    Keys(KeysArgs),
    /// Print changes as the hub commits them.
    #[command(after_help = with_codes(WATCH_HELP))]
    Watch(WatchArgs),
    /// Show the commits of a key: who wrote, when, and what lost against it.
    #[command(after_help = with_codes(HISTORY_HELP))]
    History(HistoryArgs),
    /// Say why the value of a key is what it is.
    #[command(after_help = with_codes(EXPLAIN_HELP))]
    Explain(ExplainKeyArgs),
    /// Show what changed between two revisions.
    #[command(after_help = with_codes(DIFF_HELP))]
    Diff(DiffArgs),
    /// Show writes that lost, and against what.
    #[command(after_help = with_codes(receipts::HELP))]
    Receipts(ReceiptsArgs),
    /// Set or delete a key if it is at a version, decided by the hub.
    #[command(after_help = with_codes(CAS_HELP), override_usage = CAS_USAGE)]
    Cas(CasArgs),
    /// Have a key for oneself for a time.
    #[command(after_help = with_codes(CLAIM_HELP))]
    Claim(ClaimArgs),
    /// Begin the lease of a claim anew.
    #[command(after_help = with_codes(RENEW_HELP))]
    Renew(RenewArgs),
    /// End a claim.
    #[command(after_help = with_codes(RELEASE_HELP))]
    Release(HeldArgs),
    /// Print a script that completes commands in a shell.
    #[command(after_help = with_codes(COMPLETIONS_HELP))]
    Completions(CompletionsArgs),
}

impl Keyed {
    /// Whether JSON is printed, and whether in many lines.
    pub(super) fn json(&self) -> (bool, bool) {
        match self {
            Self::Delete(args) => (args.to.hub.json, false),
            Self::Insert(args) | Self::Remove(args) => (args.to.hub.json, false),
            Self::Put(args) => (args.to.hub.json, false),
            Self::Unset(args) => (args.to.hub.json, false),
            Self::Clear(args) => (args.hub.json, false),
            Self::Keys(args) => (args.hub.json, false),
            Self::Watch(args) => (args.hub.json, true),
            Self::History(args) => (args.hub.json, false),
            Self::Explain(args) => (args.hub.json, false),
            Self::Diff(args) => (args.hub.json, false),
            Self::Receipts(args) => (args.hub.json, args.follow),
            Self::Cas(args) => (args.hub.json, false),
            Self::Claim(args) => (args.hub.json, false),
            Self::Renew(args) => (args.held.hub.json, false),
            Self::Release(args) => (args.hub.json, false),
            Self::Completions(_) => (false, false),
        }
    }
}

const DELETE_HELP: &str = "\
Examples:
  swarm-sync delete greeting
  swarm-sync delete greeting --json

Concurrent additions to a counter or a set survive. Of a map, what was put after the
delete survives; what was put before it and not known to it loses, and its writer gets a
receipt. To remove all of it: clear.";

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The key.
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) to: WriteArgs,
}

const INSERT_HELP: &str = "\
Examples:
  swarm-sync insert done task-7         text, as it is not JSON
  swarm-sync insert done '{\"task\":7}'";

const REMOVE_HELP: &str = "\
Examples:
  swarm-sync remove done task-7
  swarm-sync remove done '{\"task\":7}'";

#[derive(Debug, Args)]
pub(crate) struct ElementArgs {
    /// The key of the set.
    pub(crate) key: Key,
    /// The element: JSON, or text if it is not JSON.
    #[arg(allow_hyphen_values = true, value_parser = value_or_text)]
    pub(crate) element: Value,
    #[command(flatten)]
    pub(crate) to: WriteArgs,
}

const PUT_HELP: &str = "\
Examples:
  swarm-sync put config model m1
  swarm-sync put config limits '{\"tokens\":1000}'

The key is a map from its first put on; `get` prints it as an object.";

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// The key of the map.
    pub(crate) key: Key,
    /// The name of the field: 1 to 1024 bytes.
    #[arg(allow_hyphen_values = true, value_parser = field)]
    pub(crate) field: String,
    /// Its new value: JSON, or text if it is not JSON.
    #[arg(allow_hyphen_values = true, value_parser = value_or_text)]
    pub(crate) value: Value,
    #[command(flatten)]
    pub(crate) to: WriteArgs,
}

const UNSET_HELP: &str = "\
Examples:
  swarm-sync unset config model";

#[derive(Debug, Args)]
pub(crate) struct UnsetArgs {
    /// The key of the map.
    pub(crate) key: Key,
    /// The name of the field.
    #[arg(allow_hyphen_values = true, value_parser = field)]
    pub(crate) field: String,
    #[command(flatten)]
    pub(crate) to: WriteArgs,
}

const CLEAR_HELP: &str = "\
Examples:
  swarm-sync clear greeting
  swarm-sync clear --all --swarm team   every key of the swarm";

#[derive(Debug, Args)]
pub(crate) struct ClearArgs {
    /// The key.
    #[arg(conflicts_with = "all")]
    pub(crate) key: Option<Key>,
    /// Clear every key of the swarm, on every replica. Tens of thousands of them take a disk seconds: give
    /// it a --timeout. What was not waited for goes on.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

const KEYS_HELP: &str = "\
Examples:
  swarm-sync keys
  swarm-sync keys 'task_*'
  swarm-sync keys 'task_?' --json | jq '.keys | length'";

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    /// `*` stands for any run of characters, `?` for one.
    #[arg(default_value = "*", value_parser = pattern)]
    pub(crate) pattern: Pattern,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

const WATCH_HELP: &str = "\
Examples:
  swarm-sync watch 'task_*'
  swarm-sync watch '*' --from start     what there is, then what changes
  swarm-sync watch 'task_*' --json | jq 'select(.event == \"change\") | .key'
  swarm-sync watch 'task_*' --count 10 --json

It goes on by itself after a lost connection and a restart of the hub, and ends with
Ctrl-C or after COUNT changes. Then it prints the position to go on from, EPOCH:REVISION
(with :HEAD behind it if the hub was further already), which --from takes: nothing is missed in between. With --json each line has an
\"event\": change; compacted, if the hub has not kept every change, so that of each key
only the last one follows; reload, if the position is not of this hub's log, so that
everything follows anew; end, with why. Each has the \"cursor\" to go on from, should
this be killed after it: a commit that was not told whole is told again. A bare revision
cannot tell one hub's log from another's, and skips what a restored disk has numbered
anew. --timeout is for the hub's first answer, which tells where it stands; from then on
there is no limit.";

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The keys: `*` stands for any run of characters, `?` for one.
    #[arg(value_parser = pattern)]
    pub(crate) pattern: Pattern,
    /// Begin after this position: a cursor as an earlier watch printed it, a revision, or `start`.
    /// Without it only what is committed from now on is printed.
    #[arg(long, value_name = "POSITION", allow_hyphen_values = true, value_parser = position::parse)]
    pub(crate) from: Option<Since>,
    /// End after this many changes, and those of the same commit.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true, value_parser = count::<NonZeroU64>)]
    pub(crate) count: Option<NonZeroU64>,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

const COMPLETIONS_HELP: &str = "\
Examples:
  swarm-sync completions bash > ~/.local/share/bash-completion/completions/swarm-sync
  swarm-sync completions zsh > ~/.zfunc/_swarm-sync
  swarm-sync completions fish > ~/.config/fish/completions/swarm-sync.fish";

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}
