//! What a hub bounds of a swarm's synchronized state.

use std::fmt;

use bincode::{Decode, Encode};
use serde::Serialize;

/// What a hub bounds of a swarm's synchronized state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Quota {
    /// Keys that hold a value.
    Keys,
    /// Bytes of all values, with what it takes to hold them.
    Bytes,
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys => "keys",
            Self::Bytes => "bytes",
        })
    }
}
