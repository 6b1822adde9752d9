//! The arguments of commands that the hub alone decides.

use std::time::Duration;

use clap::Args;
use swarm_sync::{AgentId, Expected, Incarnation, Key, Token, Value};

use super::HubArgs;
use super::parse::{name, span};
use crate::json::value_or_text;
use crate::position::parse_expected;

pub(super) const CAS_HELP: &str = "\
Examples:
  swarm-sync cas owner agent-1 --expected 0     only if nobody has set it
  read=$(swarm-sync get owner --json | jq -r .expected)     3@5f1c9e07aa34b211:812, say
  swarm-sync cas owner agent-2 --expected $read     only if it is still what was read
  swarm-sync cas owner --delete --expected 4
  swarm-sync cas done/7 '\"ok\"' --if-claim task/7 --token 5f1c9e07aa34b211:812

The hub decides, so nothing can come in between. `get --json`, `version --json` and
`cas --json` print as \"expected\" the version with where it was read, VERSION@EPOCH:REVISION:
should the hub have lost that with its disk, the number may stand for another value by now,
and it is refused. A bare VERSION says just the number. A conflict exits with 1 and says what the key holds instead, with --json
as an object; nothing has changed then.

The key is the hub's from then on (rule authority): plain writes to it are refused until it
is deleted. A policy with rule = \"authority\" makes that last.

Repeated with the same --attempt it is decided once, and answered alike.";

/// What may stand for what, which is not to be seen from what is missing.
pub(super) const CAS_USAGE: &str = "swarm-sync cas <KEY> <VALUE | --delete> <--expected <VERSION> | --if-claim <KEY> --token <TOKEN>> [OPTIONS]";

#[derive(Debug, Args)]
pub(crate) struct CasArgs {
    /// The key.
    pub(crate) key: Key,
    /// Its new value: JSON, or text if it is not JSON.
    #[arg(allow_hyphen_values = true, value_parser = value_or_text, required_unless_present = "delete")]
    pub(crate) value: Option<Value>,
    /// Delete the key instead.
    #[arg(long, conflicts_with = "value")]
    pub(crate) delete: bool,
    /// The version that the key must be at, 0 if it must not exist; as `get --json` prints it
    /// (VERSION@EPOCH:REVISION) it holds only for the log that it was read in.
    #[arg(long, value_name = "VERSION", allow_hyphen_values = true, value_parser = parse_expected, required_unless_present = "if_claim")]
    pub(crate) expected: Option<Expected>,
    /// Only as long as this key is claimed with --token.
    #[arg(long, value_name = "KEY", requires = "token")]
    pub(crate) if_claim: Option<Key>,
    /// What proves the claim, as `claim` printed it.
    #[arg(long, value_name = "TOKEN", requires = "if_claim")]
    pub(crate) token: Option<Token>,
    /// Names this attempt: 16 hexadecimal digits. Default: one that is drawn.
    #[arg(long, value_name = "ID")]
    pub(crate) attempt: Option<Incarnation>,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

pub(super) const CLAIM_HELP: &str = "\
Examples:
  swarm-sync claim task/7 --lease 30s --name worker-3
  swarm-sync claim task/7 --attempt 5f1c9e07aa34b211     the same claim if asked again
  token=$(swarm-sync claim task/7 --lease 30s --json | jq -r .token)
  swarm-sync renew task/7 $token --lease 30s
  swarm-sync release task/7 $token

The key is its holder's until the lease ends or is given back; everybody sees who has it
as the key's value. What is done under it is safe with `cas --if-claim KEY --token TOKEN`:
a holder that was too slow is refused. Refused with 1 while somebody else has it, and
after the hub has started anew for as long as the longest lease of late: it may have lost
a claim with its disk. One longer than that may be lost unnoticed; its token is refused.";

#[derive(Debug, Args)]
pub(crate) struct ClaimArgs {
    /// The key.
    pub(crate) key: Key,
    /// For how long, as in 500ms, 30s or 5m: an hour at most.
    #[arg(long, value_name = "TIME", default_value = "30s", allow_hyphen_values = true, value_parser = span)]
    pub(crate) lease: Duration,
    /// Who is to have it. Default: cli; over TLS the name that is proved, and no other.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) name: Option<AgentId>,
    /// Names this attempt, as for `cas`: 16 hexadecimal digits. Default: one that is drawn.
    #[arg(long, value_name = "ID")]
    pub(crate) attempt: Option<Incarnation>,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

pub(super) const RENEW_HELP: &str = "\
Examples:
  swarm-sync renew task/7 5f1c9e07aa34b211:812 --lease 30s

The lease begins anew now. Refused with 1 if it has ended already, what it protected may be
somebody else's by now, and if it is another's than --name says.";

#[derive(Debug, Args)]
pub(crate) struct RenewArgs {
    #[command(flatten)]
    pub(crate) held: HeldArgs,
    /// For how long from now, as in 500ms, 30s or 5m: an hour at most.
    #[arg(long, value_name = "TIME", default_value = "30s", allow_hyphen_values = true, value_parser = span)]
    pub(crate) lease: Duration,
}

pub(super) const RELEASE_HELP: &str = "\
Examples:
  swarm-sync release task/7 5f1c9e07aa34b211:812

Others can claim the key then. Refused with 1 if the claim has ended already, or is another's than
--name says.";

/// A claim that was granted.
#[derive(Debug, Args)]
pub(crate) struct HeldArgs {
    /// The key.
    pub(crate) key: Key,
    /// What proves the claim, as `claim` printed it.
    pub(crate) token: Token,
    /// Who has it, as `claim` was told: in that name alone is it renewed or given back. Default: cli; over TLS
    /// the name that is proved, and no other.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) name: Option<AgentId>,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}
