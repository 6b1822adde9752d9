//! Frames on their way out, laid out so that one vectored write takes many of them.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use sync_core::transport::Frame;

use super::{HEADER_BYTES, Kind, REASON_BYTES_MAX, clip, header};

/// Pieces up to this size are copied next to their neighbours: that costs less than their own
/// place in a vectored write.
const COPY_BYTES_MAX: usize = 512;

/// A queue of chunks that is written front to back. Large pieces are shared, not copied.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    chunks: VecDeque<Bytes>,
    small: BytesMut,
    remaining: usize,
}

impl Batch {
    /// Appends a frame without a body.
    pub(crate) fn push_empty(&mut self, kind: Kind) {
        self.put(&header(kind, 0));
    }

    /// Appends a goodbye.
    pub(crate) fn push_bye(&mut self, reason: &str) {
        let reason = clip(reason, REASON_BYTES_MAX).as_bytes();
        self.put(&header(Kind::Bye, reason.len()));
        self.put(reason);
    }

    /// Appends a message.
    pub(crate) fn push_data(&mut self, frame: &Frame) {
        self.put(&header(Kind::Data, frame.len()));
        for piece in &frame.pieces {
            self.put_shared(piece);
        }
    }

    /// Appends what stands for a message, or helps to read one.
    pub(crate) fn push_packed(&mut self, kind: Kind, body: &Bytes) {
        self.put(&header(kind, body.len()));
        self.put_shared(body);
    }

    /// Appends bytes that are frames already.
    pub(crate) fn push_raw(&mut self, bytes: &Bytes) {
        self.put_shared(bytes);
    }

    /// Ends the appending. Before this the last bytes are not visible to [`Buf`].
    pub(crate) fn seal(&mut self) {
        if !self.small.is_empty() {
            self.chunks.push_back(self.small.split().freeze());
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.small.reserve(bytes.len().max(HEADER_BYTES));
        self.small.put_slice(bytes);
        self.remaining += bytes.len();
    }

    fn put_shared(&mut self, bytes: &Bytes) {
        if bytes.len() <= COPY_BYTES_MAX {
            return self.put(bytes);
        }
        self.seal();
        self.remaining += bytes.len();
        self.chunks.push_back(bytes.clone());
    }
}

impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut bytes: usize) {
        assert!(bytes <= self.remaining, "advanced past the end");
        self.remaining -= bytes;
        while let Some(chunk) = self.chunks.front_mut() {
            if bytes < chunk.len() {
                chunk.advance(bytes);
                return;
            }
            bytes -= chunk.len();
            self.chunks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use sync_core::transport::Compressions;

    use super::*;
    use crate::frame::Decoder;

    fn pieces(lengths: &[usize]) -> Frame {
        let piece =
            |(i, &length): (usize, &usize)| Bytes::from(vec![u8::try_from(i).unwrap(); length]);
        Frame::of(lengths.iter().enumerate().map(piece).collect())
    }

    #[test]
    fn what_is_appended_is_what_a_decoder_reads() {
        let frames = [
            pieces(&[]),
            pieces(&[1, 0, COPY_BYTES_MAX, COPY_BYTES_MAX + 1, 3]),
            pieces(&[2000]),
        ];
        for step in [1, 7, 600, usize::MAX] {
            let mut batch = Batch::default();
            batch.push_empty(Kind::Ping);
            for frame in &frames {
                batch.push_data(frame);
            }
            batch.push_bye("enough");
            batch.seal();
            let mut decoder = Decoder::new();
            decoder.accept_data(10_000, Compressions::NONE);
            while batch.has_remaining() {
                let take = step.min(batch.chunk().len());
                decoder.space().extend_from_slice(&batch.chunk()[..take]);
                batch.advance(take);
            }
            assert_eq!(decoder.next().unwrap().unwrap().kind, Kind::Ping);
            for frame in &frames {
                let read = decoder.next().unwrap().unwrap();
                assert_eq!((read.kind, read.body), (Kind::Data, frame.to_bytes()));
            }
            assert_eq!(decoder.next().unwrap().unwrap().body, "enough");
            assert_eq!(decoder.next(), Ok(None));
        }
    }

    #[test]
    fn a_vectored_write_sees_every_byte_in_order() {
        let mut batch = Batch::default();
        batch.push_data(&pieces(&[2000, 10, 3000]));
        batch.push_empty(Kind::Pong);
        batch.seal();
        let mut slices = [IoSlice::new(&[]); 16];
        let count = batch.chunks_vectored(&mut slices);
        let seen: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
        assert_eq!(seen.len(), batch.remaining());
        let flat = batch.copy_to_bytes(batch.remaining());
        assert_eq!(seen, flat);
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let mut batch = Batch::default();
        batch.push_bye(&"ä".repeat(REASON_BYTES_MAX));
        batch.seal();
        assert!(batch.remaining() <= HEADER_BYTES + REASON_BYTES_MAX);
        let body = batch.copy_to_bytes(batch.remaining()).slice(HEADER_BYTES..);
        assert!(std::str::from_utf8(&body).is_ok());
    }
}
