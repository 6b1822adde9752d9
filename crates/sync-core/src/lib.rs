//! The data of Swarm Sync and the traits between its layers.

pub mod error;
pub mod id;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;
