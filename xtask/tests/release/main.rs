//! Releases of a small workspace, with real git and cargo and no network.
//!
//! - `fixture`: a workspace in a repository of its own
//! - `registry`: one on loopback
//! - `landed`: what a release is, and what a dry run is not
//! - `interrupted`: releases that fail or are killed on the way
//! - `refused`: what cannot be released, and why
//! - `published`: to a registry of one's choice
#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test ends it, where it stands"
)]

mod fixture;
mod interrupted;
mod landed;
mod published;
mod refused;
mod registry;
