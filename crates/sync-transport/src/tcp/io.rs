//! The two halves of a connection, in the clear or over TLS.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Over TLS both halves share one state, which each locks for as long as a poll takes.
#[cfg(feature = "tls")]
type Secure = Box<tokio_rustls::TlsStream<TcpStream>>;

/// Where bytes come from.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    Plain(OwnedReadHalf),
    #[cfg(feature = "tls")]
    Secure(tokio::io::ReadHalf<Secure>),
}

/// Where bytes go. Over TLS written bytes may wait until it is flushed.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    Plain(OwnedWriteHalf),
    #[cfg(feature = "tls")]
    Secure(tokio::io::WriteHalf<Secure>),
}

pub(crate) fn plain(stream: TcpStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = stream.into_split();
    (ReadHalf::Plain(read), WriteHalf::Plain(write))
}

#[cfg(feature = "tls")]
pub(crate) fn secure(
    stream: impl Into<tokio_rustls::TlsStream<TcpStream>>,
) -> (ReadHalf, WriteHalf) {
    let (read, write) = tokio::io::split(Box::new(stream.into()));
    (ReadHalf::Secure(read), WriteHalf::Secure(write))
}

/// Calls the same method of whichever half it is.
macro_rules! either {
    ($self:ident, $half:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            $half::Plain($io) => {
                let $io = Pin::new($io);
                $call
            }
            #[cfg(feature = "tls")]
            $half::Secure($io) => {
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
            #[cfg(feature = "tls")]
            Self::Secure(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, WriteHalf, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, WriteHalf, io => io.poll_shutdown(cx))
    }
}
