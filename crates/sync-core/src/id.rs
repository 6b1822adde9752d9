//! Names and numbers that identify things. Every newtype validates when it is made, so a value of
//! the type is a valid one.

use std::fmt;
use std::sync::Arc;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError as BincodeDecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::IdError;

/// Longest name of an agent or a swarm, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Longest key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;

fn check_name(what: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(IdError::TooLong {
            what,
            bytes: text.len(),
            limit: NAME_BYTES_MAX,
        });
    }
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
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.len() > KEY_BYTES_MAX {
        return Err(IdError::TooLong {
            what,
            bytes: text.len(),
            limit: KEY_BYTES_MAX,
        });
    }
    Ok(())
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
                let text = String::decode(decoder)?;
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
    /// The name of one piece of shared state: 1 to 1,024 bytes of UTF-8, otherwise opaque.
    Key, "key", check_key
);

/// A `u64` with a name, so that a version is never taken for a revision.
macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps the number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The next number. Saturates: 2^64 commits are out of reach.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }
    };
}

number_id!(
    /// Counts the commits that changed one key, from 1.
    Version
);
number_id!(
    /// Counts the commits of one swarm, from 1, in commit order. What `delta_sync` takes.
    Revision
);
number_id!(
    /// Counts the writes of one incarnation of one agent, from 1, over all its keys.
    Seq
);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

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
                    .map_err(|_| IdError::Hex { what: $what, text: text.chars().take(40).collect() })
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

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct WriterName {
    agent: AgentId,
    incarnation: Incarnation,
}

/// One run of one agent: the author of a contiguous sequence of writes.
///
/// Eight bytes and cheap to clone; decoders share one allocation per writer and message, and
/// machines intern what they keep.
#[derive(Clone, Eq)]
pub struct Writer(Arc<WriterName>);

impl Writer {
    /// Names a writer.
    pub fn new(agent: AgentId, incarnation: Incarnation) -> Self {
        Self(Arc::new(WriterName { agent, incarnation }))
    }

    /// The agent.
    pub fn agent(&self) -> &AgentId {
        &self.0.agent
    }

    /// Its run.
    pub fn incarnation(&self) -> Incarnation {
        self.0.incarnation
    }
}

impl PartialEq for Writer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl std::hash::Hash for Writer {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for Writer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Writer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return std::cmp::Ordering::Equal;
        }
        self.0.cmp(&other.0)
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.agent, self.0.incarnation)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The identity of one write, for ever. Called a "dot" in the literature.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId {
    /// Who wrote.
    pub writer: Writer,
    /// The how-manieth write of that writer.
    pub seq: Seq,
}

impl WriteId {
    /// Names a write.
    pub fn new(writer: Writer, seq: Seq) -> Self {
        Self { writer, seq }
    }
}

/// `NAME/INCARNATION/SEQ`.
impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.writer, self.seq)
    }
}

impl fmt::Debug for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for WriteId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let malformed = || IdError::WriteId {
            text: text.chars().take(40).collect(),
        };
        let (rest, seq) = text.rsplit_once('/').ok_or_else(malformed)?;
        let (agent, incarnation) = rest.rsplit_once('/').ok_or_else(malformed)?;
        let seq = seq.parse().map(Seq::new).map_err(|_| malformed())?;
        Ok(Self::new(
            Writer::new(AgentId::new(agent)?, incarnation.parse()?),
            seq,
        ))
    }
}

impl Serialize for WriteId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WriteId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Encode for WriteId {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.writer.agent().encode(encoder)?;
        self.writer.incarnation().encode(encoder)?;
        self.seq.encode(encoder)
    }
}

impl<C> Decode<C> for WriteId {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, BincodeDecodeError> {
        let writer = Writer::new(AgentId::decode(decoder)?, Incarnation::decode(decoder)?);
        Ok(Self::new(writer, Seq::decode(decoder)?))
    }
}

bincode::impl_borrow_decode!(WriteId);

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
    fn keys_are_opaque_but_bounded() {
        assert!(Key::new("any thing / at ∀ll").is_ok());
        assert!(Key::new("").is_err());
        assert!(Key::new("k".repeat(1024)).is_ok());
        assert!(Key::new("k".repeat(1025)).is_err());
    }

    #[test]
    fn a_write_id_reads_back_what_it_prints() {
        let id = WriteId::new(
            Writer::new(
                AgentId::new("agent-1").unwrap(),
                Incarnation::from_random(0xfe),
            ),
            Seq::new(7),
        );
        assert_eq!(id.to_string(), "agent-1/00000000000000fe/7");
        assert_eq!(id.to_string().parse::<WriteId>().unwrap(), id);
        assert!("agent-1/7".parse::<WriteId>().is_err());
    }
}
