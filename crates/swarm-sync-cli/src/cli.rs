//! The command line. Each `--help` shows what to type.

mod agent;
mod authority;
mod cert;
mod data;
mod demo;
pub(crate) mod doctor;
mod keep;
mod keyed;
mod memory;
mod parse;
mod past;
mod policy;
mod propose;
mod receipts;
mod replay;
mod rounds;
mod serve;
mod tls;
mod top;
mod unregister;
mod writing;

use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};
use swarm_sync::{Key, Revision, Since, SwarmId, Value};

use crate::exit::{self, Audience};
use crate::json::value_or_text;
use crate::position;

pub(crate) use self::agent::AgentArgs;
pub(crate) use self::authority::{CasArgs, ClaimArgs, HeldArgs, RenewArgs};
pub(crate) use self::cert::{CertArgs, CertCommand, Directory};
pub(crate) use self::data::{DataArgs, StoreKind};
pub(crate) use self::demo::DemoArgs;
pub(crate) use self::doctor::DoctorArgs;
pub(crate) use self::keep::{BackupArgs, RestoreArgs};
pub(crate) use self::keyed::{ClearArgs, CompletionsArgs, Keyed, KeysArgs, WatchArgs};
pub(crate) use self::memory::{
    MemoryArgs, MemoryClearArgs, MemoryCommand, MemoryGetArgs, MemoryKeyArgs, MemoryListArgs,
    MemoryStoreArgs,
};
use self::parse::{address, amount, revision, seconds};
pub(crate) use self::past::{DiffArgs, ExplainKeyArgs, HistoryArgs};
pub(crate) use self::policy::{ExplainArgs, PolicyArgs, PolicyCommand};
pub(crate) use self::propose::ProposeArgs;
pub(crate) use self::receipts::ReceiptsArgs;
use self::replay::REPLAY_HELP;
pub(crate) use self::replay::ReplayArgs;
pub(crate) use self::rounds::{Every, RoundArgs};
use self::serve::SERVE_HELP;
pub(crate) use self::serve::ServeArgs;
pub(crate) use self::tls::{HubTlsArgs, TlsArgs};
pub(crate) use self::top::TopArgs;
pub(crate) use self::unregister::UnregisterArgs;
pub(crate) use self::writing::WriteArgs;

const AFTER_HELP: &str = "\
Try it:
  swarm-sync demo                       everything on this machine, in seconds
  swarm-sync replay .                   the history of a git repository, as a swarm

