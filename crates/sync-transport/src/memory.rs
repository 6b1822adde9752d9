//! Coordinator and link within one process. Everything that crosses is encoded bytes; hello,
//! welcome and refusal take the same way through the codec as over TCP.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use sync_core::transport::{
    Compressions, Connection, Frame, Hello, Link, LinkReceiver, LinkSender, Refusal, Traffic,
    TransportError,
};
use tokio::time::timeout;

use crate::audit::Origin;
use crate::frame::{
    Decoder, HEADER_BYTES, Kind, check_sizes, decode_hello, decode_refusal, decode_welcome,
    encode_hello, encode_refusal, encode_welcome, protocol,
};
use crate::hub::{Hub, Peer, Rejection, coordinator_by_hub};
use crate::meter::Meter;
use crate::options::{CoordinatorOptions, LinkOptions, MEMORY_INBOX_UNITS_MAX};
use crate::outbox::{Ending, Taken};

/// Where everything is.
const HERE: &str = "this process";

/// A coordinator for agents in the same process, with the same admission, bounds and name rule as
/// the one over TCP.
///
/// An agent counts as alive while its receiver is polled; there is no other sign of life, and no
/// silence deadline: nothing can get lost on the way. Dropping the coordinator shuts it down.
#[derive(Debug)]
pub struct MemoryCoordinator {
    hub: Arc<Hub>,
}

impl MemoryCoordinator {
    /// Ready at once.
    pub fn new(options: CoordinatorOptions) -> Self {
        Self {
            hub: Arc::new(Hub::new(options, MEMORY_INBOX_UNITS_MAX)),
        }
    }

    /// A way to reach this coordinator. It does not keep the coordinator alive.
    pub fn link(&self) -> MemoryLink {
        MemoryLink {
            hub: Arc::downgrade(&self.hub),
            options: LinkOptions::default(),
        }
    }

    /// Bytes moved by all connections so far, as they would be framed on a wire.
    pub fn traffic(&self) -> Traffic {
        self.hub.meter.traffic()
    }

    /// Peers connected now, clients included.
    pub fn connections(&self) -> usize {
        self.hub.connections()
    }
}

impl Default for MemoryCoordinator {
    fn default() -> Self {
        Self::new(CoordinatorOptions::default())
    }
}

impl Drop for MemoryCoordinator {
    fn drop(&mut self) {
        self.hub.shut_down();
    }
}

// What is queued for an agent is as good as written: the agent takes it from the same queue.
coordinator_by_hub!(MemoryCoordinator, |_this| (), |_| None);

/// A way to reach a [`MemoryCoordinator`].
#[derive(Debug, Clone)]
pub struct MemoryLink {
    hub: Weak<Hub>,
    options: LinkOptions,
}

impl MemoryLink {
    /// The same way with other deadlines. Only `hello` and `send` apply within a process.
    #[must_use]
    pub fn with_options(self, options: LinkOptions) -> Self {
        Self { options, ..self }
    }

