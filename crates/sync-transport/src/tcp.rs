//! Coordinator and link over TCP.
//!
//! The agent speaks first. Each side reads in one place ([`reader`]) and writes in one place
//! ([`writer`]); everything in between is the same as within a process.

mod coordinator;
mod io;
mod link;
mod net;
mod reader;
mod security;
mod session;
mod socket;
mod writer;

pub use coordinator::TcpCoordinator;
pub use link::TcpLink;
#[cfg(feature = "tls")]
pub(crate) use net::Stream;
#[cfg(feature = "testing")]
pub use net::{Dialer, Listener, Socket};
