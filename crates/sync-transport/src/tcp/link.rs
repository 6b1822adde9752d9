//! The agent's side.

mod security;

use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sync_core::transport::{
    Compressions, Connection, Frame, Hello, Link, LinkReceiver, LinkSender, PROTOCOL_MAX,
    PROTOCOL_MIN, Traffic, TransportError, Welcome,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

use super::io::WriteHalf;
#[cfg(feature = "testing")]
use super::net::Dialer;
use super::net::Socket;
use super::reader::{Reader, broken, closed};
use super::session::goodbye;
use super::socket::prepare;
use super::writer::{Pace, write_all};
use crate::compress::{Opener, Packer, Side, Slot, offered};
use crate::frame::{
    FRAME_BYTES_MAX_CEILING, Incoming, Kind, check_sizes, decode_refusal, decode_welcome,
    encode_hello, protocol,
};
use crate::meter::Meter;
use crate::options::LinkOptions;
use crate::outbox::{Ending, Outbox};
use crate::signal::Signal;
#[cfg(feature = "tls")]
use crate::tls::AgentTls;

/// Bytes of messages given out at a time, and one message whatever its size: what has arrived may be
/// two hundred times as long once it is read.
const TAKE_BYTES_MAX: usize = 1 << 20;

/// A way to reach a hub over TCP. Must be used within a tokio runtime with time and I/O.
#[derive(Debug, Clone)]
pub struct TcpLink {
    address: String,
    options: LinkOptions,
    #[cfg(feature = "tls")]
    tls: Option<Arc<AgentTls>>,
    #[cfg(feature = "testing")]
    dialer: Option<Arc<dyn Dialer>>,
}

impl TcpLink {
    /// `address` is `HOST:PORT`; the name is looked up at each connect.
    pub fn new(address: impl fmt::Display, options: LinkOptions) -> Self {
        Self {
            address: address.to_string(),
            options,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "testing")]
            dialer: None,
        }
    }

    /// The same over a net that the caller brings.
    #[cfg(feature = "testing")]
    pub fn over(mut self, dialer: Arc<dyn Dialer>) -> Self {
        self.dialer = Some(dialer);
        self
    }

    /// The same over TLS.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: Arc<AgentTls>) -> Self {
        self.tls = Some(tls);
        self
    }

    async fn dial(&self) -> io::Result<Socket> {
        #[cfg(feature = "testing")]
        if let Some(dialer) = &self.dialer {
            return dialer.dial(&self.address).await;
        }
        let stream = TcpStream::connect(&self.address).await?;
        Ok(Socket::system(stream))
    }

    async fn open(&self) -> Result<Socket, TransportError> {
        let limit = self.options.connect;
        let unreachable = |error: io::Error| TransportError::Unreachable {
            address: self.address.clone(),
            reason: error.to_string(),
        };
        let late = |_| {
            let reason = format!("no answer within {} ms", limit.as_millis());
            unreachable(io::Error::new(io::ErrorKind::TimedOut, reason))
        };
        let dialled = timeout(limit, self.dial()).await.map_err(late)?;
        let socket = dialled.map_err(unreachable)?;
        prepare(&socket).map_err(unreachable)?;
        Ok(socket)
    }

    async fn greet(
        &self,
        hello: &Hello,
        proof: &Bytes,
        reader: &mut Reader,
        write: &mut WriteHalf,
        meter: &Meter,
    ) -> Result<Welcome, TransportError> {
        let said = [&proof[..], &encode_hello(hello)?].concat();
        let offered = hello.compressions;
        let written = async {
            write.write_all(&said).await?;
            write.flush().await
        };
        written.await.map_err(|e| broken(&e, Side::Agent))?;
        meter.add_sent(said.len());
        loop {
            match reader.next(meter)? {
                Some(Incoming {
                    kind: Kind::Welcome,
                    body,
                }) => return checked(decode_welcome(&body)?, offered),
                Some(Incoming {
                    kind: Kind::Refuse,
                    body,
                }) => {
                    return Err(refused(&self.address, &body)?);
                }
                Some(Incoming { kind, .. }) => {
                    return Err(protocol(format!("expected a welcome, got a {kind:?}")));
                }
                None => meter.add_received(reader.fill().await?),
            }
        }
    }
}

