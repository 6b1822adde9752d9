//! TLS on the way to a hub, if there is any.

use bytes::Bytes;
use sync_core::transport::TransportError;

use super::TcpLink;
#[cfg(feature = "tls")]
use crate::frame::encode_proof;
#[cfg(feature = "tls")]
use crate::tcp::io::shared;
use crate::tcp::io::{ReadHalf, WriteHalf, plain};
use crate::tcp::net::Socket;

/// The two halves, and what is said before the hello.
type Opened = (ReadHalf, WriteHalf, Bytes);

impl TcpLink {
    #[cfg(feature = "tls")]
    pub(super) async fn secured(&self, socket: Socket) -> Result<Opened, TransportError> {
        let Some(tls) = &self.tls else {
            let (read, write) = plain(socket);
            return Ok((read, write, Bytes::new()));
        };
        let (stream, proof) = tls.connect(&self.address, socket.into_stream()).await?;
        let (read, write) = shared(Box::new(stream));
        let proof = proof.map_or_else(Bytes::new, |proof| encode_proof(&proof.0));
        Ok((read, write, proof))
    }

    /// The same error, and if it is about this side's certificate, what there is to know of that.
    #[cfg(feature = "tls")]
    pub(super) fn explained(&self, error: TransportError) -> TransportError {
        match &self.tls {
            Some(tls) => tls.explained(error),
            None => error,
        }
    }

    /// It has none.
    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "with TLS it has files to name")]
    pub(super) fn explained(&self, error: TransportError) -> TransportError {
        error
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "with TLS there is a handshake here")]
    pub(super) async fn secured(&self, socket: Socket) -> Result<Opened, TransportError> {
        let (read, write) = plain(socket);
        Ok((read, write, Bytes::new()))
    }
}
