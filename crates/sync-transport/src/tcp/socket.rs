//! What a socket is told before it is used.

use std::io;

use tokio::net::TcpStream;

use super::net::{Socket, Wire};

/// Bytes that the system may hold unsent for a connection. What it holds nothing can overtake any more,
/// so it is as little as keeps a writer busy: about what is handed to it at a time. By itself the system
/// takes up to 4 MiB.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT_BYTES: u32 = 128 << 10;

/// Prepares a connection. Only the system's have anything to be told.
pub(super) fn prepare(socket: &Socket) -> io::Result<()> {
    match &socket.0 {
        Wire::System(stream) => tune(stream),
        #[cfg(feature = "testing")]
        Wire::Brought(_) => Ok(()),
    }
}

/// Messages are small and each is waited for; batching happens before the socket.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES) {
        // Without it what is urgent waits longer: no reason not to connect.
        tracing::debug!(%error, "the system does not bound what it holds unsent");
    }
    Ok(())
}
