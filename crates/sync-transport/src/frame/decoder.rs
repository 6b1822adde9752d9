//! Takes frames out of received bytes, however they were split on the way.

use bytes::{Buf, Bytes, BytesMut};
use sync_core::transport::{Compressions, TransportError};

use super::{HEADER_BYTES, Kind, protocol};

/// Space reserved ahead of a read when nothing more is known to come. Small, because thousands of
/// idle connections each hold one.
const READ_BYTES_MIN: usize = 4 << 10;

/// Most space reserved ahead of a read. A peer that announces a large frame and sends nothing
/// therefore makes this side hold one step, not the frame.
pub(crate) const READ_BYTES_MAX: usize = 64 << 10;

/// Less spare room than this is not worth a system call.
const SPARE_BYTES_MIN: usize = 512;

/// Bodies up to this size are copied out: a slice would keep its whole buffer, up to a step of
/// reading and mostly of other frames, for as long as it waits.
const COPY_BYTES_MAX: usize = 16 << 10;

/// How TLS answers who says hello in the clear. After it comes the second number of its version, which is
/// not zero: as a length the three are over the limit of a handshake.
const TLS_ALERT: [u8; 2] = [21, 3];

/// One whole frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) kind: Kind,
    pub(crate) body: Bytes,
}

/// Collects bytes and gives out whole frames. After an error it must not be asked again.
#[derive(Debug)]
pub(crate) struct Decoder {
    buffer: BytesMut,
    data_bytes_max: usize,
    compressions: Compressions,
    step: usize,
}

