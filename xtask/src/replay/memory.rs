//! What a replay may take of memory: its state, on as many replicas as there are, and a constant. Not the
//! history, however long that is.
//!
//! Each figure is what was measured (`docs/performance.md`) and a quarter more, for other allocators.

/// The program, an empty hub included; what git prints is read line by line.
const PROGRAM_BYTES: u64 = 12 << 20;

/// Per path, once: the tree of HEAD and one replica's state, while they are compared.
const PATH_BYTES: u64 = 2_400;

/// Per replica: the task, its queues and its store.
const REPLICA_BYTES: u64 = 38 << 10;

/// Per replica and agent: its name.
const NAME_BYTES: u64 = 110;

/// Per replica and key: the entry, and its rows in the store, which is in memory too. One author's.
const KEY_BYTES: u64 = 1_200;

/// Per replica, key and further author of it: a range of the entry's context, held by the write that
/// covers it too, and in the rows of both.
const RANGE_BYTES: u64 = 185;

/// What decides how large a replica is.
#[derive(Debug)]
pub(super) struct Size {
    pub(super) agents: u64,
    /// Paths that ever were.
    pub(super) keys: u64,
    /// Pairs of a path and an author of it who was not the first.
    pub(super) ranges: u64,
}

pub(super) fn limit(size: &Size) -> u64 {
    // The hub's is one more.
    let replicas = size.agents + 1;
    let replica = REPLICA_BYTES
        + NAME_BYTES * size.agents
        + KEY_BYTES * size.keys
        + RANGE_BYTES * size.ranges;
    PROGRAM_BYTES + PATH_BYTES * size.keys + replicas * replica
}
