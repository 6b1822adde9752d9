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

            /// As it is shown: an id that was cut short on its way is not taken for another one.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let is_whole = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let number = is_whole.then(|| u64::from_str_radix(text, 16).ok()).flatten();
                number
                    .map(Self)
                    .ok_or_else(|| IdError::Hex { what: $what, text: start_of(text) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown_and_not_otherwise() {
        let id = ProposalId::from_random(0xa7);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("00000000000000A7".parse(), Ok(id));
        for bad in [
            "",
            "a7",
            "+0000000000000a7",
            "000000000000000a7",
            "00000000000000g7",
        ] {
            let told = bad.parse::<ProposalId>().unwrap_err().to_string();
            assert!(told.contains("expected 16 hexadecimal digits"), "{told}");
        }
    }
}
