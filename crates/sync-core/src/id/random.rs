//! Numbers that name one run.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::start_of;
use crate::error::IdError;

/// A random `u64` shown as 16 hexadecimal digits, also in JSON, whose numbers end at 2^53.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name(u64);

        impl $name {
            /// Wraps random bits drawn by the caller.
            pub const fn from_random(bits: u64) -> Self {
                Self(bits)
            }

            /// The bits.
            pub const fn bits(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                u64::from_str_radix(text, 16)
                    .map(Self)
                    .map_err(|_| IdError::Hex { what: $what, text: start_of(text) })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

random_id!(
    /// Names one run of an agent. Fresh at every start, so that a copied or restored disk can never
    /// give one id to two writes.
    Incarnation, "incarnation"
);
random_id!(
    /// Names one run of the hub. A cursor is valid only within a lineage of epochs.
    Epoch, "epoch"
);
random_id!(
    /// Names one proposal, drawn by its proposer.
    ProposalId, "proposal id"
);
