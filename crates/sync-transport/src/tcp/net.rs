//! The net that connections run over: the system's, or one that a test brings.

use std::io;
use std::net::SocketAddr;

#[cfg(feature = "testing")]
use async_trait::async_trait;
#[cfg(any(feature = "tls", feature = "testing"))]
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Bytes both ways.
#[cfg(any(feature = "tls", feature = "testing"))]
pub trait Duplex: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static {}

#[cfg(any(feature = "tls", feature = "testing"))]
impl<S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static> Duplex for S {}

/// Where a hub hears of connections.
pub trait Listener: Send + Sync + 'static {
    /// Waits for the next connection, and says where it comes from. Cancel-safe.
    fn accept(&self) -> impl Future<Output = io::Result<(Socket, SocketAddr)>> + Send;
}

/// How agents get to a hub.
#[cfg(feature = "testing")]
#[async_trait]
pub trait Dialer: std::fmt::Debug + Send + Sync {
    /// Connects to `address`. The caller keeps the deadline.
    async fn dial(&self, address: &str) -> io::Result<Socket>;
}

/// A connection before anything was said on it.
#[derive(Debug)]
pub struct Socket(pub(super) Wire);

/// What a connection runs over.
#[derive(Debug)]
pub(super) enum Wire {
    System(TcpStream),
    #[cfg(feature = "testing")]
    Brought(Box<dyn Duplex>),
}

impl Socket {
    /// One over a net of the caller's.
    #[cfg(feature = "testing")]
    pub fn brought(stream: impl Duplex) -> Self {
        Self(Wire::Brought(Box::new(stream)))
    }

    pub(super) fn system(stream: TcpStream) -> Self {
        Self(Wire::System(stream))
    }

    /// For whoever does not ask which it is: TLS.
    #[cfg(feature = "tls")]
    pub(super) fn into_stream(self) -> Box<dyn Duplex> {
        match self.0 {
            Wire::System(stream) => Box::new(stream),
            #[cfg(feature = "testing")]
            Wire::Brought(stream) => stream,
        }
    }
}

impl Listener for TcpListener {
    async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (stream, from) = Self::accept(self).await?;
        Ok((Socket::system(stream), from))
    }
}
