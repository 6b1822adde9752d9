//! Coordinator and link over TCP.
//!
//! The agent speaks first. Each side reads in one place ([`reader`]) and writes in one place
//! ([`writer`]); everything in between is the same as within a process.

mod coordinator;
mod io;
mod link;
#[cfg_attr(
    not(feature = "testing"),
    expect(unreachable_pub, reason = "only tests bring a net")
)]
mod net;
mod reader;
mod security;
mod session;
mod socket;
mod writer;

pub use coordinator::TcpCoordinator;
pub use link::TcpLink;
#[cfg(all(feature = "tls", not(feature = "testing")))]
pub(crate) use net::Duplex;
#[cfg(feature = "testing")]
pub use net::{Dialer, Duplex, Listener, Socket};
