//! Logs go to stderr; results never do.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::cli::Command;
use crate::output;

/// Starts logging. `RUST_LOG` wins over `-v`.
pub(crate) fn start(verbose: u8, command: &Command) {
    let level = match (verbose, command) {
        // A replica that nobody drives has nothing to show but its connection.
        (0, Command::Agent(agent)) if !agent.json => "warn,swarm_sync=info",
        // What was lost is its result, and listed there.
        (0, Command::Replay(_)) => "error",
        (0, _) => "warn",
        (1, _) => "warn,swarm_sync=info,sync_protocol=info,sync_transport=info,sync_store=info",
        _ => "info,swarm_sync=trace,sync_protocol=trace,sync_transport=trace,sync_store=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal() && output::colour_allowed())
        // It would say so on stderr, where it just failed, and panic over that.
        .log_internal_errors(false)
        .init();
}
