//! The writing half of a connection: drains an outbox into vectored writes.

use std::time::Duration;

use bytes::{Buf, Bytes};
use sync_core::transport::{Refusal, TransportError};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use super::io::WriteHalf;
use super::reader::closed;
use crate::compress::Packer;
use crate::frame::{Batch, Kind, REASON_BYTES_MAX, clip, encode_refusal};
use crate::meter::Meter;
use crate::outbox::{Ending, Outbox, Taken};

/// How a writer behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// A peer that takes not one byte for this long is given up.
    pub(crate) stall: Duration,
    /// How long the rest may take once the outbox has ended.
    pub(crate) close: Duration,
}

/// Writes `first`, then what the outbox gives, until the outbox ends or writing fails. Except at
/// the end of a connection a frame that was begun is always finished.
pub(crate) async fn write_all(
    io: &mut WriteHalf,
    first: Bytes,
    outbox: &Outbox,
    mut packer: Packer<'_>,
    meter: &Meter,
    pace: Pace,
) -> Result<(), TransportError> {
    let write = async {
        let mut batch = Batch::default();
        batch.push_raw(&first);
        loop {
            batch.seal();
            write_batch(io, &mut batch, meter, pace.stall).await?;
            let taken = outbox.take().await;
            let end = taken.end.is_some();
            fill(&mut batch, taken, &mut packer, meter).await;
            if end {
                batch.seal();
                write_batch(io, &mut batch, meter, pace.stall).await?;
                return io.shutdown().await.map_err(|e| closed(e.to_string()));
            }
        }
    };
    let limit = async {
        outbox.ended().await;
        if !aborted(outbox) {
            sleep(pace.close).await;
        }
    };
    tokio::select! {
        biased;
        written = write => written,
        () = limit => Err(TransportError::Deadline { doing: "closing", limit: pace.close }),
    }
}

/// Writes one frame and nothing after it.
pub(crate) async fn write_last(io: &mut WriteHalf, bytes: &[u8], limit: Duration) {
    let write = async {
        io.write_all(bytes).await?;
        io.shutdown().await
    };
    // The peer is on its way out; whether it hears why is its own affair.
    let _ = timeout(limit, write).await;
}

fn aborted(outbox: &Outbox) -> bool {
    matches!(outbox.ending(), Some((Ending::Abort, _)))
}

async fn fill(batch: &mut Batch, taken: Taken, packer: &mut Packer<'_>, meter: &Meter) {
    if taken.ping {
        batch.push_empty(Kind::Ping);
    }
    if taken.pong {
        batch.push_empty(Kind::Pong);
    }
    // Each is given up once its bytes are in the batch, which may be a compressed copy.
    for frame in taken.frames {
        packer.push(batch, &frame, meter).await;
    }
    match taken.end {
        None => {}
        Some((Ending::Refuse, reason)) => {
            let refusal = Refusal::Rights {
                reason: clip(&reason, REASON_BYTES_MAX).into(),
            };
            match encode_refusal(&refusal) {
                Ok(refused) => batch.push_raw(&refused),
                // A goodbye takes any words.
                Err(_) => batch.push_bye(&reason),
            }
        }
        Some((_, reason)) => batch.push_bye(&reason),
    }
}

async fn write_batch(
    io: &mut WriteHalf,
    batch: &mut Batch,
    meter: &Meter,
    stall: Duration,
) -> Result<(), TransportError> {
    while batch.has_remaining() {
        let written = match timeout(stall, write_some(io, batch)).await {
            Ok(Ok(0)) => return Err(closed("the system takes no more bytes")),
            Ok(written) => written.map_err(|e| closed(e.to_string()))?,
            Err(_) => return Err(stalled(stall)),
        };
        meter.add_sent(written);
    }
    flush(io, stall).await
}

/// What was written over TLS may not have left yet. In the clear there is nothing to do.
async fn flush(io: &mut WriteHalf, stall: Duration) -> Result<(), TransportError> {
    match timeout(stall, io.flush()).await {
        Ok(flushed) => flushed.map_err(|e| closed(e.to_string())),
        Err(_) => Err(stalled(stall)),
    }
}

fn stalled(limit: Duration) -> TransportError {
    TransportError::Deadline {
        doing: "waiting for the peer to read",
        limit,
    }
}

/// One system call. For a single chunk the plain one, which costs the system less.
async fn write_some(io: &mut WriteHalf, batch: &mut Batch) -> std::io::Result<usize> {
    if batch.chunk().len() < batch.remaining() {
        return io.write_buf(batch).await;
    }
    let written = io.write(batch.chunk()).await?;
    batch.advance(written);
    Ok(written)
}
