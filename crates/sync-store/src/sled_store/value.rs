//! A row's value: beside its key where it fits, else in chunks.

use sync_core::store::StoreError;

use super::keys::{CHUNK_KEY_BYTES, PHYSICAL_BYTES_MAX, chunk_key};
use super::table::PhysicalRow;
use crate::damage::corrupt;
use crate::row::{FRAME_BYTES, frame};

/// Value bytes in one chunk.
const CHUNK_BYTES: usize = PHYSICAL_BYTES_MAX - CHUNK_KEY_BYTES - FRAME_BYTES;

const INLINE: u8 = 0;
const CHUNKED: u8 = 1;

/// Where the chunks of a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunked {
    /// The number of the value, never used twice in a directory.
    pub(super) value: u64,
    /// The value's length.
    pub(super) bytes: u64,
}

/// The body of a row of kind `r`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body<'a> {
    Inline(&'a [u8]),
    Chunked(Chunked),
}

impl Chunked {
    pub(super) fn chunks(self) -> u32 {
        let chunks = self.bytes.div_ceil(CHUNK_BYTES as u64);
        u32::try_from(chunks).unwrap_or(u32::MAX)
    }

    /// The keys of all chunks, in order.
    pub(super) fn keys(self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.chunks()).map(move |index| chunk_key(self.value, index))
    }

    /// The chunks of `bytes` as physical rows.
    pub(super) fn rows(self, bytes: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.keys()
            .zip(bytes.chunks(CHUNK_BYTES))
            .map(|(key, part)| {
                let framed = frame(&key, part);
                (key, framed)
            })
    }

    /// Puts the value together again out of the rows that `get` gives. A chunk that is missing, or a
    /// wrong length, is damage to `row` of the directory `name`.
    pub(super) fn read(
        self,
        name: &str,
        row: &[u8],
        mut get: impl FnMut(&[u8]) -> Result<Option<PhysicalRow>, StoreError>,
    ) -> Result<Vec<u8>, StoreError> {
        let mut whole = Vec::new();
        for (index, key) in self.keys().enumerate() {
            let Some(part) = get(&key)? else {
                let reason = format!("chunk {index} of {} is missing", self.chunks());
                return Err(corrupt(name, row, reason));
            };
            whole.extend_from_slice(part.body());
        }
        if whole.len() as u64 != self.bytes {
            let reason = format!("its chunks have {} bytes of {}", whole.len(), self.bytes);
            return Err(corrupt(name, row, reason));
        }
        Ok(whole)
    }
}

impl<'a> Body<'a> {
    /// Whether `bytes` fit beside the physical key.
    pub(super) fn fits(key: &[u8], bytes: &[u8]) -> bool {
        key.len() + FRAME_BYTES + 1 + bytes.len() <= PHYSICAL_BYTES_MAX
    }

    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Inline(bytes) => {
                let mut body = Vec::with_capacity(1 + bytes.len());
                body.push(INLINE);
                body.extend_from_slice(bytes);
                body
            }
            Self::Chunked(Chunked { value, bytes }) => {
                let mut body = Vec::with_capacity(17);
                body.push(CHUNKED);
                body.extend_from_slice(&value.to_le_bytes());
                body.extend_from_slice(&bytes.to_le_bytes());
                body
            }
        }
    }

    /// The error says what does not fit.
    pub(super) fn decode(body: &'a [u8]) -> Result<Self, String> {
        match body.split_first() {
            Some((&INLINE, bytes)) => Ok(Self::Inline(bytes)),
            Some((&CHUNKED, rest)) => {
                let halves = rest.split_first_chunk::<8>().and_then(|(value, rest)| {
                    let bytes = <[u8; 8]>::try_from(rest).ok()?;
                    Some((u64::from_le_bytes(*value), u64::from_le_bytes(bytes)))
                });
                let (value, bytes) =
                    halves.ok_or_else(|| format!("{} bytes cannot place chunks", rest.len()))?;
                Ok(Self::Chunked(Chunked { value, bytes }))
            }
            Some((kind, _)) => Err(format!("it is of the unknown kind {kind}")),
            None => Err("it has no kind".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_decodes_to_itself() {
        let chunked = Chunked {
            value: 7,
            bytes: 1 << 20,
        };
        for body in [
            Body::Inline(b""),
            Body::Inline(b"abc"),
            Body::Chunked(chunked),
        ] {
            assert_eq!(Body::decode(&body.encode()), Ok(body));
        }
        assert!(Body::decode(b"").is_err());
        assert!(Body::decode(&[9]).is_err());
        assert!(Body::decode(&[CHUNKED, 1, 2]).is_err());
    }

    #[test]
    fn chunks_cover_the_value_and_stay_under_the_limit() {
        for length in [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 1 << 20] {
            let bytes = vec![3; length];
            let chunked = Chunked {
                value: 1,
                bytes: length as u64,
            };
            let mut covered = 0;
            for (key, framed) in chunked.rows(&bytes) {
                assert!(key.len() + framed.len() <= PHYSICAL_BYTES_MAX);
                covered += framed.len() - FRAME_BYTES;
            }
            assert_eq!(covered, length);
        }
    }
}
