//! What every store on disk shares: the keys of rows, and the frame of format byte and checksum around
//! every value.
//!
//! | key | body |
//! |---|---|
//! | `r` length:u8 swarm key | a row |
//! | `s` | the seal: [`super::seal`] |
//!
//! A store may have more of its own.

use sync_core::id::SwarmId;

/// The format of everything in a store's directory. Higher ones come from newer programs.
pub(crate) const FORMAT: u8 = 1;

/// The format byte and the checksum in front of every body.
pub(crate) const FRAME_BYTES: usize = 5;

pub(crate) const SEAL_KEY: &[u8] = b"s";
pub(crate) const ROW_PREFIX: u8 = b'r';

/// What every key of `swarm`'s rows starts with. The length in front keeps a swarm apart from one
/// whose name starts with its name.
pub(crate) fn swarm_prefix(swarm: &SwarmId) -> Vec<u8> {
    let name = swarm.as_str().as_bytes();
    let mut prefix = Vec::with_capacity(2 + name.len());
    prefix.push(ROW_PREFIX);
    prefix.push(u8::try_from(name.len()).expect("a swarm name has at most 128 bytes"));
    prefix.extend_from_slice(name);
    prefix
}

/// The least key after all keys that start with `prefix`.
pub(crate) fn after_all(prefix: &[u8]) -> Vec<u8> {
    let mut next = prefix.to_vec();
    if let Some(last) = next.last_mut() {
        // A swarm's prefix ends with its name, and a name is ASCII.
        debug_assert!(last.is_ascii(), "a swarm name of other than ASCII");
        *last += 1;
    }
    next
}

/// The physical key of the row `key` of `swarm`.
pub(crate) fn row_key(swarm: &SwarmId, key: &[u8]) -> Vec<u8> {
    let mut physical = swarm_prefix(swarm);
    physical.extend_from_slice(key);
    physical
}

/// The swarm and the length of the prefix of a physical row key.
pub(crate) fn swarm_of(physical: &[u8]) -> Option<(SwarmId, usize)> {
    let length = usize::from(*physical.get(1)?);
    let name = std::str::from_utf8(physical.get(2..2 + length)?).ok()?;
    Some((SwarmId::new(name).ok()?, 2 + length))
}

/// A body that carries the bytes that were written, and their checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framed<'a> {
    pub(crate) checksum: u32,
    pub(crate) body: &'a [u8],
}

/// Puts format byte and checksum in front of `body`.
pub(crate) fn frame(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(FRAME_BYTES + body.len());
    framed.push(FORMAT);
    framed.extend_from_slice(&checksum(FORMAT, key, body).to_le_bytes());
    framed.extend_from_slice(body);
    framed
}

/// The checksum that [`frame`] has put in front.
pub(crate) fn checksum_of(framed: &[u8]) -> u32 {
    let sum = framed.get(1..).and_then(<[u8]>::first_chunk);
    u32::from_le_bytes(*sum.expect("a frame starts with its format and its checksum"))
}

/// Takes the frame off again. The error says what does not fit.
pub(crate) fn unframe<'a>(key: &[u8], framed: &'a [u8]) -> Result<Framed<'a>, String> {
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

    /// Bad input, row 13.
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
