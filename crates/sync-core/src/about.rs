//! What a hub says of itself to whoever wants to know whether the two get along.

use bincode::{Decode, Encode};
use serde::Serialize;

/// A hub's versions and its clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct About {
    /// The release of its program.
    pub program: String,
    /// The oldest protocol version it speaks.
    pub protocol_min: u16,
    /// The newest protocol version it speaks.
    pub protocol_max: u16,
    /// Its wall clock when it answered, in milliseconds since 1970.
    pub wall_ms: u64,
    /// By how much a write's stamp may be ahead of that, in milliseconds.
    pub drift_ms_max: u64,
}
