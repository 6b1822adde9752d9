//! The reader of a connection without a connection, for those who feed it any bytes.

use bytes::Bytes;
use sync_core::transport::{Compressions, TransportError};

use crate::frame::{Decoder, HEADER_BYTES, READ_BYTES_MAX, decode_hello, encode_hello};

/// The receiving half of an admitted connection.
#[derive(Debug)]
pub struct Stream(Decoder);

/// Kinds, as the wire numbers them, and bodies.
pub type Frames = Vec<(u8, Bytes)>;

impl Stream {
    /// Most bytes reserved ahead of a read.
    pub const STEP_BYTES_MAX: usize = 2 * READ_BYTES_MAX;

    /// One that takes messages of up to `frame_bytes_max`.
    pub fn new(frame_bytes_max: usize) -> Self {
        let mut decoder = Decoder::new();
        decoder.accept_data(frame_bytes_max, Compressions::NONE);
        Self(decoder)
    }

    /// Receives `bytes`, in as many reads as they take. The frames that are whole; with an error,
    /// those before it, and nothing may follow.
    pub fn read(&mut self, mut bytes: &[u8]) -> Result<Frames, (Frames, TransportError)> {
        let mut frames = Frames::new();
        loop {
            let space = self.0.space();
            let (now, later) = bytes.split_at(bytes.len().min(space.capacity() - space.len()));
            space.extend_from_slice(now);
            self.0.filled(now.len());
            bytes = later;
            loop {
                match self.0.next() {
                    Ok(Some(frame)) => frames.push((frame.kind as u8, frame.body)),
                    Ok(None) => break,
                    Err(error) => return Err((frames, error)),
                }
            }
            if bytes.is_empty() {
                return Ok(frames);
            }
        }
    }

    /// Bytes reserved for what has not become a frame.
    pub fn reserved(&mut self) -> usize {
        self.0.space().capacity()
    }
}

/// The body of a hello, read and written again; `None` if it is none.
pub fn hello_again(body: &[u8]) -> Option<Bytes> {
    let hello = decode_hello(body).ok()?;
    let frame = encode_hello(&hello).ok()?;
    Some(frame.slice(HEADER_BYTES..))
}
