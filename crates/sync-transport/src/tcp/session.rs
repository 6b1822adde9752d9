//! The hub's side of one connection, from the first byte to the last.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sync_core::transport::{Hello, Refusal, TransportError};
use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};

use super::io::{ReadHalf, WriteHalf};
use super::net::Socket;
use super::reader::Reader;
use super::security::{Security, Shown};
use super::socket::prepare;
use super::writer::{Pace, write_all, write_last};
use crate::audit::Origin;
use crate::compress::{Opener, Packer, Side, Slot, offered};
use crate::frame::{
    Incoming, Kind, PROOF_BYTES, clip, decode_hello, encode_refusal, encode_welcome, protocol,
};
use crate::hub::{Hub, Peer, Rejection};
use crate::outbox::Ending;

/// Pings per silence deadline: two may get lost or late before a peer is given up.
const PINGS_PER_SILENCE: u32 = 3;

/// A read of this size gives way to the other tasks: more waits, probably. The runtime counts reads,
/// and lets a task have a hundred in a row; with tiny frames that is a million of them.
const BREATHER_BYTES: usize = 4 << 10;

/// Bytes of messages handed on at a time, and one message whatever its size: what has arrived may be
/// two hundred times as long once it is read.
const TAKE_BYTES_MAX: usize = 256 << 10;

/// Longest reason repeated from a peer.
const QUOTE_BYTES_MAX: usize = 256;

/// Serves one connection. `slot` is held until the socket is closed.
pub(super) async fn serve(
    hub: Arc<Hub>,
    socket: Socket,
    from: SocketAddr,
    slot: OwnedSemaphorePermit,
    security: Security,
) {
    if let Err(error) = prepare(&socket) {
        tracing::debug!(%from, %error, "a connection was gone before it was served");
        return;
    }
    let from = Origin::Address(from);
    // Encrypting and saying hello take no longer together than a hello in the clear.
    let due = Instant::now() + hub.options.hello;
    let opened = tokio::select! {
        biased;
        () = hub.shut() => return,
        opened = open(&hub, &security, socket, from, due) => opened,
    };
    let Some((read, mut write, shown)) = opened else {
        return;
    };
    let mut reader = Reader::new(read, Side::Hub);
    let admitted = tokio::select! {
        biased;
        () = hub.shut() => return,
        admitted = handshake(&hub, &mut reader, &shown, (from, due)) => admitted,
    };
    match admitted {
        Ok(Admitted {
            peer,
            welcome,
            packer,
            said: (hello, proof),
        }) => {
            let session = Session {
                hub: &hub,
                peer: &peer,
            };
            let revoked = async {
                let reason = shown.revoked(&hello, proof).await;
                // Not a refusal: it may have another by now, and comes back with it at once.
                hub.end(peer.session, Ending::Flush, &reason);
                pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = session.run(reader, write, welcome, packer) => {}
                () = revoked => {}
            }
        }
        Err(Rejection::ShutDown) => {}
        Err(Rejection::Refused(refusal)) => {
            hub.note_refused(from, None, &refusal.to_string());
            if let Ok(bytes) = encode_refusal(&refusal) {
                hub.meter.add_sent(bytes.len());
                write_last(&mut write, &bytes, hub.options.close).await;
                reader.linger(hub.options.close).await;
            }
        }
    }
    drop(slot);
}

/// Encrypts the connection, if that is asked for. None if it came to nothing: then it is closed.
async fn open(
    hub: &Hub,
    security: &Security,
    socket: Socket,
    from: Origin,
    due: Instant,
) -> Option<(ReadHalf, WriteHalf, Shown)> {
    let Ok(opened) = timeout_at(due, security.open(socket)).await else {
        let limit = hub.options.hello;
        let doing = "the handshake of TLS";
        let late = TransportError::Deadline { doing, limit };
        hub.note_refused(from, None, &late.to_string());
        return None;
    };
    match opened {
        Ok(opened) => Some(opened),
        Err((reason, (read, mut write))) => {
            hub.note_refused(from, None, &reason);
            // The alert that says why is written; it must not be overtaken by a reset.
            let _ = write.shutdown().await;
            let reader = Reader::new(read, Side::Hub);
            reader.linger(hub.options.close).await;
            None
        }
    }
}

