//! Which batches are written next: swarms take turns by the bytes that they bring, each in its own order.
//!
//! Fair queueing by start and finish tags (Goyal, Vin, Cheng: Start-time Fair Queuing, 1996): a batch would
//! end, if all swarms were written at once and equally fast, after its bytes; what ends first is written
//! first. So who brings little waits for what is being written, and not for all who bring much.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sync_core::{Batch, SwarmId};
use sync_protocol::Token;

/// Batches that have arrived, a line for each swarm.
#[derive(Debug, Default)]
pub(super) struct Lines {
    by_swarm: BTreeMap<SwarmId, Line>,
    /// Each swarm that has a line, by when its first batch would end.
    order: BTreeSet<(u64, SwarmId)>,
    /// How far all are, in bytes of each.
    reached: u64,
}

/// What waits of one swarm.
#[derive(Debug, Default)]
struct Line {
    batches: VecDeque<(Token, Batch)>,
    /// When the first of it would begin.
    start: u64,
}

impl Line {
    fn end(&self) -> u64 {
        let bytes = self.batches.front().map_or(0, |(_, batch)| batch.bytes());
        self.start.saturating_add(1 + bytes as u64)
    }
}

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn push(&mut self, token: Token, batch: Batch) {
        let swarm = batch.swarm.clone();
        if let Some(line) = self.by_swarm.get_mut(&swarm) {
            return line.batches.push_back((token, batch));
        }
        let line = Line {
            batches: [(token, batch)].into(),
            start: self.reached,
        };
        self.order.insert((line.end(), swarm.clone()));
        self.by_swarm.insert(swarm, line);
    }

    /// As many batches and bytes as share a flush. At least one batch, if there is any.
    pub(super) fn next_group(
        &mut self,
        batches_max: usize,
        bytes_max: usize,
    ) -> Vec<(Token, Batch)> {
        let mut group = Vec::new();
        let mut bytes = 0;
        while group.len() < batches_max && bytes < bytes_max {
            let Some(next) = self.next() else {
                break;
            };
            bytes += next.1.bytes();
            group.push(next);
        }
        group
    }

    fn next(&mut self) -> Option<(Token, Batch)> {
        let (end, swarm) = self.order.pop_first()?;
        let line = self.by_swarm.get_mut(&swarm)?;
        self.reached = self.reached.max(line.start);
        let next = line.batches.pop_front();
        line.start = end;
        if line.batches.is_empty() {
            self.by_swarm.remove(&swarm);
        } else {
            self.order.insert((line.end(), swarm));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use sync_core::RowOp;

    use super::*;

    fn batch(swarm: &str, bytes: usize) -> Batch {
        let (key, value) = ("".into(), vec![0; bytes].into());
        Batch {
            swarm: SwarmId::new(swarm).unwrap(),
            ops: vec![RowOp::Put { key, value }],
        }
    }

    fn lines(batches: &[(&str, usize)]) -> Lines {
        let mut lines = Lines::default();
        for (swarm, bytes) in batches {
            lines.push(Token::default(), batch(swarm, *bytes));
        }
        lines
    }

    fn brief(group: &[(Token, Batch)]) -> Vec<(&str, usize)> {
        let brief = |next: &'_ (Token, Batch)| next.1.bytes();
        let swarms = group.iter().map(|(_, batch)| batch.swarm.as_str());
        swarms.zip(group.iter().map(brief)).collect()
    }

    #[test]
    fn swarms_take_turns_and_each_keeps_its_order() {
        let mut lines = lines(&[
            ("a", 10),
            ("a", 11),
            ("a", 12),
            ("b", 13),
            ("c", 14),
            ("b", 15),
        ]);
        let group = lines.next_group(4, 1_000);
        assert_eq!(brief(&group), [("a", 10), ("b", 13), ("c", 14), ("a", 11)]);
        let group = lines.next_group(4, 1_000);
        assert_eq!(brief(&group), [("b", 15), ("a", 12)]);
        assert!(lines.is_empty());
    }

    /// However many others bring much, and however long they have waited.
    #[test]
    fn who_brings_little_goes_before_who_brings_much() {
        let mut lines = lines(&[("a", 900), ("a", 900), ("b", 900), ("b", 900)]);
        assert_eq!(brief(&lines.next_group(1, 1)), [("a", 900)]);
        lines.push(Token::default(), batch("z", 5));
        assert_eq!(brief(&lines.next_group(1, 1)), [("z", 5)]);
        // Not for ever: much of little is as much.
        for _ in 0..1_000 {
            lines.push(Token::default(), batch("z", 5));
        }
        let next = lines.next_group(400, 1_000_000);
        let others: usize = next
            .iter()
            .map(|(_, b)| usize::from(b.bytes() == 900))
            .sum();
        assert_eq!(others, 3, "they have had their turns");
    }

    #[test]
    fn a_group_ends_where_its_bytes_do_and_is_never_empty() {
        let mut lines = lines(&[("a", 70), ("b", 50), ("a", 500), ("b", 1)]);
        assert_eq!(
            brief(&lines.next_group(9, 100)),
            [("b", 50), ("b", 1), ("a", 70)]
        );
        assert_eq!(brief(&lines.next_group(9, 100)), [("a", 500)]);
        assert!(lines.next_group(9, 100).is_empty());
    }
}
