//! Physical rows: their keys, and the frame of format byte and checksum around every value.
//!
//! | key | body |
//! |---|---|
//! | `c` | the commit row of a large batch: [`super::redo`] |
//! | `p` index:u32 | a part of a large batch that is not in its place yet |
//! | `r` length:u8 swarm key | a row, or the place of its chunks: [`super::value`] |
//! | `s` | the seal: [`super::seal`] |
//! | `v` value:u64 index:u32 | a chunk of a row's value |
//!
//! Numbers in keys are big-endian, so that they sort; numbers in bodies are little-endian.

use std::ops::RangeInclusive;

use sync_core::id::SwarmId;

/// The format of everything in a store's directory. Higher ones come from newer programs.
pub(super) const FORMAT: u8 = 1;

/// Longest physical row, key and value together. sled writes larger items into files of their own
/// that it never fsyncs; this stays far below its limit.
pub(super) const PHYSICAL_BYTES_MAX: usize = 4_096;

/// The format byte and the checksum in front of every body.
pub(super) const FRAME_BYTES: usize = 5;

pub(super) const COMMIT_KEY: &[u8] = b"c";
pub(super) const SEAL_KEY: &[u8] = b"s";
pub(super) const PART_PREFIX: u8 = b'p';
pub(super) const ROW_PREFIX: u8 = b'r';
pub(super) const CHUNK_PREFIX: u8 = b'v';

/// Length of the key of a chunk.
pub(super) const CHUNK_KEY_BYTES: usize = 13;
/// Length of the key of a part.
pub(super) const PART_KEY_BYTES: usize = 5;

/// What every key of `swarm`'s rows starts with. The length in front keeps a swarm apart from one
/// whose name starts with its name.
pub(super) fn swarm_prefix(swarm: &SwarmId) -> Vec<u8> {
    let name = swarm.as_str().as_bytes();
    let mut prefix = Vec::with_capacity(2 + name.len());
    prefix.push(ROW_PREFIX);
    prefix.push(u8::try_from(name.len()).expect("a swarm name has at most 128 bytes"));
    prefix.extend_from_slice(name);
    prefix
}

/// The physical key of the row `key` of `swarm`.
pub(super) fn row_key(swarm: &SwarmId, key: &[u8]) -> Vec<u8> {
    let mut physical = swarm_prefix(swarm);
    physical.extend_from_slice(key);
    physical
}

/// The swarm and the length of the prefix of a physical row key.
pub(super) fn swarm_of(physical: &[u8]) -> Option<(SwarmId, usize)> {
    let length = usize::from(*physical.get(1)?);
    let name = std::str::from_utf8(physical.get(2..2 + length)?).ok()?;
    Some((SwarmId::new(name).ok()?, 2 + length))
}

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

/// A body that carries the bytes that were written, and their checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framed<'a> {
    pub(super) checksum: u32,
    pub(super) body: &'a [u8],
}

/// Puts format byte and checksum in front of `body`.
pub(super) fn frame(key: &[u8], body: &[u8]) -> Vec<u8> {
    debug_assert!(
        key.len() + FRAME_BYTES + body.len() <= PHYSICAL_BYTES_MAX,
        "a physical row over the limit"
    );
    let mut framed = Vec::with_capacity(FRAME_BYTES + body.len());
    framed.push(FORMAT);
    framed.extend_from_slice(&checksum(FORMAT, key, body).to_le_bytes());
    framed.extend_from_slice(body);
    framed
}

/// Takes the frame off again. The error says what does not fit.
pub(super) fn unframe<'a>(key: &[u8], framed: &'a [u8]) -> Result<Framed<'a>, String> {
    let Some((head, body)) = framed.split_first_chunk::<FRAME_BYTES>() else {
        return Err(format!(
            "{} bytes are too few to be a row of this store",
            framed.len()
        ));
    };
    let [format, sum @ ..] = *head;
    let stored = u32::from_le_bytes(sum);
    let computed = checksum(format, key, body);
    if stored != computed {
        return Err(format!(
            "its checksum is {stored:08x}, its bytes have {computed:08x}"
        ));
    }
    if format != FORMAT {
        return Err(format!(
            "it has row format {format}, this program reads {FORMAT}"
        ));
    }
    Ok(Framed {
        checksum: stored,
        body,
    })
}

/// The key is part of the sum: a row's bytes under another row's key are damage too.
fn checksum(format: u8, key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[format]);
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_gives_back_its_body() {
        for body in [&b""[..], b"x", &[7; 4_000]] {
            let framed = frame(b"key", body);
            assert_eq!(unframe(b"key", &framed).unwrap().body, body);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let framed = frame(b"key", b"some value");
        for bit in 0..framed.len() * 8 {
            let mut damaged = framed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unframe(b"key", &damaged).is_err(), "bit {bit}");
        }
        assert!(unframe(b"kez", &framed).is_err());
        for length in 0..framed.len() {
            assert!(
                unframe(b"key", &framed[..length]).is_err(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn a_prefix_names_one_swarm() {
        let a = SwarmId::new("a").unwrap();
        let aa = SwarmId::new("aa").unwrap();
        assert!(!row_key(&aa, b"x").starts_with(&swarm_prefix(&a)));
        assert_eq!(swarm_of(&row_key(&aa, b"x")), Some((aa, 4)));
        assert_eq!(swarm_of(b"r\x05abc"), None);
        assert_eq!(swarm_of(b"r"), None);
    }
}
