//! Why a node did not start.

use sync_core::{StoreError, TransportError};
use sync_protocol::RowError;
use thiserror::Error;

/// A node that did not start. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store holds a row that is not this node's.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The hub cannot be reached or refuses.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A name, a limit or a combination of settings is not valid.
    #[error("{reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
}
