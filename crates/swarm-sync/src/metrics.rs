//! What a hub counts and measures, for the recorder of the [`metrics`](https://docs.rs/metrics) facade that
//! the program installs. The names are stable: `docs/observability.md` lists them.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Rounds that have ended, by `swarm` and `outcome`: `complete`, `incomplete` or `failed`.
pub const ROUNDS: &str = "swarm_sync_rounds_total";
/// How long rounds took, by `swarm`.
pub const ROUND_SECONDS: &str = "swarm_sync_round_duration_seconds";
/// Commits, by `swarm`.
pub const COMMITS: &str = "swarm_sync_commits_total";
/// Writes that lost against others or were merged with them, by `swarm` and `rule`.
pub const CONFLICTS: &str = "swarm_sync_conflicts_total";
/// Writes that may not enter and came back, by `swarm`.
pub const REFUSED_WRITES: &str = "swarm_sync_refused_writes_total";
/// Bytes of writes that agents were not sent, as they were sent deltas; by `swarm`.
pub const DELTA_SAVED: &str = "swarm_sync_delta_saved_bytes_total";
/// Answers in rounds that had nothing to bring, by `swarm`.
pub const SAME_ANSWERS: &str = "swarm_sync_same_answers_total";
/// Bytes of writes that such answers did not carry, by `swarm`.
pub const SAME_SAVED: &str = "swarm_sync_same_saved_bytes_total";
/// Bytes of connections as they moved, by `direction`: `received` or `sent`.
pub const BYTES: &str = "swarm_sync_connection_bytes_total";
/// Bytes that compression has taken off them, by `direction`.
pub const COMPRESSION_SAVED: &str = "swarm_sync_compression_saved_bytes_total";
/// Revisions that an agent has not confirmed to hold, by `swarm` and `agent`.
pub const AGENT_LAG: &str = "swarm_sync_agent_lag_revisions";
/// Agents on the roster, by `swarm` and `connected`: `true` or `false`.
pub const AGENTS: &str = "swarm_sync_agents";
/// Keys that hold a value, by `swarm`.
pub const KEYS: &str = "swarm_sync_keys";
/// Bytes of all values with what it takes to hold them, by `swarm`: what `state_bytes_max` bounds.
pub const STATE_BYTES: &str = "swarm_sync_state_bytes";
/// The last revision, by `swarm`.
pub const REVISION: &str = "swarm_sync_revision";
/// Receipts that wait for agents, by `swarm`.
pub const RECEIPTS: &str = "swarm_sync_receipts_waiting";
/// Bytes of the store on disk.
pub const STORE_BYTES: &str = "swarm_sync_store_bytes";
/// Bytes that the disk of the store has free.
pub const FREE_BYTES: &str = "swarm_sync_disk_free_bytes";
/// How long flushes of the store took, by `node`: `hub` or `agent`.
pub const FLUSH_SECONDS: &str = "swarm_sync_store_flush_duration_seconds";
/// Connections that are open.
pub const CONNECTIONS: &str = "swarm_sync_connections";
/// Connections that were refused.
pub const REFUSED_CONNECTIONS: &str = "swarm_sync_connections_refused_total";
/// Seconds until the first of the hub's own certificates ends; 0 once one has. Not there without TLS.
pub const CERTIFICATE_SECONDS: &str = "swarm_sync_certificate_remaining_seconds";

/// Agents whose lag is told, of all swarms together, the first by name: a line each at every scrape.
pub const LAG_AGENTS_MAX: usize = 1_000;

/// Tells the recorder what the names mean. Once, after it was installed.
pub fn describe() {
    describe_work();
    describe_traffic();
    describe_state();
}

fn describe_work() {
    describe_counter!(ROUNDS, Unit::Count, "Rounds that have ended");
    describe_histogram!(ROUND_SECONDS, Unit::Seconds, "How long rounds took");
    describe_counter!(COMMITS, Unit::Count, "Commits");
    describe_counter!(
        CONFLICTS,
        Unit::Count,
        "Writes that lost against others or were merged with them"
    );
    describe_counter!(
        REFUSED_WRITES,
        Unit::Count,
        "Writes that may not enter and came back"
    );
}

fn describe_traffic() {
    describe_counter!(
        DELTA_SAVED,
        Unit::Bytes,
        "About what agents were not sent, as they were sent deltas"
    );
    describe_counter!(
        SAME_ANSWERS,
        Unit::Count,
        "Answers in rounds that had nothing to bring"
    );
    describe_counter!(
        SAME_SAVED,
        Unit::Bytes,
        "About what such answers did not carry"
    );
    describe_counter!(BYTES, Unit::Bytes, "Bytes of connections as they moved");
    describe_counter!(
        COMPRESSION_SAVED,
        Unit::Bytes,
        "Bytes that compression has taken off them"
    );
    describe_gauge!(CONNECTIONS, Unit::Count, "Connections that are open");
    describe_counter!(
        REFUSED_CONNECTIONS,
        Unit::Count,
        "Connections that were refused"
    );
    describe_gauge!(
        CERTIFICATE_SECONDS,
        Unit::Seconds,
        "Until the first of the hub's own certificates ends"
    );
}

fn describe_state() {
    describe_gauge!(
        AGENT_LAG,
        Unit::Count,
        "Revisions that an agent has not confirmed to hold"
    );
    describe_gauge!(AGENTS, Unit::Count, "Agents on the roster");
    describe_gauge!(KEYS, Unit::Count, "Keys that hold a value");
    describe_gauge!(
        STATE_BYTES,
        Unit::Bytes,
        "Bytes of all values, with what it takes to hold them"
    );
    describe_gauge!(REVISION, Unit::Count, "The last revision");
    describe_gauge!(RECEIPTS, Unit::Count, "Receipts that wait for agents");
    describe_gauge!(STORE_BYTES, Unit::Bytes, "Bytes of the store on disk");
    describe_gauge!(
        FREE_BYTES,
        Unit::Bytes,
        "Bytes that the disk of the store has free"
    );
    describe_histogram!(
        FLUSH_SECONDS,
        Unit::Seconds,
        "How long flushes of the store took"
    );
}
