//! The simulated net and time, as the transport and the drivers take them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sync_core::{Clock, Now};
use sync_transport::testing::{Dialer, Listener, Socket};
use sync_transport::{CoordinatorOptions, LinkOptions};
use turmoil::net::{TcpListener, TcpStream};

/// Where the hub listens.
pub(super) const PORT: u16 = 7_420;

/// A stream that has lost something says nothing ever after, on neither end: there is no retransmission here.
/// That it is given up soon is what makes a seed short.
const SILENCE: Duration = Duration::from_millis(900);

pub(super) struct Ear(pub(super) TcpListener);

impl Listener for Ear {
    async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (stream, from) = self.0.accept().await?;
        Ok((Socket::brought(stream), from))
    }
}

/// Connects, and counts how often that was tried.
#[derive(Debug, Default)]
pub(super) struct Phone {
    pub(super) dialled: AtomicU64,
}

/// The trait is foreign, and so is `Arc`.
#[derive(Debug)]
pub(super) struct Line(pub(super) Arc<Phone>);

#[async_trait]
impl Dialer for Line {
    async fn dial(&self, address: &str) -> io::Result<Socket> {
        self.0.dialled.fetch_add(1, Ordering::SeqCst);
        let stream = TcpStream::connect(address).await?;
        Ok(Socket::brought(stream))
    }
}

/// The simulation's time. The wall clocks of all hosts agree.
#[derive(Debug)]
pub(super) struct SimClock;

impl Clock for SimClock {
    fn now(&self) -> Now {
        let wall = turmoil::since_epoch().unwrap_or_default();
        Now {
            mono: turmoil::sim_elapsed().unwrap_or_default(),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Without compression, which works beside the runtime in threads of the system.
pub(super) fn hub_options() -> CoordinatorOptions {
    CoordinatorOptions {
        hello: Duration::from_secs(1),
        silence: SILENCE,
        probe: Duration::from_millis(300),
        close: Duration::from_millis(200),
        compression: false,
        ..CoordinatorOptions::default()
    }
}

pub(super) fn link_options() -> LinkOptions {
    LinkOptions {
        connect: Duration::from_secs(1),
        hello: Duration::from_secs(2),
        send: Duration::from_secs(1),
        stall: SILENCE * 2,
        close: Duration::from_millis(200),
        compression: false,
        ..LinkOptions::default()
    }
}
