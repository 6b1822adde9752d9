//! The comparison that decides between two concurrent writes, as a sentence.

use std::cmp::Ordering;

use crate::id::WriteId;
use crate::resolver::MergeRule;
use crate::stamp::Stamp;

type Made<'a> = (Stamp, &'a WriteId);

/// Which of two writes comes later in their total order, and by what.
pub(crate) fn compared(
    (stamp, write): Made<'_>,
    (winner_stamp, winner): Made<'_>,
    rule: MergeRule,
) -> String {
    let (own, won) = (stamp.utc(), winner_stamp.utc());
    match (stamp, write).cmp(&(winner_stamp, winner)) {
        Ordering::Less if stamp < winner_stamp => {
            format!("its stamp {own} is older than the winner's {won}")
        }
        Ordering::Less => format!("equal stamps {own}: {}", tie(write, winner)),
        // No rule of ours decides so.
        _ => format!(
            "the rule {rule} chose the winner, although its stamp {own} is not older than the winner's {won}"
        ),
    }
}

/// What the later of two writes with equal stamps is later by.
fn tie(write: &WriteId, winner: &WriteId) -> String {
    let (mine, theirs) = (&write.writer, &winner.writer);
    if mine.agent() != theirs.agent() {
        return format!("agent {} comes after {}", theirs.agent(), mine.agent());
    }
    let (agent, own, won) = (mine.agent(), mine.incarnation(), theirs.incarnation());
    if own == won {
        let (own, won) = (write.seq, winner.seq);
        return format!("write {won} of {agent} comes after its write {own}");
    }
    format!("run {won} of {agent} comes after its run {own}")
}
