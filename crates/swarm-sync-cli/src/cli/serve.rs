//! The command line of `serve`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use swarm_sync::{AgentId, CoordinatorOptions, Limits, SwarmId};

use super::parse::{
    address, backup_time, backups_kept, connections, keys_max, memory_bytes, outbox_bytes,
    state_bytes, vote_time, weight,
};
use super::{DataArgs, HubTlsArgs, RoundArgs};

pub(super) const SERVE_HELP: &str = "\
Examples:
  swarm-sync serve
  swarm-sync serve --listen 127.0.0.1:0 --data /var/lib/hub --json
  swarm-sync serve --swarm team-a --swarm team-b
  swarm-sync serve --listen 0.0.0.0:7420 --tls-cert hub.pem --tls-key hub.key --tls-ca ca.pem
                                            see `swarm-sync cert --help`
  swarm-sync serve --policy policies.toml   see `swarm-sync policy --help`
  swarm-sync serve --algorithm weighted --weight lead=3 --weight scout=0.5
  swarm-sync serve --sync-every 60s --sync-keys 'task_*' --sync-keys leader --sync-jitter 5s
  swarm-sync serve --sync-every critical=5s --sync-every low=10m
  swarm-sync serve --deadline critical=45s --deadline background=2s
  swarm-sync serve --backups /backups --backup-every 6h --backups-kept 28
  swarm-sync serve --metrics 127.0.0.1:7421   http://127.0.0.1:7421/metrics and /health

Agents hear of each commit as it happens. --sync-every has the hub ask them, too, for what
they have not pushed yet, at multiples of the time since it started. A run that finds nothing
is quiet: it changes and stores nothing. One that falls due while another is under way is
counted as missed and not made up for. `swarm-sync status` shows how it goes.

With --json the first line is {\"event\":\"ready\",\"addr\":\"…\",…}. SIGINT and SIGTERM
stop it in an orderly way; after a kill -9 it starts again from its directory. If its
store fails, it ends with exit code 4.

SIGHUP has it read its policies, rights and files of TLS anew, as `swarm-sync policy
reload` does, and log which are in force, or why nothing has changed. If it comes because
the terminal is gone on which the hub was started, it ends; not under nohup, where SIGHUP
does nothing.

A peer can make it hold at most --outbox-bytes-max and 7 MiB per connection, on top of
the state and 144 MiB: with the defaults up to 23 MiB each. Whoever serves strangers
lowers either bound to what the machine has: 1,000 connections of 1 MiB are 8 GiB at
the very worst.";

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command line, each on its own"
)]
pub(crate) struct ServeArgs {
    /// Address to listen on; port 0 lets the system choose.
    #[arg(
        long,
        value_name = "ADDR",
        env = "SWARM_SYNC_LISTEN",
        default_value = "127.0.0.1:7420",
        value_parser = address
    )]
    pub(crate) listen: String,
    /// Answer there what the hub counts and measures, over HTTP: /metrics for Prometheus, and /health. Port
    /// 0 lets the system choose.
    #[arg(long, value_name = "ADDR", env = "SWARM_SYNC_METRICS", value_parser = address)]
    pub(crate) metrics: Option<String>,
    /// Serve this swarm only; can be given more than once. Without it any swarm is served.
    #[arg(long = "swarm", value_name = "NAME")]
    pub(crate) swarms: Vec<SwarmId>,
    /// What holds for keys of a pattern. Read anew on `swarm-sync policy reload` and on
    /// SIGHUP.
    #[arg(long, value_name = "FILE", value_parser = crate::secret::path())]
    pub(crate) policy: Option<PathBuf>,
    /// Who decides votes whose proposer names no algorithm: quorum, unanimous or weighted. See `swarm-sync propose --help`.
    #[arg(long, value_name = "NAME", default_value = "quorum")]
    pub(crate) algorithm: String,
    /// What an agent weighs under the algorithm `weighted`, from 0; can be given once for each agent. Who
    /// is not named weighs 1.
    #[arg(long = "weight", value_name = "AGENT=WEIGHT", value_parser = weight)]
    pub(crate) weights: Vec<(AgentId, f64)>,
    /// How long a vote may take whose proposer does not say, as in 500ms, 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "10s", allow_hyphen_values = true, value_parser = vote_time)]
    pub(crate) vote_timeout: Duration,
    #[command(flatten)]
    pub(crate) rounds: RoundArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Agents and clients connected at once, 1 to 1048576; one more is refused.
    #[arg(
        long,
        value_name = "COUNT",
        env = "SWARM_SYNC_CONNECTIONS_MAX",
        default_value_t = CoordinatorOptions::default().connections_max,
        value_parser = connections
    )]
    pub(crate) connections_max: usize,
    /// Bytes that may wait for one peer, 1048576 to 1073741824; one that falls further behind is
    /// disconnected, and catches up when it comes back.
    #[arg(
        long,
        value_name = "BYTES",
        env = "SWARM_SYNC_OUTBOX_BYTES_MAX",
        default_value_t = CoordinatorOptions::default().outbox_bytes_max,
        value_parser = outbox_bytes
    )]
    pub(crate) outbox_bytes_max: usize,
    /// Bytes that the memory of a swarm may hold, as `swarm-sync memory stats` counts them, 1048576 to
    /// 1073741824; a value beyond is refused. All of them are in this process's memory.
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = Limits::default().memory_bytes_max,
        value_parser = memory_bytes
    )]
    pub(crate) memory_bytes_max: usize,
    /// Back the hub up into this directory while it serves, as files that `swarm-sync restore` takes. While one
    /// is being made, nothing becomes durable.
    #[arg(long, value_name = "DIR", conflicts_with = "memory", value_parser = crate::secret::path())]
    pub(crate) backups: Option<PathBuf>,
    /// How old the newest backup may get before another is made, as in 6h or 1d; restarts count.
    #[arg(long, value_name = "TIME", default_value = "1d", requires = "backups", allow_hyphen_values = true, value_parser = backup_time)]
    pub(crate) backup_every: Duration,
    /// How many are kept; the oldest are removed.
    #[arg(long, value_name = "COUNT", default_value_t = 7, requires = "backups", value_parser = backups_kept)]
    pub(crate) backups_kept: usize,
    /// Keys that may hold a value in a swarm, 1 to 1000000000. A write that would add one more comes back
    /// to its writer with the reason `quota-exceeded`; reads, deletes and all else go on.
    #[arg(
        long,
        value_name = "KEYS",
        default_value_t = Limits::default().keys_max,
        value_parser = keys_max
    )]
    pub(crate) keys_max: u64,
    /// Bytes that the values of a swarm may take, with about 60 for each to hold it and without the names
    /// of keys, 1048576 to 1099511627776. A write that would make it more comes back as well. All of them
    /// are in this process's memory.
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = Limits::default().state_bytes_max,
        value_parser = state_bytes
    )]
    pub(crate) state_bytes_max: u64,
    /// Send everything as it is. Otherwise what gets clearly smaller with zstd is compressed, for
    /// peers that can read it.
    #[arg(long)]
    pub(crate) no_compression: bool,
    /// Print JSON lines instead of sentences.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) tls: HubTlsArgs,
    /// Listen without TLS on an address that other machines reach. Names are believed and bytes travel
    /// in the clear: anyone who reaches the address can read and write everything.
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Stop when stdin is closed: the process that holds its other end has ended.
    #[arg(long)]
    pub(crate) with_stdin: bool,
}
