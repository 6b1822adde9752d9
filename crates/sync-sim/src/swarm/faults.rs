//! What goes wrong in a swarm of programs, as its description says.

use std::collections::BTreeSet;

/// Between whom and the hub nothing passes, and when, in simulated microseconds.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub(super) agents: BTreeSet<usize>,
    pub(super) from_us: u64,
    pub(super) until_us: u64,
}

/// Whose processes end, and when.
#[derive(Debug, Clone)]
pub(super) struct Crash {
    pub(super) agents: BTreeSet<usize>,
    pub(super) at_us: u64,
}
