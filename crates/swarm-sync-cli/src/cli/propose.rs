//! The arguments of `propose`.

use std::time::Duration;

use clap::Args;
use swarm_sync::{Key, ProposalId, Share, Value};

use super::SwarmArgs;
use super::parse::{amount, field, share, vote_time};
use crate::json::value_or_text;

pub(super) const HELP: &str = "\
Every agent of the roster may vote, connected or not, each once: with a voter of its own,
or by hand, as `swarm-sync agent --json` does with {\"op\":\"vote\",…}. More than half of
the roster must have voted before anything is decided either way; what approval takes is
said by the algorithm:
  quorum      more than half of the roster in favour, or --threshold of it
  unanimous   every one in favour
  weighted    more than half of the weight, or --threshold of it; the hub has the weights
              (`swarm-sync serve --weight`)
Who has left for good counts until `swarm-sync unregister` takes it off the roster.
The write that --key names is committed in one step with the approval, or not at all. If
it loses against a concurrent one later, `swarm-sync receipts` shows it. Of commands that
name a key, 16 may wait for their votes at a time.

Examples:
  swarm-sync propose 'move to model m2'
  swarm-sync propose '{\"action\":\"raise\"}' --key limit --value 100 --threshold 0.66
  swarm-sync propose 'add a worker' --key workers --add 1 --timeout 30s --sync
  swarm-sync propose 'model m2' --key config --field model --value m2
  swarm-sync propose 'no fallback' --key config --unset fallback
  swarm-sync propose 'go' --json | jq '.votes[] | {agent, vote, reason}'

A hub that is killed and started again meanwhile is asked again; the votes that it has
counted stay. Whoever proposes the same twice under one --id proposes once, also after
the decision, which is then told again. Ctrl-C ends the waiting and not the vote: the id
is printed to stderr first, and with it the same command goes on waiting.

Exits with 0 if it is approved, and what it writes was committed; with 5 if it is rejected;
with 6 if its time ran out before it was decided.";

#[derive(Debug, Args)]
pub(crate) struct ProposeArgs {
    /// What it is about, for those who vote: JSON, or text if it is not JSON.
    #[arg(allow_hyphen_values = true, value_parser = value_or_text)]
    pub(crate) proposal: Value,
    /// Approval writes this key: with one of --value, --add, --insert, --remove, --unset, --delete.
    #[arg(long, value_name = "KEY", requires = "EffectArgs")]
    pub(crate) key: Option<Key>,
    #[command(flatten)]
    pub(crate) effect: EffectArgs,
    /// Write the value to this field of a map, and leave its other fields.
    #[arg(
        long, value_name = "NAME", requires = "value",
        conflicts_with_all = ["add", "insert", "remove", "unset", "delete"],
        allow_hyphen_values = true, value_parser = field
    )]
    pub(crate) field: Option<String>,
    /// Who decides: an algorithm that the hub knows. Default: the hub's own.
    #[arg(long, value_name = "NAME")]
    pub(crate) algorithm: Option<String>,
    /// How much approval it takes: above 0, at most 1.
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, value_parser = share)]
    pub(crate) threshold: Option<Share>,
    /// How long the vote may take, as in 500ms, 30s or 5m; a day at most. Default: the hub's own.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = vote_time)]
    pub(crate) timeout: Option<Duration>,
    /// Propose under this id, 16 hexadecimal digits. Default: one that is drawn.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<ProposalId>,
    /// Once it is committed, wait until the connected agents have confirmed that they hold it.
    #[arg(long)]
    pub(crate) sync: bool,
    #[command(flatten)]
    pub(crate) at: SwarmArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What approval does to the key.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct EffectArgs {
    /// Replace the value: JSON, or text if it is not JSON.
    #[arg(long, value_name = "VALUE", requires = "key", allow_hyphen_values = true, value_parser = value_or_text)]
    pub(crate) value: Option<Value>,
    /// Add to the counter.
    #[arg(long, value_name = "AMOUNT", requires = "key", allow_negative_numbers = true, value_parser = amount)]
    pub(crate) add: Option<i64>,
    /// Add an element to the set.
    #[arg(long, value_name = "ELEMENT", requires = "key", allow_hyphen_values = true, value_parser = value_or_text)]
    pub(crate) insert: Option<Value>,
    /// Take an element out of the set.
    #[arg(long, value_name = "ELEMENT", requires = "key", allow_hyphen_values = true, value_parser = value_or_text)]
    pub(crate) remove: Option<Value>,
    /// Remove this field of the map.
    #[arg(long, value_name = "NAME", requires = "key", allow_hyphen_values = true, value_parser = field)]
    pub(crate) unset: Option<String>,
    /// Delete the key.
    #[arg(long, requires = "key")]
    pub(crate) delete: bool,
}