#[async_trait]
impl Link for TcpLink {
    async fn connect(&self, hello: &Hello) -> Result<Connection, TransportError> {
        let socket = self.open().await?;
        let limit = self.options.hello;
        let meter = Arc::new(Meter::default());
        let hello = Hello {
            compressions: offered(self.options.compression),
            ..hello.clone()
        };
        let greeted = async {
            let (read, mut write, proof) = self.secured(socket).await?;
            let mut reader = Reader::new(read, Side::Agent);
            let greeted = self.greet(&hello, &proof, &mut reader, &mut write, &meter);
            let welcome = greeted.await.map_err(|error| self.explained(error))?;
            Ok((welcome, reader, write))
        };
        let doing = "waiting for the answer to the hello";
        let (welcome, mut reader, write) = timeout(limit, greeted)
            .await
            .map_err(|_| TransportError::Deadline { doing, limit })??;
        // Checked to be at most 16 MiB.
        let frame_bytes_max = welcome.frame_bytes_max as usize;
        let silence = Duration::from_millis(welcome.silence_ms_max.into());
        let dictionary = Slot::default();
        let opener = Opener::new(Side::Agent, Arc::clone(&dictionary), frame_bytes_max);
        reader.admitted(frame_bytes_max, silence, welcome.compressions, opener);
        let packer = Packer::of_agent(welcome.compressions, dictionary);
        let shared = Arc::new(Shared {
            outbox: Outbox::new(
                self.options.outbox_frames_max,
                self.options.outbox_bytes_max,
            ),
            meter,
            written: Signal::default(),
        });
        let pace = Pace {
            stall: self.options.stall,
            close: self.options.close,
        };
        tokio::spawn(Arc::clone(&shared).write(write, packer, pace));
        Ok(Connection {
            welcome,
            sender: Box::new(TcpSender {
                shared: Arc::clone(&shared),
                frame_bytes_max,
                options: self.options.clone(),
            }),
            receiver: Box::new(TcpReceiver {
                shared,
                address: self.address.clone(),
                reader,
                failed: None,
            }),
        })
    }

    fn describe(&self) -> String {
        self.address.clone()
    }
}

/// What a hub that does not have us says, at the hello or later.
fn refused(address: &str, body: &[u8]) -> Result<TransportError, TransportError> {
    Ok(TransportError::Refused {
        address: address.to_owned(),
        refusal: decode_refusal(body)?,
    })
}

/// A hub is no more to be trusted than an agent.
fn checked(welcome: Welcome, offered: Compressions) -> Result<Welcome, TransportError> {
    let Welcome {
        protocol: version,
        silence_ms_max,
        frame_bytes_max,
        compressions,
    } = welcome;
    if !(PROTOCOL_MIN..=PROTOCOL_MAX).contains(&version) {
        return Err(protocol(format!("the hub chose version {version}")));
    }
    if silence_ms_max == 0 || frame_bytes_max == 0 {
        return Err(protocol("the hub allows nothing to be said"));
    }
    if frame_bytes_max as usize > FRAME_BYTES_MAX_CEILING {
        let limit = FRAME_BYTES_MAX_CEILING;
        return Err(protocol(format!(
            "the hub sends frames of {frame_bytes_max} bytes; {limit} is the most there is"
        )));
    }
    if !offered.contains(compressions) {
        return Err(protocol(format!(
            "the hub chose a compression that was not offered: {compressions} where there was {offered}"
        )));
    }
    Ok(welcome)
}

/// What both halves and the writer share.
#[derive(Debug)]
struct Shared {
    outbox: Outbox,
    meter: Arc<Meter>,
    /// The writer is done and the socket's writing half closed.
    written: Signal,
}

