//! Rows of what the hub alone decides: answers that it has given, and the longest lease.

use sync_core::{AgentId, Incarnation, RowOp, codec};

use super::{delete, keys, put};
use crate::hub::Answered;

/// The row, and how many bytes its value takes.
pub(crate) fn put_answered(answered: &Answered) -> (RowOp, usize) {
    let row = keys::answered(&answered.asker, answered.run, answered.number);
    let value = codec::to_bytes(answered);
    let bytes = value.len();
    (put(row, value), bytes)
}

pub(crate) fn delete_answered((asker, run, number): &(AgentId, Incarnation, u64)) -> RowOp {
    delete(keys::answered(asker, *run, *number))
}

/// In milliseconds.
pub(crate) fn put_longest_lease(lease_ms: u64) -> RowOp {
    put(keys::longest_lease(), codec::to_bytes(&lease_ms))
}
