//! A disk whose completions the test decides: what was not completed is gone after a crash.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use bytes::Bytes;
use sync_core::planted::{self, Planted};
use sync_core::{Batch, Row, RowOp};
use sync_protocol::{RowRange, Token};

use crate::random::Random;

/// The rows that survive a crash.
pub(crate) type Image = BTreeMap<Bytes, Bytes>;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    durable: Image,
    waiting: VecDeque<(Token, Batch)>,
    /// What the rows must be since a batch was torn: the seal of a store, without its checksums.
    sealed: Option<Image>,
}

impl Disk {
    pub(crate) fn submit(&mut self, token: Token, batch: Batch) {
        self.waiting.push_back((token, batch));
    }

    /// The batch that is due.
    pub(crate) fn next(&self) -> Option<Token> {
        self.waiting.front().map(|(token, _)| *token)
    }

    /// Makes the oldest batch durable.
    pub(crate) fn complete(&mut self) -> Option<Token> {
        let (token, batch) = self.waiting.pop_front()?;
        for op in batch.ops {
            apply(&mut self.durable, op);
        }
        Some(token)
    }

    /// Dies in the middle of the oldest batch. Of its rows some are there and some are not, one may be
    /// neither what it was nor what it was to be, so that nobody can read it, and the seal is the last one
    /// or the next one. A store promises that this does not happen; where it does, it has to say so. Returns
    /// whether all of the batch is there.
    pub(crate) fn tear(&mut self, random: &mut Random) -> bool {
        let Some((_, batch)) = self.waiting.pop_front() else {
            return false;
        };
        let (mut sealed, mut whole) = (self.image(), self.image());
        let is_next = random.chance(500);
        for op in batch.ops {
            apply(&mut whole, op.clone());
            if is_next {
                apply(&mut sealed, op.clone());
            }
            match random.below(8) {
                0 => _ = self.durable.remove(op.key()),
                1..4 => apply(&mut self.durable, op),
                _ => {}
            }
        }
        self.sealed = Some(sealed);
        self.durable == whole
    }

    /// Whether the rows are not those that the seal was put over: nothing may be served from them.
    pub(crate) fn is_damaged(&self) -> bool {
        let sealed = self.sealed.as_ref();
        let sealed = sealed.filter(|_| !planted::is(Planted::TornBatchServed));
        sealed.is_some_and(|sealed| *sealed != self.durable)
    }

    /// What is not durable yet.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Batch> {
        self.waiting.iter().map(|(_, batch)| batch)
    }

    /// Loses what is not durable; returns how many batches that were.
    pub(crate) fn crash(&mut self) -> usize {
        let lost = self.waiting.len();
        self.waiting.clear();
        lost
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        self.durable.iter().map(|(key, value)| Row {
            key: key.clone(),
            value: value.clone(),
        })
    }

    /// What is durable of what a machine wants to read.
    pub(crate) fn read(&self, ranges: &[RowRange]) -> Vec<Row> {
        let read = |range: &RowRange| {
            let after = (Bound::Excluded(range.after.clone()), Bound::Unbounded);
            let rows = self.durable.range(after).take(range.limit);
            let rows = rows.map(|(key, value)| Row {
                key: key.clone(),
                value: value.clone(),
            });
            rows.collect::<Vec<_>>()
        };
        ranges.iter().flat_map(read).collect()
    }

    pub(crate) fn image(&self) -> Image {
        self.durable.clone()
    }

    /// What a crash may leave: what is durable, and that with one batch after the other of those that
    /// wait.
    pub(crate) fn futures(&self) -> Vec<Image> {
        let mut disk = Self {
            durable: self.image(),
            waiting: self.waiting.clone(),
            sealed: None,
        };
        let mut futures = vec![disk.image()];
        while disk.complete().is_some() {
            futures.push(disk.image());
        }
        futures
    }

    /// Puts other rows in place, as a restored backup would.
    pub(crate) fn restore(&mut self, image: Image) {
        self.waiting.clear();
        self.durable = image;
        self.sealed = None;
    }
}

/// The rows that some changes make of none.
pub(crate) fn image_of(ops: impl IntoIterator<Item = RowOp>) -> Image {
    let mut image = Image::new();
    ops.into_iter().for_each(|op| apply(&mut image, op));
    image
}

fn apply(image: &mut Image, op: RowOp) {
    match op {
        RowOp::Put { key, value } => image.insert(key, value),
        RowOp::Delete { key } => image.remove(&key),
    };
}

#[cfg(test)]
mod tests {
    use sync_core::SwarmId;

    use super::*;

    fn put(key: &'static str, value: &'static str) -> RowOp {
        let (key, value) = (Bytes::from(key), Bytes::from(value));
        RowOp::Put { key, value }
    }

    /// A disk whose last batch a crash has torn, what was there before it, and what it was to leave.
    fn torn(seed: u64) -> (Disk, [Image; 2]) {
        let swarm = SwarmId::new("simulated").expect("a valid name");
        let before = vec![put("a", "1"), put("b", "1")];
        let key = Bytes::from("a");
        let ops = vec![put("b", "2"), RowOp::Delete { key }, put("c", "2")];
        let images = [
            image_of(before.clone()),
            image_of([&before[..], &ops].concat()),
        ];
        let mut disk = Disk::default();
        disk.restore(images[0].clone());
        disk.submit(Token::default(), Batch { swarm, ops });
        disk.tear(&mut Random::new(seed));
        disk.crash();
        (disk, images)
    }

    #[test]
    fn a_torn_batch_is_noticed_or_has_left_nothing_half() {
        let seeds = 0..500;
        let damaged = seeds.filter(|seed| {
            let (disk, whole) = torn(*seed);
            assert!(disk.is_damaged() || whole.contains(&disk.image()));
            disk.is_damaged()
        });
        assert!((300..500).contains(&damaged.count()));
    }
}
