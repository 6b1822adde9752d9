//! Whatever bytes arrive, the coordinator refuses them in time and goes on serving.
//!
//! - `scene`: a coordinator under attack, frames spelled out
//! - `strangers`: those who were not admitted
//! - `admitted`: those who said a valid hello first
//! - `compressed`: what they send compressed
#![cfg(feature = "tcp")]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

mod admitted;
#[cfg(feature = "zstd")]
mod compressed;
mod scene;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