struct Admitted<'a> {
    peer: Arc<Peer>,
    welcome: Bytes,
    packer: Packer<'a>,
    /// What it was admitted for.
    said: (Hello, Option<[u8; PROOF_BYTES]>),
}

async fn handshake<'a>(
    hub: &'a Hub,
    reader: &mut Reader,
    shown: &Shown,
    (from, due): (Origin, Instant),
) -> Result<Admitted<'a>, Rejection> {
    let limit = hub.options.hello;
    let said = timeout_at(due, read_hello(hub, reader)).await;
    let (hello, proof) = said.unwrap_or_else(|_| {
        let doing = "saying hello";
        Err(malformed(&TransportError::Deadline { doing, limit }))
    })?;
    // First, so that a stranger learns nothing of which swarms and names there are.
    shown.check(&hello, proof).map_err(Rejection::Refused)?;
    // Probing takes its time; an owner that is far behind may take any time. The peer has given
    // up long before then.
    let admitted = timeout(hub.options.probe + limit, hub.admit(&hello, from)).await;
    let peer = admitted.map_err(|_| Rejection::ShutDown)??;
    let welcome = hub.welcome(&hello, offered(hub.options.compression));
    let holds = welcome.compressions;
    let dictionary = Slot::default();
    let (limit, silence) = (hub.options.frame_bytes_max, hub.options.silence);
    let opener = Opener::new(Side::Hub, Arc::clone(&dictionary), limit);
    reader.admitted(limit, silence, holds, opener);
    match encode_welcome(&welcome) {
        Ok(welcome) => Ok(Admitted {
            peer,
            welcome,
            packer: Packer::of_hub(&hub.compress, &hello.swarm, holds, dictionary),
            said: (hello, proof),
        }),
        Err(error) => {
            hub.end(peer.session, Ending::Abort, &error.to_string());
            Err(malformed(&error))
        }
    }
}

fn malformed(error: &TransportError) -> Rejection {
    Rejection::Refused(Refusal::Malformed {
        reason: error.to_string(),
    })
}

/// The hello, and the proof of a token if one precedes it.
async fn read_hello(
    hub: &Hub,
    reader: &mut Reader,
) -> Result<(Hello, Option<[u8; PROOF_BYTES]>), Rejection> {
    let mut proof = None;
    loop {
        match reader.next(&hub.meter).map_err(|e| malformed(&e))? {
            Some(Incoming {
                kind: Kind::Hello,
                body,
            }) => {
                let hello = decode_hello(&body).map_err(Rejection::Refused)?;
                return Ok((hello, proof));
            }
            Some(Incoming {
                kind: Kind::Proof,
                body,
            }) if proof.is_none() => {
                let whole = body[..].try_into();
                proof = Some(whole.map_err(|_| malformed(&protocol("a proof that is cut short")))?);
            }
            Some(Incoming { kind, .. }) => {
                let reason = format!("got a {kind:?} instead");
                return Err(Rejection::Refused(Refusal::Malformed { reason }));
            }
            None => {
                let bytes = reader.fill().await.map_err(|e| malformed(&e))?;
                hub.meter.add_received(bytes);
            }
        }
    }
}

/// What became of what has arrived.
#[derive(Debug)]
enum Took {
    /// It is handed on.
    All,
    /// More of it waits.
    Some,
    /// The peer leaves, and this is why.
    Goodbye(String),
}

#[derive(Debug, Clone, Copy)]
struct Session<'a> {
    hub: &'a Hub,
    peer: &'a Peer,
}

