//! Conformance suites: what every rule, every algorithm, every store and every transport must do, runnable on your own.
//!
//! ```toml
//! [dev-dependencies]
//! sync-core = { version = "0.1", features = ["testing"] }
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a suite fails by panicking, as a test does"
)]

pub mod consensus_suite;
mod numbers;
pub mod resolver_suite;
pub mod store_suite;
pub mod transport_suite;
