//! A leaf of sled's tree: the rows between two keys.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;

use super::number::{take, take_bytes};
use super::read_at;

/// Where the body of a message is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: usize,
}

/// A version of a page that was written as a whole, and the changes since then, in their order.
#[derive(Debug)]
pub(super) struct Version {
    /// When it was written.
    pub(super) position: u64,
    /// When it was changed last.
    pub(super) changed: u64,
    node: Place,
    links: Vec<Place>,
}

/// What the whole version of a leaf says.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Its first key.
    pub(super) low: Vec<u8>,
    /// The first key after it; empty if there is none.
    pub(super) high: Vec<u8>,
    /// What the keys in it leave out.
    prefix: Vec<u8>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Version {
    pub(super) fn new(position: u64, node: Place) -> Self {
        Self {
            position,
            changed: position,
            node,
            links: Vec::new(),
        }
    }

    pub(super) fn change(&mut self, position: u64, link: Place) {
        self.changed = position;
        self.links.push(link);
    }

    /// Its rows; none if it is no leaf.
    pub(super) fn leaf(&self, file: &mut File) -> io::Result<Option<Leaf>> {
        let node = self.node.read(file)?;
        let Some(mut leaf) = Leaf::read(&node) else {
            return Ok(None);
        };
        for link in &self.links {
            let link = link.read(file)?;
            // What changes no row is about the tree.
            let _ = leaf.apply(&link);
        }
        Ok(Some(leaf))
    }
}

impl Place {
    fn read(self, file: &mut File) -> io::Result<Vec<u8>> {
        read_at(file, self.offset, self.length)
    }
}

impl Leaf {
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let (_next, _merging_child) = (take(bytes)?, take(bytes)?);
        let (&[_merging, prefix], rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        let (low, high) = (take_bytes(bytes)?, take_bytes(bytes)?);
        let (&kind, rest) = bytes.split_first()?;
        *bytes = rest;
        if kind != 0 {
            // It leads to other pages.
            return None;
        }
        let prefix = low.get(..usize::from(prefix))?;
        let count = take(bytes)?;
        let keys: Vec<&[u8]> = (0..count)
            .map(|_| take_bytes(bytes))
            .collect::<Option<_>>()?;
        let rows = keys.into_iter().map(|key| {
            let value = take_bytes(bytes)?;
            Some(([prefix, key].concat(), value.to_vec()))
        });
        Some(Self {
            rows: rows.collect::<Option<_>>()?,
            low: low.to_vec(),
            high: high.to_vec(),
            prefix: prefix.to_vec(),
        })
    }

    /// Makes a change; none if it is none of a row.
    fn apply(&mut self, mut bytes: &[u8]) -> Option<()> {
        let bytes = &mut bytes;
        let (&kind, rest) = bytes.split_first()?;
        *bytes = rest;
        let is_set = match kind {
            0 => true,
            1 => false,
            _ => return None,
        };
        let key = [&self.prefix, take_bytes(bytes)?].concat();
        if is_set {
            self.rows.insert(key, take_bytes(bytes)?.to_vec());
        } else {
            self.rows.remove(&key);
        }
        Some(())
    }

    /// The rows from `from` up to `to`, or up to the end if that is empty.
    pub(super) fn within(&self, from: &[u8], to: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        let end = if to.is_empty() {
            Bound::Unbounded
        } else {
            Bound::Excluded(to)
        };
        let rows = self.rows.range::<[u8], _>((Bound::Included(from), end));
        rows.map(|(key, value)| (&key[..], &value[..]))
    }

    /// Whether a row under `key` would be here.
    pub(super) fn covers(&self, key: &[u8]) -> bool {
        *self.low <= *key && (self.high.is_empty() || *key < *self.high)
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.rows.get(key).map(Vec::as_slice)
    }
}
