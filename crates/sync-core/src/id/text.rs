//! Names of agents and swarms, and keys.

use std::fmt;
use std::sync::Arc;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError as BincodeDecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::Text;
use crate::error::IdError;

/// Longest name of an agent or a swarm, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Longest key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;

/// The name under which a hub writes: for peers that hold no replica, and what it makes of concurrent
/// values. No peer may have it, for its writes would be taken for the hub's own.
pub const HUB_NAME: &str = "hub";

fn check_length(what: &'static str, text: &str, limit: usize) -> Result<(), IdError> {
    let bytes = text.len();
    match bytes {
        0 => Err(IdError::Empty { what }),
        _ if bytes > limit => Err(IdError::TooLong { what, bytes, limit }),
        _ => Ok(()),
    }
}

fn check_name(what: &'static str, text: &str) -> Result<(), IdError> {
    check_length(what, text, NAME_BYTES_MAX)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    match text.char_indices().find(|&(_, c)| !allowed(c)) {
        Some((offset, found)) => Err(IdError::Character {
            what,
            found,
            offset,
        }),
        None => Ok(()),
    }
}

fn check_key(what: &'static str, text: &str) -> Result<(), IdError> {
    check_length(what, text, KEY_BYTES_MAX)
}

/// A newtype over shared text whose constructor checks it, with every wire and text face it needs.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and takes a copy of it.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                $check($what, text)?;
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;

            fn try_from(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Encode for $name {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
                self.0.encode(encoder)
            }
        }

        impl<C> Decode<C> for $name {
            fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, BincodeDecodeError> {
                let Text(text) = Text::decode(decoder)?;
                Self::new(text).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
            }
        }

        impl<'de, C> BorrowDecode<'de, C> for $name {
            fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, BincodeDecodeError> {
                let text = <&str>::borrow_decode(decoder)?;
                Self::new(text).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id!(
    /// The name of an agent within its swarm: `[A-Za-z0-9._:-]{1,128}`.
    AgentId, "agent name", check_name
);
text_id!(
    /// The name of a swarm: `[A-Za-z0-9._:-]{1,128}`. Nothing of one swarm is visible to another.
    SwarmId, "swarm name", check_name
);
text_id!(
    /// The name of a part of a swarm's memory: `[A-Za-z0-9._:-]{1,128}`.
    Namespace, "namespace", check_name
);
text_id!(
    /// The name of one piece of shared state: 1 to 1,024 bytes of UTF-8, otherwise opaque.
    Key, "key", check_key
);

impl AgentId {
    /// Checks the name of a peer: any but [`HUB_NAME`].
    pub fn of_peer(text: &str) -> Result<Self, IdError> {
        let name = Self::new(text)?;
        if name.is_hub() {
            return Err(IdError::Reserved { name });
        }
        Ok(name)
    }

    /// Whether it is [`HUB_NAME`].
    pub fn is_hub(&self) -> bool {
        self.as_str() == HUB_NAME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "agent-1", "A.b_c:d-9"] {
            assert!(AgentId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a\n"] {
            assert!(AgentId::new(bad).is_err(), "{bad:?}");
        }
        assert!(SwarmId::new("s".repeat(128)).is_ok());
        assert!(SwarmId::new("s".repeat(129)).is_err());
    }

    #[test]
    fn the_hubs_name_is_no_peers() {
        assert!(AgentId::new(HUB_NAME).is_ok_and(|name| name.is_hub()));
        let refused = AgentId::of_peer(HUB_NAME).unwrap_err().to_string();
        assert_eq!(
            refused,
            "the name hub is the hub's own: choose another one for this agent"
        );
        for good in ["hub-1", "Hub"] {
            assert!(AgentId::of_peer(good).is_ok(), "{good}");
        }
        assert!(AgentId::of_peer("").is_err());
    }

    /// Bad input, row 13.
    #[test]
    fn keys_are_opaque_but_bounded() {
        assert!(Key::new("any thing / at ∀ll").is_ok());
        assert!(Key::new("").is_err());
        assert!(Key::new("k".repeat(1024)).is_ok());
        assert!(Key::new("k".repeat(1025)).is_err());
    }
}
