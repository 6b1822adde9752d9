//! The two halves of a connection: of a socket of the system in the clear, or of any other stream.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

#[cfg(any(feature = "tls", feature = "testing"))]
use super::net::Duplex;
use super::net::{Socket, Wire};

/// Such a stream is one state, which each half locks for as long as a poll takes: that of TLS, mostly.
#[cfg(any(feature = "tls", feature = "testing"))]
type Shared = Box<dyn Duplex>;

/// Where bytes come from.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    Plain(OwnedReadHalf),
    #[cfg(any(feature = "tls", feature = "testing"))]
    Shared(tokio::io::ReadHalf<Shared>),
}

/// Where bytes go. Over TLS written bytes may wait until it is flushed.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    Plain(OwnedWriteHalf),
    #[cfg(any(feature = "tls", feature = "testing"))]
    Shared(tokio::io::WriteHalf<Shared>),
}

pub(crate) fn plain(socket: Socket) -> (ReadHalf, WriteHalf) {
    match socket.0 {
        Wire::System(stream) => {
            let (read, write) = stream.into_split();
            (ReadHalf::Plain(read), WriteHalf::Plain(write))
        }
        #[cfg(feature = "testing")]
        Wire::Brought(stream) => shared(stream),
    }
}

#[cfg(any(feature = "tls", feature = "testing"))]
pub(crate) fn shared(stream: Shared) -> (ReadHalf, WriteHalf) {
    let (read, write) = tokio::io::split(stream);
    (ReadHalf::Shared(read), WriteHalf::Shared(write))
}

/// Calls the same method of whichever half it is.
macro_rules! either {
    ($self:ident, $half:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            $half::Plain($io) => {
                let $io = Pin::new($io);
                $call
            }
            #[cfg(any(feature = "tls", feature = "testing"))]
            $half::Shared($io) => {
                let $io = Pin::new($io);
                $call
            }
        }
    };
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        either!(self, ReadHalf, io => io.poll_read(cx, buf))
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        either!(self, WriteHalf, io => io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        either!(self, WriteHalf, io => io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_write_vectored(),
            #[cfg(any(feature = "tls", feature = "testing"))]
            Self::Shared(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, WriteHalf, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, WriteHalf, io => io.poll_shutdown(cx))
    }
}
