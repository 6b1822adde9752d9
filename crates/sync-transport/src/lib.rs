//! Coordinators and links: how a hub and its agents exchange frames, within one process and over
//! TCP.
//!
//! ```
//! use sync_core::id::{AgentId, Incarnation, SwarmId};
//! use sync_core::transport::{Coordinator, CoordinatorEvent, Frame, Hello, Link, Role};
//! use sync_transport::MemoryCoordinator;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let coordinator = MemoryCoordinator::default();
//! let run = Incarnation::from_random(7);
//! let hello = Hello::new(SwarmId::new("team")?, AgentId::new("agent-1")?, run, Role::Member);
//! let mut connection = coordinator.link().connect(&hello).await?;
//! connection.sender.send(vec![Frame::single("hi".into())]).await?;
//! let events = coordinator.recv(8).await;
//! assert!(matches!(&events[0], CoordinatorEvent::Connected { .. }));
//! assert!(matches!(&events[1], CoordinatorEvent::Received { frame, .. } if frame == "hi"));
//! # Ok(()) }
//! ```
//!
//! What holds for both transports, and is checked by `sync_core::testing::transport_suite`:
//!
//! - Frames of one connection arrive in order, byte for byte, or the connection ends.
//! - Every session has one `Connected` first and one `Disconnected` last.
//! - The hub waits for nobody: a peer whose bounded queue is full is disconnected as too slow. When
//!   the hub's owner is behind, its peers wait; nothing is dropped.
//! - No peer is far ahead of the others: what one may have in line for the owner is bounded.
//! - Every queue, frame and wait has a bound; see [`CoordinatorOptions`] and [`LinkOptions`].
//! - An agent is alive while its receiver is polled: only then are probes answered. One that is not
//!   polled for `silence` is given up, and loses its name to a newcomer after `probe`.
//!
//! What does not: a sent frame may never arrive; only the layer above knows what did. A connection
//! that ended stays ended: connecting again, paced by [`Backoff`], is the caller's decision. Without
//! feature `tls`, or where it is not used, names are believed and bytes travel in the clear: keep to
//! loopback or a network that is trusted.

#![cfg_attr(
    not(all(feature = "tcp", feature = "zstd")),
    allow(
        dead_code,
        unused_imports,
        reason = "some of it only bytes on a wire need, or compressed ones"
    )
)]

mod audit;
mod backoff;
mod compress;
mod frame;
mod hub;
mod memory;
mod meter;
mod options;
mod outbox;
mod registry;
mod signal;
#[cfg(feature = "tcp")]
mod tcp;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tls")]
pub mod tls;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use backoff::{BACKOFF_MAX, BACKOFF_MIN, Backoff};
pub use frame::{FRAME_BYTES_MAX_CEILING, FRAME_BYTES_MAX_DEFAULT};
pub use memory::{MemoryCoordinator, MemoryLink};
pub use options::{
    CoordinatorOptions, INBOX_UNITS_MAX, LinkOptions, OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX,
};
#[cfg(feature = "tcp")]
pub use tcp::{TcpCoordinator, TcpLink};

/// Locks. No code under a lock of this crate runs foreign code or leaves a change half done, so a
/// panic elsewhere in the thread that held it says nothing about the data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
