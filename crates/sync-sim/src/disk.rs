//! A disk whose completions the test decides: what was not completed is gone after a crash.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use bytes::Bytes;
use sync_core::{Batch, Row, RowOp};
use sync_protocol::{RowRange, Token};

/// The rows that survive a crash.
pub(crate) type Image = BTreeMap<Bytes, Bytes>;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    durable: Image,
    waiting: VecDeque<(Token, Batch)>,
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
            match op {
                RowOp::Put { key, value } => self.durable.insert(key, value),
                RowOp::Delete { key } => self.durable.remove(&key),
            };
        }
        Some(token)
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
        };
        let mut futures = vec![disk.image()];
        while disk.complete().is_some() {
            futures.push(disk.image());
        }
        futures
    }

    /// Puts an older copy in place, as a restored backup would.
    pub(crate) fn restore(&mut self, image: Image) {
        self.waiting.clear();
        self.durable = image;
    }
}
