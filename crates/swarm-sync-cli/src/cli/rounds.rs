//! The part of the command line of `serve` that says when the hub synchronizes and how long it waits.

use std::time::Duration;

use clap::Args;
use swarm_sync::{Pattern, Priority};

use super::parse::{deadline, every, pattern, span};

/// How often, and the keys of which priority; of none in particular if none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Every {
    pub(crate) priority: Option<Priority>,
    pub(crate) interval: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct RoundArgs {
    /// Synchronize by itself this often: with a priority the keys that policies give it, else those of
    /// --sync-keys. Each run gathers what agents have written and not pushed yet, new keys included, and
    /// `status` names those that did not answer. Can be given more than once.
    #[arg(long, value_name = "[PRIORITY=]TIME", allow_hyphen_values = true, value_parser = every)]
    pub(crate) sync_every: Vec<Every>,
    /// What a --sync-every without a priority synchronizes, every key if not given; can be given more
    /// than once.
    #[arg(long, value_name = "PATTERN", requires = "sync_every", value_parser = pattern)]
    pub(crate) sync_keys: Vec<Pattern>,
    /// Let each such run come later by up to this much, so that hubs do not all ask at once.
    #[arg(long, value_name = "TIME", requires = "sync_every", allow_hyphen_values = true, value_parser = span)]
    pub(crate) sync_jitter: Option<Duration>,
    /// How long a synchronization of keys of a priority waits for agents if its caller names no time.
    /// Can be given more than once. If not, critical=30s, high=10s, medium=10s, low=5s, background=5s.
    #[arg(long, value_name = "PRIORITY=TIME", value_parser = deadline)]
    pub(crate) deadline: Vec<(Priority, Duration)>,
}