Or by hand, in three terminals:
  swarm-sync serve
  swarm-sync agent --id agent-1 --json  then type {\"id\":1,\"op\":\"set\",\"key\":\"k\",\"value\":42}
  swarm-sync get k

Environment:
  SWARM_SYNC_HUB     address of the hub, for agents and commands
  SWARM_SYNC_LISTEN  address that a hub listens on
  SWARM_SYNC_METRICS address at which a hub can be measured
  SWARM_SYNC_SWARM   name of the swarm
  SWARM_SYNC_NAME    name of the agent
  SWARM_SYNC_DATA    directory under which nodes keep their state
  SWARM_SYNC_TLS_CA, SWARM_SYNC_TLS_CERT, SWARM_SYNC_TLS_KEY, SWARM_SYNC_TOKEN_FILE
                     files by which agents and commands know the hub, and prove their name
  SWARM_SYNC_CONNECTIONS_MAX, SWARM_SYNC_OUTBOX_BYTES_MAX
                     bounds of a hub's memory; see `swarm-sync serve --help`
  RUST_LOG           what is logged to stderr; wins over -v
  NO_COLOR           if set, no colour";

/// Keeps shared state in step across a swarm of agents.
///
/// Agents write also while cut off; no write disappears without a reason.
#[derive(Debug, Parser)]
#[command(name = "swarm-sync", version, after_help = AFTER_HELP, after_long_help = with_codes(AFTER_HELP))]
pub(crate) struct Cli {
    /// Log more to stderr; twice for everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole system at work on this machine.
    #[command(after_help = with_codes(demo::HELP))]
    Demo(DemoArgs),
    /// Replay the history of a git repository as a swarm and check it against git.
    #[command(after_help = with_codes(REPLAY_HELP))]
    Replay(ReplayArgs),
    /// Run a hub.
    #[command(after_help = with_codes(SERVE_HELP))]
    Serve(ServeArgs),
    /// Run an agent with a replica of its own, driven by JSON lines.
    #[command(after_help = with_codes(agent::HELP))]
    Agent(AgentArgs),
    /// Read a key at the hub.
    #[command(after_help = with_codes(GET_HELP))]
    Get(ReadArgs),
    /// Write a key at the hub.
    #[command(after_help = with_codes(SET_HELP))]
    Set(SetArgs),
    /// Add to a counter at the hub.
    #[command(after_help = with_codes(ADD_HELP))]
    Add(AddArgs),
    /// Synchronize keys across all agents and say how it went.
    #[command(after_help = with_codes(SYNC_HELP))]
    Sync(SyncArgs),
    /// List what changed after a revision.
    #[command(after_help = with_codes(DELTA_HELP))]
    Delta(DeltaArgs),
    /// Print the version of a key.
    #[command(after_help = with_codes(VERSION_HELP))]
    Version(GetArgs),
    /// Show where the hub and its agents stand.
    #[command(after_help = with_codes(STATUS_HELP))]
    Status(StatusArgs),
    /// Show the same live, on the whole terminal.
    #[command(after_help = with_codes(top::HELP))]
    Top(TopArgs),
    /// Take an agent off the roster that has left for good.
    #[command(after_help = with_codes(unregister::HELP))]
    Unregister(UnregisterArgs),
    /// Make a CA, certificates and tokens, for a start.
    #[command(after_help = with_codes(cert::HELP))]
    Cert(CertArgs),
    /// Look whether hub, clock, disk and limits are as they should be, and say what to do.
    #[command(after_help = with_codes(doctor::HELP))]
    Doctor(Box<DoctorArgs>),
    /// Write the state of a stopped node to a file.
    #[command(after_help = with_codes(keep::BACKUP_HELP))]
    Backup(BackupArgs),
    /// Make a node's directory of such a file.
    #[command(after_help = with_codes(keep::RESTORE_HELP))]
    Restore(RestoreArgs),
    #[command(flatten)]
    Keyed(Keyed),
    /// Have the agents vote, and say how it ended, who voted how and why.
    #[command(after_help = with_codes(propose::HELP))]
    Propose(Box<ProposeArgs>),
    /// Check, show, explain and reload what holds for keys of a pattern.
    #[command(after_help = with_codes(policy::HELP))]
    Policy(PolicyArgs),
    /// Keep values at the hub beside the synchronized state.
    #[command(after_help = with_codes(memory::HELP))]
    Memory(MemoryArgs),
}

impl Command {
    /// Who reads what this command prints.
    pub(crate) fn audience(&self) -> Audience {
        let (json, conversation) = match self {
            // The first reports its own failure within its one object; the others know no JSON.
            Self::Demo(_) | Self::Cert(_) | Self::Top(_) => (false, false),
            Self::Replay(args) => (args.json, false),
            Self::Serve(args) => (args.json, true),
            Self::Agent(args) => (args.json, true),
            Self::Get(args) => (args.get.hub.json, false),
            Self::Version(args) => (args.hub.json, false),
            Self::Set(args) => (args.to.hub.json, false),
            Self::Add(args) => (args.to.hub.json, false),
            Self::Sync(args) => (args.hub.json, false),
            Self::Delta(args) => (args.hub.json, false),
            Self::Status(args) => (args.hub.json, false),
            Self::Unregister(args) => (args.hub.json, false),
            Self::Doctor(args) => (args.hub.json, false),
            Self::Backup(args) => (args.json, false),
            Self::Restore(args) => (args.json, false),
            Self::Keyed(command) => command.json(),
            Self::Propose(args) => (args.json, false),
            Self::Policy(args) => (args.command.json(), false),
            Self::Memory(args) => (args.command.json(), false),
        };
        match (json, conversation) {
            (false, _) => Audience::Person,
            (true, false) => Audience::Program,
            (true, true) => Audience::Conversation,
        }
    }
}

fn with_codes(text: &str) -> String {
    format!("{text}\n\n{}", exit::HELP)
}

/// What everybody who speaks to a hub has to know.
#[derive(Debug, Args)]
pub(crate) struct SwarmArgs {
    /// Address of the hub.
    #[arg(
        long,
        value_name = "ADDR",
        env = "SWARM_SYNC_HUB",
        default_value = "127.0.0.1:7420",
        value_parser = address
    )]
    pub(crate) hub: String,
    /// Name of the swarm.
    #[arg(
        long,
        value_name = "NAME",
        env = "SWARM_SYNC_SWARM",
        default_value = "default"
    )]
    pub(crate) swarm: SwarmId,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HubArgs {
    #[command(flatten)]
    pub(crate) at: SwarmArgs,
    /// Seconds to wait for an answer, 10 if not given; for a `sync` as long as the priorities of its
    /// keys say.
    #[arg(
        long,
        value_name = "SECONDS",
        allow_hyphen_values = true,
        value_parser = seconds
    )]
    pub(crate) timeout: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl HubArgs {
    /// How long to wait for an answer.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout.unwrap_or(PATIENCE_SECS))
    }
}

