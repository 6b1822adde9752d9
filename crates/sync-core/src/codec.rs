//! The one place where messages become bytes and bytes become messages.
//!
//! A frame is a format byte, a bincode header and the raw segments it counts. bincode is pinned and
//! unmaintained (RUSTSEC-2025-0141), so nothing outside this module and the derives of wire types
//! names it; another codec would replace this file.

mod list;
mod read_as;
mod text;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::{Decode, Encode};
use bytes::Bytes;

use crate::error::DecodeError;
use crate::message::{Body, Message};
use crate::transport::Frame;

pub use self::list::List;
pub(crate) use self::read_as::read_as;
pub(crate) use self::text::Text;

/// The format of everything this module writes.
pub const FORMAT: u8 = 1;

/// No frame is larger, whatever is configured.
pub const FRAME_BYTES_CEILING: usize = 16 * 1024 * 1024;

/// What a message may claim to take in memory. bincode counts the size of items there, several times
/// what they take in bytes; untrusted lists reserve nothing ahead (see [`List`]).
const CLAIM_BYTES_MAX: usize = 8 * FRAME_BYTES_CEILING;

type Config = Configuration<LittleEndian, Varint, Limit<CLAIM_BYTES_MAX>>;

const CONFIG: Config = bincode::config::standard().with_limit::<CLAIM_BYTES_MAX>();

/// Encodes a small self-contained item behind a format byte.
pub fn to_bytes<T: Encode>(item: &T) -> Bytes {
    let mut out = vec![FORMAT];
    write(item, &mut out);
    out.into()
}

/// The same behind what is there already, without bytes of its own.
pub fn append_bytes<T: Encode>(item: &T, out: &mut Vec<u8>) {
    out.push(FORMAT);
    write(item, out);
}

/// Reads what [`to_bytes`] wrote; everything must be consumed.
pub fn from_bytes<'a, T: bincode::BorrowDecode<'a, ()>>(
    what: &'static str,
    bytes: &'a [u8],
) -> Result<T, DecodeError> {
    let (item, used) = read(what, strip_format(what, bytes)?)?;
    match bytes.len() - 1 - used {
        0 => Ok(item),
        extra => Err(DecodeError::Trailing { what, extra }),
    }
}

#[derive(Encode)]
struct HeaderRef<'a> {
    body: &'a Body,
    lengths: Vec<u32>,
}

#[derive(Decode)]
struct Header {
    body: Body,
    lengths: List<u32>,
}

/// Encodes a message. Segments are shared with the frame, not copied.
pub fn encode(message: &Message) -> Frame {
    let lengths = message
        .segments
        .iter()
        .map(|s| u32::try_from(s.len()).unwrap_or(u32::MAX));
    let mut head = vec![FORMAT];
    write(
        &HeaderRef {
            body: &message.body,
            lengths: lengths.collect(),
        },
        &mut head,
    );
    let mut pieces = Vec::with_capacity(1 + message.segments.len());
    pieces.push(head.into());
    pieces.extend(message.segments.iter().cloned());
    Frame::of(pieces).at(message.turn)
}

/// Reads a message. Segments are slices of `frame`, checked when they are decoded themselves.
pub fn decode(frame: &Bytes) -> Result<Message, DecodeError> {
    const WHAT: &str = "a message";
    let (header, used): (Header, usize) = read(WHAT, strip_format(WHAT, frame)?)?;
    let mut at = 1 + used;
    let mut segments = Vec::new();
    for length in header.lengths.0 {
        let end = at.saturating_add(length as usize);
        if end > frame.len() {
            return Err(DecodeError::Truncated {
                what: WHAT,
                offset: frame.len(),
            });
        }
        segments.push(frame.slice(at..end));
        at = end;
    }
    match frame.len() - at {
        0 => Ok(Message::with(header.body, segments)),
        extra => Err(DecodeError::Trailing { what: WHAT, extra }),
    }
}

fn write<T: Encode>(item: &T, out: &mut Vec<u8>) {
    // Encoding fails only when a writer or a hand-written implementation does; a vector grows and
    // ours do not fail.
    let result = bincode::encode_into_std_write(item, out, CONFIG);
    debug_assert!(result.is_ok(), "{result:?}");
}

fn read<'a, T: bincode::BorrowDecode<'a, ()>>(
    what: &'static str,
    bytes: &'a [u8],
) -> Result<(T, usize), DecodeError> {
    use bincode::error::DecodeError as Bincode;

    bincode::borrow_decode_from_slice(bytes, CONFIG).map_err(|error| match error {
        Bincode::UnexpectedEnd { .. } => DecodeError::Truncated {
            what,
            offset: bytes.len() + 1,
        },
        Bincode::OtherString(reason) => DecodeError::Malformed {
            what,
            offset: 1,
            reason,
        },
        other => DecodeError::Malformed {
            what,
            offset: 1,
            reason: other.to_string(),
        },
    })
}

fn strip_format<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => Ok(rest),
        Some((&found, _)) => Err(DecodeError::Format {
            what,
            found,
            known: FORMAT,
        }),
        None => Err(DecodeError::Truncated { what, offset: 0 }),
    }
}
