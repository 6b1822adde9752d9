//! Who wrote, and which of his writes.

use std::fmt;
use std::sync::Arc;

use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError as BincodeDecodeError, EncodeError};
use bincode::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AgentId, Incarnation, Seq, start_of};
use crate::error::IdError;

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

    /// Whether both are held in one allocation.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Writer {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.0 == other.0
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
        if self.is_same(other) {
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
            text: start_of(text),
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
