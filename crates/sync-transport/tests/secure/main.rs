//! Over TLS both ends know who the other is, or there is no connection.
//!
//! - `scene`: a CA, its certificates, a hub and agents that use them
//! - `certificates`: who is believed by a certificate, and who is not
//! - `tokens`: who is believed by a token, and who is not
//! - `audit`: what the hub notes of those who are not let in
//! - `files`: what is refused before anybody connects, and what is read anew
//! - `raw`: TLS by hand, on which anything can be said
//! - `strangers`: those who never get as far as a name
#![cfg(feature = "tls")]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

mod audit;
mod certificates;
mod files;
mod raw;
mod scene;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
mod tokens;
