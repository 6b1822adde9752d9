//! The bytes on the wire: `u32` little-endian length, one byte of kind, body. No I/O here.
//!
//! The length counts the kind and the body. It is checked against the limit of its kind as soon as
//! it is known, so a lying length costs its sender the connection and this side nothing.

mod batch;
mod decoder;
mod handshake;

pub(crate) use batch::Batch;
#[cfg(feature = "testing")]
pub(crate) use decoder::READ_BYTES_MAX;
pub(crate) use decoder::{Decoder, Incoming};
pub(crate) use handshake::{
    decode_hello, decode_refusal, decode_welcome, encode_hello, encode_proof, encode_refusal,
    encode_welcome,
};

use sync_core::transport::{Compressions, Frame, TransportError};

use crate::compress::{DICTIONARY_BYTES_MAX, SMALL_BYTES_MAX};

/// Largest message a connection carries unless configured otherwise, in bytes. A megabyte holds
/// thousands of entries; what is larger is sent in parts, so that no peer hogs a connection.
pub const FRAME_BYTES_MAX_DEFAULT: usize = 1 << 20;

/// Largest message that can be configured, in bytes: what one hostile peer may make this side hold.
pub const FRAME_BYTES_MAX_CEILING: usize = 16 << 20;

/// Bytes of framing before each body: the length and the kind.
pub(crate) const HEADER_BYTES: usize = 5;

/// Longest hello, welcome or refusal. Two names of 128 bytes and a few numbers fit ten times over;
/// a stranger gets to fill no more than this.
pub(crate) const HANDSHAKE_BYTES_MAX: usize = 4096;

/// A proof of a token: as long as a token.
pub(crate) const PROOF_BYTES: usize = 32;

/// Longest reason in a goodbye: a sentence.
pub(crate) const REASON_BYTES_MAX: usize = 1024;

/// What a frame is. The set is closed: a new kind is a new protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The first frame of a connecting peer.
    Hello = 1,
    /// The hub admits it.
    Welcome = 2,
    /// The hub does not.
    Refuse = 3,
    /// Asks for a sign of life. No body.
    Ping = 4,
    /// Is one. No body.
    Pong = 5,
    /// A message of the layer above.
    Data = 6,
    /// The last frame of a peer that leaves in an orderly way; the body says why.
    Bye = 7,
    /// A message as one zstd frame.
    Packed = 8,
    /// A small message as one zstd frame made with the dictionary of the connection, without the
    /// four bytes that open every zstd frame.
    PackedWith = 9,
    /// That dictionary. Only a hub gives one, once.
    Dictionary = 10,
    /// That a connecting peer has a token: before its hello, over TLS.
    Proof = 11,
}

impl Kind {
    fn from_byte(byte: u8) -> Result<Self, TransportError> {
        Ok(match byte {
            1 => Self::Hello,
            2 => Self::Welcome,
            3 => Self::Refuse,
            4 => Self::Ping,
            5 => Self::Pong,
            6 => Self::Data,
            7 => Self::Bye,
            8 => Self::Packed,
            9 => Self::PackedWith,
            10 => Self::Dictionary,
            11 => Self::Proof,
            other => return Err(protocol(format!("{other:#04x} is no kind of frame"))),
        })
    }

    /// The longest body of this kind, where messages may have `data_bytes_max`.
    fn body_bytes_max(self, data_bytes_max: usize) -> usize {
        match self {
            Self::Hello | Self::Welcome | Self::Refuse => HANDSHAKE_BYTES_MAX,
            Self::Ping | Self::Pong => 0,
            // What is compressed is smaller than what it was, or it is sent as it was.
            Self::Data | Self::Packed => data_bytes_max,
            Self::PackedWith => data_bytes_max.min(SMALL_BYTES_MAX),
            Self::Bye => REASON_BYTES_MAX,
            Self::Dictionary => DICTIONARY_BYTES_MAX,
            Self::Proof => PROOF_BYTES,
        }
    }

    /// Whether it belongs to what follows a handshake, and what must have been agreed on there.
    fn needs(self) -> Option<Compressions> {
        match self {
            Self::Data => Some(Compressions::NONE),
            Self::Packed => Some(Compressions::ZSTD),
            Self::PackedWith | Self::Dictionary => Some(Compressions::DICTIONARY),
            Self::Hello
            | Self::Welcome
            | Self::Refuse
            | Self::Ping
            | Self::Pong
            | Self::Bye
            | Self::Proof => None,
        }
    }
}

/// The start of a frame with `body` bytes of body.
pub(crate) fn header(kind: Kind, body: usize) -> [u8; HEADER_BYTES] {
    // Bodies are checked against a limit of at most 16 MiB before they get here.
    let length = u32::try_from(body + 1).unwrap_or(u32::MAX).to_le_bytes();
    [length[0], length[1], length[2], length[3], kind as u8]
}

/// Checked before anything is queued, so that a message over the limit harms nobody.
pub(crate) fn check_sizes(frames: &[Frame], limit: usize) -> Result<(), TransportError> {
    match frames.iter().map(Frame::len).find(|&bytes| bytes > limit) {
        Some(bytes) => Err(TransportError::FrameTooLarge { bytes, limit }),
        None => Ok(()),
    }
}

pub(crate) fn protocol(reason: impl Into<String>) -> TransportError {
    TransportError::Protocol {
        reason: reason.into(),
    }
}

/// `text` cut to at most `limit` bytes, at a character.
pub(crate) fn clip(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
