//! How much of a counter a delete has removed.

use bincode::{Decode, Encode};

use super::{Payload, PayloadKind};
use crate::codec::{self, List};
use crate::entry::Entry;
use crate::error::DecodeError;
use crate::id::WriteId;
use crate::write::Write;

/// One contribution that was deleted, and the total that it stood at.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Mark {
    write: WriteId,
    total: i64,
}

impl Mark {
    /// Whether it removes that contribution of the same incarnation itself.
    fn has_seen(&self, id: &WriteId) -> bool {
        id.seq <= self.write.seq
    }
}

/// Up to which of its contributions each incarnation's part of a counter was deleted.
///
/// A contribution stands for everything that its incarnation has ever added. One that was made without
/// knowledge of a delete stands for the deleted part as well, and nothing but the delete can say how much
/// that was: that an earlier contribution is covered says only that it is not live.
///
/// Baquero, Almeida, Lerche, "The problem with embedded CRDT counters and a solution" (2016), has the
/// problem; their way, a part of its own for what is added after each exchange, grows with the exchanges.
/// This grows with the incarnations, as the context does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reset {
    /// Ascending by writer, one for each.
    marks: Vec<Mark>,
}

impl Reset {
    /// What all deletes that are live have removed. O(1) where there is none, else O(writes).
    pub fn of(entry: &Entry) -> Self {
        let mut all = Self::default();
        if entry.kinds().any(|kind| kind == PayloadKind::Reset) {
            for reset in entry.writes().filter_map(|(_, w)| w.payload.as_reset()) {
                all.join(reset);
            }
        }
        all
    }

    /// What a delete removes that has seen all of `entry`. Nothing but for a counter. O(writes) of one.
    pub fn of_all(entry: &Entry) -> Self {
        let mut all = Self::of(entry);
        if entry.kinds().any(|kind| kind == PayloadKind::Count) {
            for (id, write) in entry.writes() {
                if let Some(total) = write.payload.total() {
                    all.mark(id, total);
                }
            }
        }
        all
    }

    /// Whether it removes nothing.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Removes a contribution, with all of the same incarnation before it.
    pub fn mark(&mut self, write: &WriteId, total: i64) {
        let mark = Mark {
            write: write.clone(),
            total,
        };
        self.insert(mark);
    }

    /// Removes what either removes.
    pub fn join(&mut self, other: Self) {
        for mark in other.marks {
            self.insert(mark);
        }
    }

    /// What of a live contribution was deleted: what was there before it was made; all of it if the delete had
    /// seen it, as between two parts of a key where what covers it has not come yet.
    pub fn removed_from(&self, id: &WriteId, write: &Write) -> i64 {
        match self.mark_on(id, write) {
            Some(mark) if mark.has_seen(id) => write.payload.total().unwrap_or_default(),
            Some(mark) => mark.total,
            None => 0,
        }
    }

    /// Whether a live contribution stands for something that was deleted.
    pub fn concerns(&self, id: &WriteId, write: &Write) -> bool {
        let is_contribution = write.payload.kind() == PayloadKind::Count;
        is_contribution && self.mark_on(id, write).is_some()
    }

    fn mark_on(&self, id: &WriteId, write: &Write) -> Option<&Mark> {
        let writer = |mark: &Mark| mark.write.writer.cmp(&id.writer);
        let at = self.marks.binary_search_by(writer).ok()?;
        let is_on = |mark: &&Mark| mark.has_seen(id) || write.over.contains(&mark.write);
        Some(&self.marks[at]).filter(is_on)
    }

    fn insert(&mut self, mark: Mark) {
        let writer = |held: &Mark| held.write.writer.cmp(&mark.write.writer);
        match self.marks.binary_search_by(writer) {
            // A later contribution stands for the earlier one.
            Ok(at) if self.marks[at].write.seq < mark.write.seq => self.marks[at] = mark,
            Ok(_) => {}
            Err(at) => self.marks.insert(at, mark),
        }
    }

