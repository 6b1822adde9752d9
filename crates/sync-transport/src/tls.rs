//! Who the two ends of a connection are, and that nobody else reads along: TLS 1.3, with a certificate
//! or a token per agent.
//!
//! The hub proves by a certificate that it is where the agent dialled. The agent proves its name by a
//! certificate that says `swarm-sync://SWARM/AGENT`, or by a [`Token`]. Nothing is resumed: each
//! connection is judged by what is in force when it begins.

mod agent;
mod error;
mod files;
mod fitness;
mod hub;
mod identity;
#[cfg(feature = "certs")]
mod issue;
mod proof;
mod reason;
mod token;
mod tokens;

pub use agent::{AgentTls, AgentTlsFiles};
pub use error::TlsError;
pub use files::{read_private, replace_private, write_private};
pub use hub::{HubTls, HubTlsFiles};
pub use identity::Principal;
#[cfg(feature = "certs")]
pub use issue::{Authority, Issued};
pub use token::Token;
pub use tokens::Tokens;

pub(crate) use hub::Credential;
pub(crate) use proof::Proof;
pub(crate) use reason::{broken_off, sentence};

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// What both ends speak. Of no use to anybody who dials another service by mistake, and the other way
/// round.
const ALPN: &[u8] = b"swarm-sync";

/// Not the default of the process, which belongs to the program.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
