//! The reader of a connection without a connection, for those who feed it any bytes; and connections
//! over a net that a test brings, by [`TcpCoordinator::on`](crate::TcpCoordinator::on) and
//! [`TcpLink::over`](crate::TcpLink::over).

use bytes::Bytes;
use sync_core::transport::TransportError;

use crate::compress::{Opener, Side, Slot, offered};
use crate::frame::{Decoder, HEADER_BYTES, READ_BYTES_MAX, decode_hello, encode_hello};
use crate::meter::Meter;
#[cfg(feature = "tcp")]
pub use crate::tcp::{Dialer, Duplex, Listener, Socket};

/// The receiving half of an admitted connection.
#[derive(Debug)]
pub struct Stream {
    decoder: Decoder,
    opener: Opener,
    meter: Meter,
}

/// Kinds, as the wire numbers them, and bodies.
pub type Frames = Vec<(u8, Bytes)>;

impl Stream {
    /// Most bytes reserved ahead of a read.
    pub const STEP_BYTES_MAX: usize = 2 * READ_BYTES_MAX;

    /// Most bytes that come of one byte, which is where a message is compressed.
    pub const RATIO_MAX: usize = crate::compress::RATIO_MAX;

    /// One that takes messages of up to `frame_bytes_max`, compressed in any way there is, as an
    /// agent does.
    pub fn new(frame_bytes_max: usize) -> Self {
        let mut decoder = Decoder::new();
        decoder.accept_data(frame_bytes_max, offered(true));
        Self {
            decoder,
            opener: Opener::new(Side::Agent, Slot::default(), frame_bytes_max),
            meter: Meter::default(),
        }
    }

    /// Receives `bytes`, in as many reads as they take. The frames that are whole, messages as they
    /// were before compression; with an error, those before it, and nothing may follow.
    pub fn read(&mut self, mut bytes: &[u8]) -> Result<Frames, (Frames, TransportError)> {
        let mut frames = Frames::new();
        loop {
            let space = self.decoder.space();
            let (now, later) = bytes.split_at(bytes.len().min(space.capacity() - space.len()));
            space.extend_from_slice(now);
            self.decoder.filled(now.len());
            bytes = later;
            if let Err(error) = self.take(&mut frames) {
                return Err((frames, error));
            }
            if bytes.is_empty() {
                return Ok(frames);
            }
        }
    }

    /// Bytes reserved for what has not become a frame.
    pub fn reserved(&mut self) -> usize {
        self.decoder.space().capacity()
    }

    fn take(&mut self, frames: &mut Frames) -> Result<(), TransportError> {
        while let Some(frame) = self.decoder.next()? {
            if let Some(frame) = self.opener.open(frame, &self.meter)? {
                frames.push((frame.kind as u8, frame.body));
            }
        }
        Ok(())
    }
}

/// The body of a hello, read and written again; `None` if it is none.
pub fn hello_again(body: &[u8]) -> Option<Bytes> {
    let hello = decode_hello(body).ok()?;
    let frame = encode_hello(&hello).ok()?;
    Some(frame.slice(HEADER_BYTES..))
}

/// The bytes of a connection that gives a dictionary and says each of `messages` by it, and without
/// it; `None` if `dictionary` is none.
#[cfg(feature = "zstd")]
pub fn compressed(dictionary: &Bytes, messages: &[Bytes]) -> Option<Bytes> {
    use crate::compress::{Dictionary, pack_alone, pack_with};
    use crate::frame::{Batch, Kind};
    use bytes::Buf;

    let known = Dictionary::new(dictionary.clone())?;
    let mut batch = Batch::default();
    batch.push_packed(Kind::Dictionary, dictionary);
    for message in messages {
        batch.push_packed(Kind::PackedWith, &pack_with(message, &known)?);
        batch.push_packed(Kind::Packed, &pack_alone(message)?);
    }
    batch.seal();
    Some(batch.copy_to_bytes(batch.remaining()))
}