    fn unreachable(&self) -> TransportError {
        TransportError::Unreachable {
            address: self.describe(),
            reason: "the coordinator is gone".into(),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Result<TransportError, TransportError> {
        let body = over_the_wire(&encode_refusal(refusal)?, Kind::Refuse)?;
        Ok(TransportError::Refused {
            address: self.describe(),
            refusal: decode_refusal(&body)?,
        })
    }
}

#[async_trait]
impl Link for MemoryLink {
    async fn connect(&self, hello: &Hello) -> Result<Connection, TransportError> {
        let hub = self.hub.upgrade().ok_or_else(|| self.unreachable())?;
        let meter = Arc::new(Meter::default());
        // Whatever the caller wrote: nothing that stays in memory gets better by being made small.
        let hello = Hello {
            compressions: Compressions::NONE,
            ..hello.clone()
        };
        let said = encode_hello(&hello)?;
        meter.add_sent(said.len());
        hub.meter.add_received(said.len());
        let hello = match decode_hello(&over_the_wire(&said, Kind::Hello)?) {
            Ok(hello) => hello,
            Err(refusal) => {
                hub.note_refused(Origin::Process, None, &refusal.to_string());
                return Err(self.refused(&refusal)?);
            }
        };
        let limit = self.options.hello;
        let admitted = timeout(limit, hub.admit(&hello, Origin::Process)).await;
        let peer = match admitted {
            Ok(Ok(peer)) => peer,
            Ok(Err(Rejection::Refused(refusal))) => {
                hub.note_refused(Origin::Process, None, &refusal.to_string());
                return Err(self.refused(&refusal)?);
            }
            Ok(Err(Rejection::ShutDown)) => return Err(self.unreachable()),
            Err(_) => {
                let doing = "waiting for the answer to the hello";
                return Err(TransportError::Deadline { doing, limit });
            }
        };
        let answer = encode_welcome(&hub.welcome(&hello, Compressions::NONE))?;
        hub.meter.add_sent(answer.len());
        meter.add_received(answer.len());
        let welcome = decode_welcome(&over_the_wire(&answer, Kind::Welcome)?)?;
        let end = End { hub, peer, meter };
        Ok(Connection {
            welcome,
            sender: Box::new(MemorySender {
                end: end.clone(),
                options: self.options.clone(),
            }),
            receiver: Box::new(MemoryReceiver {
                end,
                taken: Vec::new().into_iter(),
            }),
        })
    }

    fn describe(&self) -> String {
        HERE.into()
    }
}

/// What both halves of an agent's connection share.
#[derive(Debug, Clone)]
struct End {
    hub: Arc<Hub>,
    peer: Arc<Peer>,
    meter: Arc<Meter>,
}

impl End {
    fn close(&self, reason: &str) {
        self.hub.end(self.peer.session, Ending::Flush, reason);
    }

    fn closed(&self) -> TransportError {
        match self.peer.outbox.ending() {
            Some((Ending::Refuse, reason)) => TransportError::Refused {
                address: HERE.into(),
                refusal: Refusal::Rights { reason },
            },
            Some((_, reason)) => TransportError::Closed { reason },
            None => TransportError::Closed {
                reason: "the hub is gone".into(),
            },
        }
    }
}

#[derive(Debug)]
struct MemorySender {
    end: End,
    options: LinkOptions,
}

#[async_trait]
impl LinkSender for MemorySender {
    async fn send(&mut self, frames: Vec<Frame>) -> Result<(), TransportError> {
        let End { hub, peer, meter } = &self.end;
        check_sizes(&frames, hub.options.frame_bytes_max)?;
        let frames: Vec<Bytes> = frames.iter().map(Frame::to_bytes).collect();
        let bytes = frames.iter().map(|frame| frame.len() + HEADER_BYTES).sum();
        peer.hear();
        let limit = self.options.send;
        let Ok(delivered) = timeout(limit, hub.deliver(peer, frames)).await else {
            let doing = "waiting for room to send";
            let error = TransportError::Deadline { doing, limit };
            // A part of the frames may be delivered, and nothing may follow a gap.
            self.end.close(&error.to_string());
            return Err(error);
        };
        if !delivered {
            return Err(self.end.closed());
        }
        meter.add_sent(bytes);
        hub.meter.add_received(bytes);
        Ok(())
    }

    async fn close(&mut self) {
        self.end.close("the peer said goodbye");
    }

    fn traffic(&self) -> Traffic {
        self.end.meter.traffic()
    }
}

#[derive(Debug)]
struct MemoryReceiver {
    end: End,
    /// Taken from the queue and not asked for yet.
    taken: std::vec::IntoIter<Frame>,
}

#[async_trait]
impl LinkReceiver for MemoryReceiver {
    async fn recv(&mut self, limit: usize) -> Result<Vec<Bytes>, TransportError> {
        let limit = limit.max(1);
        loop {
            let frames: Vec<Bytes> = self
                .taken
                .by_ref()
                .take(limit)
                .map(|f| f.to_bytes())
                .collect();
            if !frames.is_empty() {
                let bytes = frames.iter().map(|frame| frame.len() + HEADER_BYTES).sum();
                self.end.meter.add_received(bytes);
                self.end.hub.meter.add_sent(bytes);
                return Ok(frames);
            }
            let Taken {
                ping, frames, end, ..
            } = self.end.peer.outbox.take().await;
            if ping {
                self.end.peer.hear();
            }
            if frames.is_empty() && end.is_some() {
                return Err(self.end.closed());
            }
            self.taken = frames.into_iter();
        }
    }
}

impl Drop for MemoryReceiver {
    fn drop(&mut self) {
        self.end.close("the peer dropped the connection");
    }
}

/// The body of one frame after it was read as from a wire.
fn over_the_wire(bytes: &Bytes, kind: Kind) -> Result<Bytes, TransportError> {
    let mut decoder = Decoder::new();
    decoder.space().extend_from_slice(bytes);
    match decoder.next()? {
        Some(frame) if frame.kind == kind => Ok(frame.body),
        other => Err(protocol(format!("expected a {kind:?}, got {other:?}"))),
    }
}