impl Decoder {
    /// A decoder that accepts no messages yet, only the frames of a handshake.
    pub(crate) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            data_bytes_max: 0,
            compressions: Compressions::NONE,
            step: READ_BYTES_MIN,
        }
    }

    /// From now on messages of up to `bytes` are accepted, compressed in these ways.
    pub(crate) fn accept_data(&mut self, bytes: usize, compressions: Compressions) {
        self.data_bytes_max = bytes;
        self.compressions = compressions;
    }

    /// Where the next read goes. There is always room, and never more than one step of it is
    /// reserved beyond twice of what has been received.
    pub(crate) fn space(&mut self) -> &mut BytesMut {
        let spare = self.buffer.capacity() - self.buffer.len();
        if spare < SPARE_BYTES_MIN {
            let step = self.missing().clamp(self.step, READ_BYTES_MAX);
            self.buffer.reserve(step);
        }
        &mut self.buffer
    }

    /// Notes that `bytes` arrived in [`Decoder::space`]: a peer that fills the room gets more, one
    /// that does not gives it back.
    pub(crate) fn filled(&mut self, bytes: usize) {
        let full = self.buffer.capacity() == self.buffer.len();
        self.step = match full {
            true => (self.step * 2).min(READ_BYTES_MAX),
            false if bytes < self.step / 2 => (self.step / 2).max(READ_BYTES_MIN),
            false => self.step,
        };
    }

    /// The next whole frame, if there is one.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, TransportError> {
        let Some((kind, body)) = self.header()? else {
            return Ok(None);
        };
        if self.buffer.len() < HEADER_BYTES + body {
            return Ok(None);
        }
        self.buffer.advance(HEADER_BYTES);
        let body = if body <= COPY_BYTES_MAX {
            let copy = Bytes::copy_from_slice(&self.buffer[..body]);
            self.buffer.advance(body);
            copy
        } else {
            self.buffer.split_to(body).freeze()
        };
        Ok(Some(Incoming { kind, body }))
    }

    /// Length of the frame that has begun and is not whole; `None` between frames.
    pub(crate) fn begun(&self) -> Option<usize> {
        (!self.buffer.is_empty()).then(|| self.announced().unwrap_or(HEADER_BYTES))
    }

    /// Checks what is known of the next frame as early as it is known.
    fn header(&self) -> Result<Option<(Kind, usize)>, TransportError> {
        let Some(&[a, b, c, d]) = self.buffer.first_chunk() else {
            return Ok(None);
        };
        if self.data_bytes_max == 0 && [a, b] == TLS_ALERT && c != 0 {
            return Err(TransportError::Tls {
                reason: "the other end speaks TLS: give --tls-ca, and a certificate or a token"
                    .into(),
            });
        }
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some(body) = length.checked_sub(1) else {
            return Err(protocol("a frame of length zero"));
        };
        let Some(&byte) = self.buffer.get(HEADER_BYTES - 1) else {
            return Ok(None);
        };
        let kind = Kind::from_byte(byte)?;
        if let Some(needs) = kind.needs() {
            if self.data_bytes_max == 0 {
                return Err(protocol("a message before the handshake"));
            }
            if !self.compressions.contains(needs) {
                let reason = format!("a frame of kind {kind:?}, which was not agreed on");
                return Err(protocol(reason));
            }
        }
        let limit = kind.body_bytes_max(self.data_bytes_max);
        if body > limit {
            return Err(TransportError::FrameTooLarge { bytes: body, limit });
        }
        Ok(Some((kind, body)))
    }

    fn announced(&self) -> Option<usize> {
        let length = u32::from_le_bytes(*self.buffer.first_chunk()?) as usize;
        Some(length.saturating_add(HEADER_BYTES - 1))
    }

    fn missing(&self) -> usize {
        let whole = self.announced().unwrap_or(HEADER_BYTES);
        whole.saturating_sub(self.buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{HANDSHAKE_BYTES_MAX, REASON_BYTES_MAX, header};

    const LIMIT: usize = 1000;

    fn decoder() -> Decoder {
        let mut decoder = Decoder::new();
        decoder.accept_data(LIMIT, Compressions::ZSTD);
        decoder
    }

    fn bytes_of(kind: Kind, body: &[u8]) -> Vec<u8> {
        [&header(kind, body.len())[..], body].concat()
    }

    fn stream() -> (Vec<u8>, Vec<Incoming>) {
        let frames = [
            (Kind::Data, vec![7; 300]),
            (Kind::Ping, vec![]),
            (Kind::Data, vec![]),
            (Kind::Data, vec![9; LIMIT]),
            (Kind::Bye, b"done".to_vec()),
        ];
        let bytes = frames.iter().flat_map(|(kind, body)| bytes_of(*kind, body));
        let bytes = bytes.collect();
        let frames = frames.map(|(kind, body)| Incoming {
            kind,
            body: body.into(),
        });
        (bytes, frames.into())
    }

    fn feed(decoder: &mut Decoder, bytes: &[u8], out: &mut Vec<Incoming>) {
        decoder.space().extend_from_slice(bytes);
        decoder.filled(bytes.len());
        while let Some(frame) = decoder.next().unwrap() {
            out.push(frame);
        }
    }

    #[test]
    fn a_stream_may_be_split_anywhere() {
        let (bytes, expected) = stream();
        for at in 0..=bytes.len() {
            let mut decoder = decoder();
            let mut out = Vec::new();
            feed(&mut decoder, &bytes[..at], &mut out);
            feed(&mut decoder, &bytes[at..], &mut out);
            assert_eq!(out, expected, "split at {at}");
            assert_eq!(decoder.begun(), None);
        }
        let mut decoder = decoder();
        let mut out = Vec::new();
        for byte in &bytes {
            feed(&mut decoder, &[*byte], &mut out);
        }
        assert_eq!(out, expected);
    }

    #[test]
    fn a_truncated_frame_is_no_frame() {
        let whole = bytes_of(Kind::Data, &[1; 50]);
        for length in 0..whole.len() {
            let mut decoder = decoder();
            decoder.space().extend_from_slice(&whole[..length]);
            assert_eq!(decoder.next(), Ok(None), "{length} bytes");
            assert_eq!(decoder.begun().is_some(), length > 0);
        }
    }

    /// Bad input, row 1.
    #[test]
    fn bad_headers_are_refused_before_their_body_arrives() {
        let cases: [(&str, Vec<u8>); 11] = [
            ("zero length", vec![0, 0, 0, 0]),
            ("unknown kind", vec![1, 0, 0, 0, 0]),
            ("unknown kind 255", vec![1, 0, 0, 0, 255]),
            ("largest length", vec![255, 255, 255, 255, Kind::Data as u8]),
            ("one over", header(Kind::Data, LIMIT + 1).into()),
            (
                "long hello",
                header(Kind::Hello, HANDSHAKE_BYTES_MAX + 1).into(),
            ),
            ("ping with a body", header(Kind::Ping, 1).into()),
            (
                "long goodbye",
                header(Kind::Bye, REASON_BYTES_MAX + 1).into(),
            ),
            (
                "compressed, one over",
                header(Kind::Packed, LIMIT + 1).into(),
            ),
            (
                "a way that was not agreed on",
                header(Kind::PackedWith, 10).into(),
            ),
            ("a request", b"GET / HTTP/1.1\r\n".to_vec()),
        ];
        for (name, bytes) in cases {
            let mut decoder = decoder();
            decoder.space().extend_from_slice(&bytes);
            assert!(decoder.next().is_err(), "{name}");
        }
    }

    #[test]
    fn an_alert_of_tls_is_told_from_a_frame_that_begins_like_it() {
        let alert = [21, 3, 3, 0, 2];
        // The other end refuses in 788 bytes, the byte of the kind included 789: 21 + 3 * 256.
        let refusal = header(Kind::Refuse, 788);
        assert_eq!(refusal[..2], TLS_ALERT);
        let mut decoder = Decoder::new();
        decoder.space().extend_from_slice(&refusal);
        assert_eq!(decoder.next(), Ok(None));
        let mut decoder = Decoder::new();
        decoder.space().extend_from_slice(&alert);
        let told = decoder.next().unwrap_err();
        assert!(matches!(told, TransportError::Tls { .. }), "{told}");
    }

    #[test]
    fn no_message_passes_before_the_handshake() {
        for kind in [Kind::Data, Kind::Packed, Kind::PackedWith, Kind::Dictionary] {
            let mut decoder = Decoder::new();
            decoder.space().extend_from_slice(&bytes_of(kind, b"x"));
            assert!(decoder.next().is_err(), "{kind:?}");
        }
    }

    /// Bad input, row 2.
    #[test]
    fn a_lying_length_reserves_one_step() {
        let mut decoder = Decoder::new();
        decoder.accept_data(crate::FRAME_BYTES_MAX_CEILING, Compressions::NONE);
        let lie = header(Kind::Data, crate::FRAME_BYTES_MAX_CEILING);
        decoder.space().extend_from_slice(&lie);
        for _ in 0..100 {
            assert_eq!(decoder.next(), Ok(None));
            let received = decoder.buffer.len();
            let space = decoder.space();
            assert!(space.capacity() <= 2 * received + READ_BYTES_MAX + READ_BYTES_MIN);
            space.extend_from_slice(&[0; 10]);
            decoder.filled(10);
        }
    }

    /// Bad input, row 2.
    #[test]
    fn allocation_stays_within_twice_of_what_was_received() {
        let mut decoder = Decoder::new();
        decoder.accept_data(crate::FRAME_BYTES_MAX_CEILING, Compressions::NONE);
        let large = header(Kind::Data, crate::FRAME_BYTES_MAX_CEILING);
        decoder.space().extend_from_slice(&large);
        while decoder.next().unwrap().is_none() {
            let space = decoder.space();
            let room = space.capacity() - space.len();
            assert!(space.capacity() <= 2 * space.len() + READ_BYTES_MAX + READ_BYTES_MIN);
            let more = room.min(HEADER_BYTES + crate::FRAME_BYTES_MAX_CEILING - space.len());
            space.resize(space.len() + more, 0);
            decoder.filled(more);
        }
        assert_eq!(decoder.begun(), None);
    }
}
