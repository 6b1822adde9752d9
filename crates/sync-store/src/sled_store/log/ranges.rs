//! Which leaf a key is to be looked for in: the newest one that covers it. In a whole log that is the leaf that
//! the tree leads to. Where messages are lost it may be older than one that had taken over a part of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;

use super::page::{Leaf, Version};

/// The rows of a log.
#[derive(Debug)]
pub(in super::super) struct Rows<'a> {
    file: &'a mut File,
    /// By the first key: up to which key, and whose. Disjoint.
    ranges: BTreeMap<Vec<u8>, (Vec<u8>, &'a Version)>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(versions: &'a [Version], file: &'a mut File) -> io::Result<Self> {
        let mut begins: BTreeMap<Vec<u8>, Vec<&Version>> = BTreeMap::new();
        let mut ends: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
        for version in versions {
            if let Some(Leaf { low, high, .. }) = version.leaf(file)? {
                begins.entry(low).or_default().push(version);
                if !high.is_empty() {
                    ends.entry(high).or_default().push(version.position);
                }
            }
        }
        let mut ranges = BTreeMap::new();
        // By position, so that the newest is the last.
        let mut open: BTreeMap<u64, &Version> = BTreeMap::new();
        let mut bounds: Vec<Vec<u8>> = begins.keys().chain(ends.keys()).cloned().collect();
        bounds.sort_unstable();
        bounds.dedup();
        for (nth, bound) in bounds.iter().enumerate() {
            for position in ends.get(bound).into_iter().flatten() {
                open.remove(position);
            }
            for version in begins.get(bound).into_iter().flatten() {
                open.insert(version.position, version);
            }
            if let Some((_, version)) = open.last_key_value() {
                let to = bounds.get(nth + 1).cloned().unwrap_or_default();
                ranges.insert(bound.clone(), (to, *version));
            }
        }
        Ok(Self { file, ranges })
    }

    /// The first key of every range, ascending.
    pub(in super::super) fn ranges(&self) -> Vec<Vec<u8>> {
        self.ranges.keys().cloned().collect()
    }

    /// The rows of the range that begins with `low`, ascending.
    pub(in super::super) fn of(&mut self, low: &[u8]) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let Some((high, version)) = self.ranges.get(low) else {
            return Ok(Vec::new());
        };
        let leaf = version.leaf(self.file)?;
        let rows = leaf.iter().flat_map(|leaf| leaf.within(low, high));
        Ok(rows
            .map(|(key, value)| (key.to_vec(), value.to_vec()))
            .collect())
    }

    /// The row under `key`.
    pub(in super::super) fn get(&mut self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let range = self
            .ranges
            .range::<[u8], _>((Bound::Unbounded, Bound::Included(key)))
            .next_back();
        let Some((_, (high, version))) = range else {
            return Ok(None);
        };
        if !high.is_empty() && key >= &high[..] {
            return Ok(None);
        }
        let leaf = version.leaf(self.file)?;
        Ok(leaf.and_then(|leaf| leaf.get(key).map(<[u8]>::to_vec)))
    }
}
