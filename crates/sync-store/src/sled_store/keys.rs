//! The keys of sled's physical rows, and how long such a row may be.
//!
//! | key | body |
//! |---|---|
//! | `c` | the commit row of a large batch: [`super::redo`] |
//! | `p` index:u32 | a part of a large batch that is not in its place yet |
//! | `r` length:u8 swarm key | a row, or the place of its chunks: [`super::value`] |
//! | `s` | the seal: [`crate::seal`] |
//! | `v` value:u64 index:u32 | a chunk of a row's value |
//!
//! Numbers in keys are big-endian, so that they sort; numbers in bodies are little-endian.

use std::ops::RangeInclusive;

/// Longest physical row, key and value together. sled writes larger items into files of their own
/// that it never fsyncs; this stays far below its limit.
pub(super) const PHYSICAL_BYTES_MAX: usize = 4_096;

pub(super) const COMMIT_KEY: &[u8] = b"c";
pub(super) const PART_PREFIX: u8 = b'p';
pub(super) const CHUNK_PREFIX: u8 = b'v';

/// Length of the key of a chunk.
pub(super) const CHUNK_KEY_BYTES: usize = 13;
/// Length of the key of a part.
pub(super) const PART_KEY_BYTES: usize = 5;

pub(super) fn chunk_key(value: u64, index: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(CHUNK_KEY_BYTES);
    key.push(CHUNK_PREFIX);
    key.extend_from_slice(&value.to_be_bytes());
    key.extend_from_slice(&index.to_be_bytes());
    key
}

pub(super) fn part_key(index: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(PART_KEY_BYTES);
    key.push(PART_PREFIX);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// Every part there can be.
pub(super) fn all_parts() -> RangeInclusive<Vec<u8>> {
    part_key(0)..=part_key(u32::MAX)
}