    /// Appends the canonical bytes.
    pub(super) fn append_to(self, bytes: &mut Vec<u8>) {
        codec::append_bytes(&List(self.marks), bytes);
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "a delete of a counter";
        let List(marks) = codec::from_bytes::<List<Mark>>(WHAT, bytes)?;
        let ascends = |pair: &[Mark]| pair[0].write.writer < pair[1].write.writer;
        if !marks.windows(2).all(ascends) {
            return Err(DecodeError::Malformed {
                what: WHAT,
                offset: 0,
                reason: "its writers do not ascend".to_owned(),
            });
        }
        Ok(Self { marks })
    }
}

impl Payload {
    /// A delete of a counter.
    pub fn reset(reset: Reset) -> Self {
        let mut bytes = vec![super::tag::RESET];
        reset.append_to(&mut bytes);
        Self(bytes.into())
    }

    /// The delete of a counter that it is.
    pub fn as_reset(&self) -> Option<Reset> {
        let is_reset = self.kind() == PayloadKind::Reset;
        // The constructor has checked the bytes.
        is_reset.then(|| Reset::decode(&self.0[1..]).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::id::{AgentId, Incarnation, Seq, Writer};
    use crate::stamp::Stamp;

    fn id(name: &str, seq: u64) -> WriteId {
        let agent = AgentId::new(name).unwrap();
        let writer = Writer::new(agent, Incarnation::from_random(1));
        WriteId::new(writer, Seq::new(seq))
    }

    fn of(marks: &[(&str, u64, i64)]) -> Reset {
        let mut reset = Reset::default();
        for (name, seq, total) in marks {
            reset.mark(&id(name, *seq), *total);
        }
        reset
    }

    #[test]
    fn the_latest_contribution_of_each_stands() {
        let expected = of(&[("a", 2, 15), ("b", 1, 3)]);
        assert_eq!(of(&[("b", 1, 3), ("a", 2, 15), ("a", 1, 10)]), expected);
        let mut joined = of(&[("a", 1, 10), ("b", 1, 3)]);
        joined.join(of(&[("a", 2, 15)]));
        assert_eq!(joined, expected);
    }

    #[test]
    fn what_a_delete_has_seen_counts_nothing_and_what_came_on_top_what_was_added() {
        let reset = of(&[("a", 4, 15)]);
        let removed = |seq, total, over: &[u64]| {
            let mut seen = Context::default();
            for seq in over {
                seen.insert_id(&id("a", *seq));
            }
            let write = Write {
                stamp: Stamp::default(),
                payload: Payload::count(total),
                prev: Seq::default(),
                over: seen,
                note: None,
            };
            reset.removed_from(&id("a", seq), &write)
        };
        assert_eq!(
            removed(4, 15, &[]),
            15,
            "it is covered, and that has not come yet"
        );
        assert_eq!(removed(2, 7, &[]), 7, "so is what it stands for");
        assert_eq!(removed(9, 18, &[2, 4]), 15, "on top of what was deleted");
        assert_eq!(removed(9, 3, &[]), 0, "begun anew");
    }

    #[test]
    fn it_reads_back_and_other_bytes_are_refused() {
        let reset = of(&[("a", 2, i64::MIN), ("b", 1, 3)]);
        let payload = Payload::reset(reset.clone());
        let copy = Payload::from_bytes(payload.as_bytes()).unwrap();
        assert_eq!((copy.as_reset(), copy.value()), (Some(reset), None));
        let turned: Vec<Mark> = of(&[("a", 1, 1), ("b", 1, 1)])
            .marks
            .into_iter()
            .rev()
            .collect();
        let turned = Payload::reset(Reset { marks: turned });
        let bytes = payload.as_bytes();
        let longer = [bytes, &[0]].concat();
        for bytes in [turned.as_bytes(), &bytes[..bytes.len() - 1], &longer] {
            assert!(Payload::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }
}