impl Session<'_> {
    /// Runs until both directions are done. Whichever ends first ends the session, and that ends
    /// the other.
    async fn run(
        self,
        mut reader: Reader,
        mut write: WriteHalf,
        welcome: Bytes,
        packer: Packer<'_>,
    ) {
        tokio::join!(
            self.read(&mut reader),
            self.write(&mut write, welcome, packer),
        );
        let ending = self.peer.outbox.ending();
        if matches!(ending, Some((Ending::Flush | Ending::Refuse, _))) {
            reader.linger(self.hub.options.close).await;
        }
    }

    async fn read(self, reader: &mut Reader) {
        let read = async {
            loop {
                // First what came along with the hello.
                match self.take_frames(reader).await? {
                    Took::All => {}
                    Took::Some => {
                        yield_now().await;
                        continue;
                    }
                    Took::Goodbye(reason) => return Ok(reason),
                }
                let bytes = reader.fill().await?;
                self.hub.meter.add_received(bytes);
                self.peer.hear();
                if bytes >= BREATHER_BYTES {
                    yield_now().await;
                }
            }
        };
        let end = tokio::select! {
            biased;
            () = self.peer.outbox.ended() => return,
            end = read => end,
        };
        match end {
            Ok(reason) => self.end(Ending::Flush, &reason),
            Err(error @ TransportError::Closed { .. }) => {
                self.end(Ending::Abort, &error.to_string());
            }
            Err(error) => {
                // It learns why, if it still reads.
                self.end(Ending::Flush, &error.to_string());
            }
        }
    }

    /// Hands on what has arrived.
    async fn take_frames(self, reader: &mut Reader) -> Result<Took, TransportError> {
        let mut frames = Vec::new();
        let mut bytes = 0;
        let end = loop {
            if bytes >= TAKE_BYTES_MAX {
                break Ok(Took::Some);
            }
            match reader.next(&self.hub.meter) {
                Ok(Some(Incoming {
                    kind: Kind::Data,
                    body,
                })) => {
                    bytes += body.len();
                    frames.push(body);
                }
                Ok(Some(Incoming {
                    kind: Kind::Ping, ..
                })) => self.peer.outbox.pong(),
                Ok(Some(Incoming {
                    kind: Kind::Pong, ..
                })) => {}
                Ok(Some(Incoming {
                    kind: Kind::Bye,
                    body,
                })) => break Ok(Took::Goodbye(goodbye(&body))),
                Ok(Some(Incoming { kind, .. })) => {
                    break Err(protocol(format!("a second {kind:?}")));
                }
                Ok(None) => break Ok(Took::All),
                Err(error) => break Err(error),
            }
        };
        if !frames.is_empty() {
            self.peer.talk();
            self.hub.deliver(self.peer, frames).await;
            reader.excuse();
        }
        end
    }

    async fn write(self, io: &mut WriteHalf, welcome: Bytes, packer: Packer<'_>) {
        let options = &self.hub.options;
        let pace = Pace {
            stall: options.silence,
            close: options.close,
        };
        let (outbox, meter) = (&self.peer.outbox, &self.hub.meter);
        let write = write_all(io, welcome, outbox, packer, meter, pace);
        let written = tokio::select! {
            // A question that is due goes along with what is about to be written.
            biased;
            () = self.ping(options.silence / PINGS_PER_SILENCE) => return,
            written = write => written,
        };
        if let Err(error) = written {
            self.end(Ending::Abort, &error.to_string());
        }
    }

    /// Asks for a sign of life every `every`, unless messages moved both ways since the last time.
    /// The question is a sign of life itself, so the peer need not ask.
    async fn ping(self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            // Not lazily: both are reset by looking.
            let moved = [self.peer.take_talked(), self.peer.outbox.take_busy()];
            if moved != [true, true] {
                self.peer.outbox.ping();
            }
        }
    }

    fn end(self, ending: Ending, reason: &str) {
        self.hub.end(self.peer.session, ending, reason);
    }
}

/// The last words of a peer, fit for a log.
pub(crate) fn goodbye(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    format!(
        "the peer said goodbye: {}",
        clip(&text, QUOTE_BYTES_MAX).escape_debug()
    )
}
