//! One message of sled's log, checked by the checksum over all of it.

use super::number;

const CHECKSUM_BYTES: usize = 4;

/// What a message is about. Large items are in other files, and the store has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A page as a whole.
    Node,
    /// A change of a page.
    Link,
    /// A page that is no more.
    Free,
    /// Nothing follows in this segment.
    Cap,
    /// How far a step goes that begins here.
    Batch,
    /// Nothing about rows.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// The number of the segment that it was written into.
    pub(super) segment: u64,
    /// The page's number.
    pub(super) page: u64,
    /// Bytes of its header.
    pub(super) head: usize,
    /// Bytes after that.
    pub(super) body: usize,
}

impl Message {
    /// The message at the beginning of `bytes`; none if that is damaged, or of another segment.
    pub(super) fn read(bytes: &[u8], segment: Option<u64>) -> Option<Self> {
        let (sum, checked) = bytes.split_first_chunk::<CHECKSUM_BYTES>()?;
        let (&kind, mut rest) = checked.split_first()?;
        let kind = match kind {
            1 | 5..=7 => Kind::Other,
            2 => Kind::Cap,
            3 => Kind::Batch,
            4 => Kind::Free,
            8 => Kind::Node,
            10 => Kind::Link,
            // Damage, or of an item in another file.
            _ => return None,
        };
        let body = usize::try_from(number::take(&mut rest)?).ok()?;
        let found = number::take(&mut rest)?;
        if segment.is_some_and(|segment| segment != found) {
            return None;
        }
        let page = number::take(&mut rest)?;
        let bytes_of_head = checked.len() - rest.len();
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(rest.get(..body)?);
        hasher.update(&checked[..bytes_of_head]);
        let message = Self {
            kind,
            segment: found,
            page,
            head: CHECKSUM_BYTES + bytes_of_head,
            body,
        };
        (!hasher.finalize() == u32::from_le_bytes(*sum)).then_some(message)
    }

    /// The first message at `from` or after it.
    pub(super) fn find(bytes: &[u8], from: usize, segment: Option<u64>) -> Option<(usize, Self)> {
        let end = bytes.len().min(super::MESSAGE_AT_MAX + 1);
        (from..end).find_map(|at| Some((at, Self::read(&bytes[at..], segment)?)))
    }
}

/// The number of the segment that begins with `bytes`; none if its header is damaged.
pub(super) fn segment_header(bytes: &[u8]) -> Option<u64> {
    let (sum, checked) = bytes.split_first_chunk::<CHECKSUM_BYTES>()?;
    let (position, _) = checked.split_first_chunk()?;
    let position = u64::from_le_bytes(*position) ^ (u64::MAX >> 1);
    let is_sound = checked.len() == 16 && !crc32fast::hash(checked) == u32::from_le_bytes(*sum);
    is_sound.then_some(position / super::SEGMENT_BYTES as u64)
}
