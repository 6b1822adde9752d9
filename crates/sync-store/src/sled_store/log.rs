//! sled's file, read without sled: what is in it however much of it is damaged, and whether any of it is.
//!
//! sled appends to a log of segments of 512 KiB. On its way through the log it stops at the first message
//! that it cannot read, and writes zeroes over what follows. This reads on after damage, and writes nothing.
//!
//! The format is that of sled 0.34 (`pagecache/logger.rs`, `pagecache/iterator.rs`, `serialization.rs`).

mod message;
mod number;
mod page;
mod ranges;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use self::message::{Kind, Message, segment_header};
use self::page::{Place, Version};
pub(super) use self::ranges::Rows;

/// sled's default, which the store leaves as it is.
const SEGMENT_BYTES: usize = 512 * 1024;

/// In front of a segment's messages.
const SEGMENT_HEADER_BYTES: usize = 20;

/// sled begins no message behind this place in a segment.
const MESSAGE_AT_MAX: usize = SEGMENT_BYTES - 32;

/// The pages that a log tells of, and how well it could be read.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// All versions of all pages, in the order in which they were written. What a newer one has taken over
    /// may be in an older one alone, if the newer one is damaged.
    versions: Vec<Version>,
    /// Which of them is the newest of a page.
    newest: BTreeMap<u64, usize>,
    is_whole: bool,
    /// The last position of the last step that was begun: sled drops a step that is not there to its end.
    promised: u64,
}

/// Where a segment is in the order of writing, and in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Segment {
    number: u64,
    offset: u64,
}

impl Log {
    /// Reads all of the file once; memory in proportion to its messages.
    pub(super) fn read(file: &mut File) -> io::Result<Self> {
        let mut log = Self {
            is_whole: true,
            ..Self::default()
        };
        let segments = log.segments(file)?;
        let last = segments.last().copied();
        for segment in segments {
            let bytes = read_at(file, segment.offset, SEGMENT_BYTES)?;
            log.replay(segment, &bytes, Some(segment) == last);
        }
        Ok(log)
    }

    /// Whether every message was read, so that sled finds nothing to write over. A file that is whole may
    /// still be too short.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The row under `key` of a log that is whole. Begins with what was written last.
    pub(super) fn newest(&self, file: &mut File, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let newest = self.newest.values().map(|nth| &self.versions[*nth]);
        let mut versions: Vec<&Version> = newest.collect();
        versions.sort_unstable_by_key(|version| Reverse(version.changed));
        for version in versions {
            let leaf = version.leaf(file)?;
            if let Some(leaf) = leaf.filter(|leaf| leaf.covers(key)) {
                return Ok(leaf.get(key).map(<[u8]>::to_vec));
            }
        }
        Ok(None)
    }

    /// The rows of all pages.
    pub(super) fn rows<'a>(&'a self, file: &'a mut File) -> io::Result<Rows<'a>> {
        Rows::new(&self.versions, file)
    }

    /// The segments that are in use, in the order in which they were written.
    fn segments(&mut self, file: &mut File) -> io::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        let length = file.metadata()?.len();
        for offset in (0..length).step_by(SEGMENT_BYTES) {
            let head = read_at(file, offset, SEGMENT_HEADER_BYTES)?;
            let number = match segment_header(&head) {
                Some(number) => Some(number),
                None => self.number_without_header(&read_at(file, offset, SEGMENT_BYTES)?),
            };
            segments.extend(number.map(|number| Segment { number, offset }));
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// What the messages of a segment say that its number is. sled has zeroes in those that are free.
    fn number_without_header(&mut self, bytes: &[u8]) -> Option<u64> {
        if bytes.iter().all(|byte| *byte == 0) {
            return None;
        }
        self.is_whole = false;
        let (_, first) = Message::find(bytes, SEGMENT_HEADER_BYTES, None)?;
        Some(first.segment)
    }

    /// Takes over what the messages of a segment say. Only the `last` may end before its end.
    fn replay(&mut self, segment: Segment, bytes: &[u8], last: bool) {
        let begin = segment.number * SEGMENT_BYTES as u64;
        let expected = Some(segment.number);
        let mut at = SEGMENT_HEADER_BYTES;
        // Of the last segment the file holds no more than was written.
        while at <= MESSAGE_AT_MAX && at < bytes.len() {
            let Some(message) = Message::read(&bytes[at..], expected) else {
                let next = Message::find(bytes, at + 1, expected);
                // Behind the end there may be what a segment held before this one took its place.
                self.is_whole &= last && next.is_none() && self.promised < begin + at as u64;
                match next {
                    Some((next, _)) => at = next,
                    None => return,
                }
                continue;
            };
            let place = Place {
                offset: segment.offset + (at + message.head) as u64,
                length: message.body,
            };
            let body = &bytes[at + message.head..][..message.body];
            if message.kind == Kind::Cap {
                return;
            }
            self.take(&message, begin + at as u64, place, body);
            at += message.head + message.body;
        }
        self.is_whole &= !last || self.promised < begin + at as u64;
    }

    /// Takes over what a message says that was written at `position`.
    fn take(&mut self, message: &Message, position: u64, place: Place, body: &[u8]) {
        match message.kind {
            Kind::Node => {
                self.newest.insert(message.page, self.versions.len());
                self.versions.push(Version::new(position, place));
            }
            Kind::Link => {
                if let Some(nth) = self.newest.get(&message.page) {
                    self.versions[*nth].change(position, place);
                }
            }
            Kind::Free => {
                self.newest.remove(&message.page);
            }
            Kind::Batch => {
                let last = body.try_into().map_or(u64::MAX, u64::from_le_bytes);
                self.promised = self.promised.max(last);
            }
            Kind::Cap | Kind::Other => {}
        }
    }
}

/// As many bytes as there are, up to `length`.
fn read_at(file: &mut File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(length.min(SEGMENT_BYTES));
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