impl Shared {
    async fn write(self: Arc<Self>, mut io: WriteHalf, packer: Packer<'static>, pace: Pace) {
        let (outbox, meter) = (&self.outbox, &self.meter);
        let written = write_all(&mut io, Bytes::new(), outbox, packer, meter, pace).await;
        if let Err(error) = written {
            self.outbox.end(Ending::Abort, &error.to_string());
        }
        drop(io);
        self.written.set();
    }

    /// Why the outbox ended, as the error of whoever still uses the connection.
    fn closed(&self) -> TransportError {
        let ending = self.outbox.ending().map(|(_, reason)| reason);
        closed(ending.unwrap_or_else(|| "it has ended".into()))
    }
}

#[derive(Debug)]
struct TcpSender {
    shared: Arc<Shared>,
    frame_bytes_max: usize,
    options: LinkOptions,
}

#[async_trait]
impl LinkSender for TcpSender {
    async fn send(&mut self, frames: Vec<Frame>) -> Result<(), TransportError> {
        check_sizes(&frames, self.frame_bytes_max)?;
        self.shared.outbox.push(frames, self.options.send).await
    }

    async fn close(&mut self) {
        self.shared.outbox.end(Ending::Flush, "closed by this side");
        // The writer keeps its own deadline.
        self.shared.written.wait().await;
    }

    fn traffic(&self) -> Traffic {
        self.shared.meter.traffic()
    }
}

/// Reads where it is polled, not in a task of its own: a peer that is not polled is not alive, and
/// bytes that nobody waits for stay in the socket.
#[derive(Debug)]
struct TcpReceiver {
    shared: Arc<Shared>,
    address: String,
    reader: Reader,
    failed: Option<TransportError>,
}

impl TcpReceiver {
    /// Takes what has arrived. Frames before a failure are given out before it.
    fn take_frames(&mut self, limit: usize) -> Vec<Bytes> {
        let mut frames = Vec::new();
        let mut bytes = 0;
        while frames.len() < limit && bytes < TAKE_BYTES_MAX && self.failed.is_none() {
            match self.reader.next(&self.shared.meter) {
                Ok(Some(Incoming {
                    kind: Kind::Data,
                    body,
                })) => {
                    bytes += body.len();
                    frames.push(body);
                }
                Ok(Some(Incoming {
                    kind: Kind::Ping, ..
                })) => self.shared.outbox.pong(),
                Ok(Some(Incoming {
                    kind: Kind::Pong, ..
                })) => {}
                Ok(Some(Incoming {
                    kind: Kind::Bye,
                    body,
                })) => {
                    self.failed = Some(closed(goodbye(&body)));
                }
                Ok(Some(Incoming {
                    kind: Kind::Refuse,
                    body,
                })) => {
                    let refused = refused(&self.address, &body);
                    self.failed = Some(refused.unwrap_or_else(|error| error));
                }
                Ok(Some(Incoming { kind, .. })) => {
                    self.failed = Some(protocol(format!("a late {kind:?}")));
                }
                Ok(None) => break,
                Err(error) => self.failed = Some(error),
            }
        }
        frames
    }
}

#[async_trait]
impl LinkReceiver for TcpReceiver {
    async fn recv(&mut self, limit: usize) -> Result<Vec<Bytes>, TransportError> {
        loop {
            let frames = self.take_frames(limit.max(1));
            if !frames.is_empty() {
                return Ok(frames);
            }
            if let Some(error) = &self.failed {
                self.shared.outbox.end(Ending::Flush, &error.to_string());
                return Err(error.clone());
            }
            let filled = tokio::select! {
                biased;
                filled = self.reader.fill() => filled,
                () = self.shared.outbox.ended() => Err(self.shared.closed()),
            };
            match filled {
                Ok(bytes) => self.shared.meter.add_received(bytes),
                Err(error) => self.failed = Some(error),
            }
        }
    }
}

impl Drop for TcpReceiver {
    fn drop(&mut self) {
        self.shared
            .outbox
            .end(Ending::Flush, "the connection was dropped");
    }
}