/// Longer than a hub takes for what it knows itself.
const PATIENCE_SECS: u64 = 10;

const GET_HELP: &str = "\
Examples:
  swarm-sync get config
  swarm-sync get config --json | jq .value
  swarm-sync get config --at 17         what it was at revision 17

With --json \"expected\" is what `cas --expected` takes, and \"position\" what an agent's
get takes as \"at_least\". Exits with 1 if the key holds no value, which can be expected, too.";

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The key.
    pub(crate) key: Key,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) get: GetArgs,
    /// As it was at this revision, as far as the hub keeps the key's history.
    #[arg(long, value_name = "REVISION", value_parser = position::parse)]
    pub(crate) at: Option<Since>,
}

const SET_HELP: &str = "\
Examples:
  swarm-sync set greeting hello         text, as it is not JSON
  swarm-sync set limit -3
  swarm-sync set config '{\"model\":\"m1\"}'
  swarm-sync set digits '\"42\"'          the text 42
  swarm-sync set answer '\"NaN\"'         the text NaN, which is refused as a number
  swarm-sync set limit 3 --replicas 2   and wait until two agents hold it";

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The key.
    pub(crate) key: Key,
    /// Its new value: JSON, or text if it is not JSON.
    #[arg(allow_hyphen_values = true, value_parser = value_or_text)]
    pub(crate) value: Value,
    #[command(flatten)]
    pub(crate) to: WriteArgs,
}

const ADD_HELP: &str = "\
Examples:
  swarm-sync add task_count 42
  swarm-sync add task_count -3";

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The counter's key.
    pub(crate) key: Key,
    /// What to add; a negative number subtracts.
    #[arg(allow_negative_numbers = true, value_parser = amount)]
    pub(crate) amount: i64,
    #[command(flatten)]
    pub(crate) to: WriteArgs,
}

const SYNC_HELP: &str = "\
Examples:
  swarm-sync sync config task_count
  swarm-sync sync config --json | jq .missing

Keys of several priorities go out the most urgent first, each as long as its priority
says; --timeout holds for all of them. \"Synchronized 5 of 6\" is followed by a line for
each key that was not, with the reason. \"not confirmed yet\" names agents that have answered
and had not said that they hold the result when the time was over; they get it all the same.

Exits with 1 if no agent is connected or none answers, also if that is so for some keys
only.";

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// The keys, all in one request.
    #[arg(required = true)]
    pub(crate) keys: Vec<Key>,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

const DELTA_HELP: &str = "\
Examples:
  swarm-sync delta                      everything
  swarm-sync delta --since 17           what changed after revision 17
  swarm-sync delta --since 17 --json | jq '.changes[].key'";

#[derive(Debug, Args)]
pub(crate) struct DeltaArgs {
    /// Revision of the swarm after which to begin.
    #[arg(
        long,
        value_name = "REVISION",
        default_value = "0",
        allow_hyphen_values = true,
        value_parser = revision
    )]
    pub(crate) since: Revision,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

const VERSION_HELP: &str = "\
Examples:
  swarm-sync version config
  swarm-sync version config --json      also \"expected\", for `cas --expected`

Exits with 1 if the key holds no value. (For the program's own: swarm-sync --version.)";

const STATUS_HELP: &str = "\
Examples:
  swarm-sync status
  swarm-sync status --hub 127.0.0.1:7420 --swarm team --json

Bytes, periodic synchronizations and votes (\"traffic\", \"periodic\" and \"consensus\" with
--json) are counted since this hub started. What was voted is on its disk all the same.";

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}
