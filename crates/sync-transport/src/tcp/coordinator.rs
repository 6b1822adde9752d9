//! The hub's side: listens, admits, and hands everything else to the shared core.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sync_core::transport::{Traffic, TransportError};
use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::net::Listener;
use super::security::Security;
use super::session::serve;
use crate::hub::{Hub, coordinator_by_hub};
use crate::options::{CoordinatorOptions, INBOX_UNITS_MAX};

/// Connections the system keeps for us before we accept them. With the usual 128 some agents of a
/// storm of a thousand were left hanging until they tried again.
const BACKLOG: u32 = 4096;

/// Sockets that may be open beside the admitted ones: newcomers that have not said hello, and
/// those being refused. Each is gone after a deadline; more wait in the backlog.
const STRANGERS_MAX: usize = 4096;

/// Pause after the system would not accept: it is out of descriptors, and asking again at once
/// helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A coordinator for agents on other hosts or in other processes.
///
/// Must be used within a tokio runtime with time and I/O. Dropping it shuts it down without
/// waiting.
#[derive(Debug)]
pub struct TcpCoordinator {
    hub: Arc<Hub>,
    address: SocketAddr,
    slots: Arc<Semaphore>,
    security: Security,
}

impl TcpCoordinator {
    /// Listens on `address`; port 0 lets the system choose, see [`TcpCoordinator::local_addr`].
    ///
    /// # Errors
    ///
    /// [`TransportError::Listen`] if the address is unknown, taken or not allowed.
    pub async fn bind(
        address: impl ToSocketAddrs + fmt::Display,
        options: CoordinatorOptions,
    ) -> Result<Self, TransportError> {
        Self::bind_as(address, options, Security::default()).await
    }

    /// The same over TLS: who connects has to prove its name.
    ///
    /// # Errors
    ///
    /// As [`TcpCoordinator::bind`].
    #[cfg(feature = "tls")]
    pub async fn bind_secure(
        address: impl ToSocketAddrs + fmt::Display,
        options: CoordinatorOptions,
        tls: Arc<crate::tls::HubTls>,
    ) -> Result<Self, TransportError> {
        Self::bind_as(address, options, Security { tls: Some(tls) }).await
    }

    async fn bind_as(
        address: impl ToSocketAddrs + fmt::Display,
        options: CoordinatorOptions,
        security: Security,
    ) -> Result<Self, TransportError> {
        let failed = |reason: String| TransportError::Listen {
            address: address.to_string(),
            reason,
        };
        let found = lookup_host(&address)
            .await
            .map_err(|e| failed(e.to_string()))?;
        let mut reason = "the name has no address".to_owned();
        let mut listener = None;
        for candidate in found {
            match listen(candidate) {
                Ok(bound) => {
                    listener = Some(bound);
                    break;
                }
                Err(error) => reason = error.to_string(),
            }
        }
        let (listener, address) = listener.ok_or_else(|| failed(reason))?;
        Ok(Self::over(listener, address, options, security))
    }

    /// The same over a net that the caller brings, in the clear. `address` is what it says of itself.
    #[cfg(feature = "testing")]
    pub fn on(listener: impl Listener, address: SocketAddr, options: CoordinatorOptions) -> Self {
        Self::over(listener, address, options, Security::default())
    }

    fn over(
        listener: impl Listener,
        address: SocketAddr,
        options: CoordinatorOptions,
        security: Security,
    ) -> Self {
        let hub = Arc::new(Hub::new(options, INBOX_UNITS_MAX));
        let slots = Arc::new(Semaphore::new(slots_of(&hub)));
        tokio::spawn(accept(
            Arc::clone(&hub),
            listener,
            Arc::clone(&slots),
            security.clone(),
        ));
        Self {
            hub,
            address,
            slots,
            security,
        }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Bytes moved by all connections so far, framing and refused connections included.
    pub fn traffic(&self) -> Traffic {
        self.hub.meter.traffic()
    }

    /// Peers connected now, clients included.
    pub fn connections(&self) -> usize {
        self.hub.connections()
    }

    /// Every socket holds a slot, so that all slots are free once all sockets are closed.
    async fn drained(&self) {
        // Far below the limits of `u32` and of the semaphore.
        let all = u32::try_from(slots_of(&self.hub)).unwrap_or(u32::MAX);
        // Each session flushes, then lingers, each within `close`.
        let limit = self.hub.options.close * 3;
        if timeout(limit, self.slots.acquire_many(all)).await.is_err() {
            tracing::warn!("some connections did not close in time");
        }
    }
}

impl Drop for TcpCoordinator {
    fn drop(&mut self) {
        self.hub.shut_down();
    }
}

coordinator_by_hub!(TcpCoordinator, |this| this.drained().await, |own| own
    .security
    .certificate_ends());

fn slots_of(hub: &Hub) -> usize {
    hub.options.connections_max + STRANGERS_MAX
}

fn listen(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A hub that restarts must not wait for the sockets of its last run. On Windows the option
    // means something else: to share a port with a stranger.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept(hub: Arc<Hub>, listener: impl Listener, slots: Arc<Semaphore>, security: Security) {
    let accept = async {
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((socket, from)) => {
                    let security = security.clone();
                    tokio::spawn(serve(Arc::clone(&hub), socket, from, slot, security));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = hub.shut() => {}
        () = accept => {}
    }
}
