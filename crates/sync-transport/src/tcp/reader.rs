//! The reading half of a connection: bytes in, frames out, silence noticed.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use sync_core::transport::{Compressions, TransportError};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::io::ReadHalf;
use crate::compress::{Opener, Side};
use crate::frame::{Decoder, Incoming};
use crate::meter::Meter;

/// A frame that has begun is whole within the silence deadline and its length at this rate;
/// otherwise a peer could hold a connection with a byte now and then. Slower than any network that agents work over.
const PROGRESS_BYTES_PER_SECOND: u64 = 1024;

/// Bytes thrown away while a connection closes. Whoever still sends more gets a reset.
const LINGER_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Reader {
    io: ReadHalf,
    side: Side,
    decoder: Decoder,
    /// Once admitted.
    opener: Option<Opener>,
    silence: Duration,
    heard: Instant,
    /// When the frame that is not whole began.
    begun: Option<Instant>,
    /// Not re-armed at each read: when it fires, it is looked up what is due.
    alarm: Pin<Box<Sleep>>,
}

impl Reader {
    /// Reads the frames of a handshake, whose deadline the caller keeps.
    pub(crate) fn new(io: ReadHalf, side: Side) -> Self {
        // Until `admitted`.
        let silence = Duration::from_hours(1);
        Self {
            io,
            side,
            decoder: Decoder::new(),
            opener: None,
            silence,
            heard: Instant::now(),
            begun: None,
            alarm: Box::pin(sleep(silence)),
        }
    }

    /// From now on messages of up to `frame_bytes_max` are read, compressed as agreed on, and silence
    /// is judged anew.
    pub(crate) fn admitted(
        &mut self,
        frame_bytes_max: usize,
        silence: Duration,
        compressions: Compressions,
        opener: Opener,
    ) {
        self.decoder.accept_data(frame_bytes_max, compressions);
        self.opener = Some(opener);
        self.silence = silence;
        self.excuse();
        self.arm();
    }

    /// The peer had no chance to be heard until now: nobody was reading.
    pub(crate) fn excuse(&mut self) {
        self.heard = Instant::now();
        self.begun = self.begun.map(|_| self.heard);
    }

    /// The next whole frame among the bytes that are here; a message as it was before compression.
    pub(crate) fn next(&mut self, meter: &Meter) -> Result<Option<Incoming>, TransportError> {
        while let Some(frame) = self.decoder.next()? {
            self.begun = self.decoder.begun().map(|_| self.heard);
            let Some(opener) = &self.opener else {
                return Ok(Some(frame));
            };
            if let Some(opened) = opener.open(frame, meter)? {
                return Ok(Some(opened));
            }
        }
        Ok(None)
    }

    /// Waits for bytes and returns how many came. Fails at the end of the stream, after silence,
    /// and when a frame takes too long. Cancel-safe.
    pub(crate) async fn fill(&mut self) -> Result<usize, TransportError> {
        loop {
            let read = tokio::select! {
                // What is here is read before silence is judged: the owner may have been away.
                biased;
                read = self.io.read_buf(self.decoder.space()) => read,
                () = self.alarm.as_mut() => {
                    self.check()?;
                    self.arm();
                    continue;
                }
            };
            let bytes = match read {
                Ok(0) => return Err(closed("the peer closed the connection")),
                Ok(bytes) => bytes,
                Err(error) => return Err(broken(&error, self.side)),
            };
            self.decoder.filled(bytes);
            self.heard = Instant::now();
            self.begun = self.begun.or(Some(self.heard));
            return Ok(bytes);
        }
    }

    /// Throws away what still comes, until the peer closes or `limit` is over. Closing a socket
    /// with unread bytes resets it, and a reset can overtake our last words.
    pub(crate) async fn linger(mut self, limit: Duration) {
        let drain = async {
            let mut scrap = [0; 4096];
            let mut left = LINGER_BYTES_MAX;
            while let Ok(bytes @ 1..) = self.io.read(&mut scrap).await {
                left = left.saturating_sub(bytes);
                if left == 0 {
                    break;
                }
            }
        };
        // Running out of time is one of the ways to be done.
        let _ = timeout(limit, drain).await;
    }

    fn check(&self) -> Result<(), TransportError> {
        let now = Instant::now();
        if now >= self.heard + self.silence {
            return Err(TransportError::Silent {
                silence: self.silence,
            });
        }
        match self.frame_due() {
            Some((due, limit)) if now >= due => Err(TransportError::Deadline {
                doing: "receiving a frame",
                limit,
            }),
            _ => Ok(()),
        }
    }

    fn arm(&mut self) {
        let silent = self.heard + self.silence;
        let due = self.frame_due().map_or(silent, |(due, _)| due.min(silent));
        self.alarm.as_mut().reset(due);
    }

    fn frame_due(&self) -> Option<(Instant, Duration)> {
        let bytes = self.decoder.begun()? as u64;
        let limit = self.silence + Duration::from_secs(bytes / PROGRESS_BYTES_PER_SECOND);
        Some((self.begun? + limit, limit))
    }
}

/// Why bytes move no more; `side` is this end.
pub(crate) fn broken(error: &io::Error, side: Side) -> TransportError {
    #[cfg(feature = "tls")]
    if let Some(reason) = crate::tls::sentence(error, side) {
        return TransportError::Tls { reason };
    }
    let _ = side;
    closed(error.to_string())
}

pub(crate) fn closed(reason: impl Into<String>) -> TransportError {
    TransportError::Closed {
        reason: reason.into(),
    }
}
