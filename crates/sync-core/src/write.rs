//! One write: when, what, and what its writer knew.

use std::fmt;
use std::sync::Arc;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError as BincodeDecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};

use crate::authority::AttemptId;
use crate::context::{Context, Span};
use crate::cursor::Seen;
use crate::error::{DecodeError, ValueError};
use crate::id::{Seq, WriteId};
use crate::payload::Payload;
use crate::stamp::Stamp;
use crate::value::Value;

/// Largest user metadata of one write, encoded, in bytes: it is repeated in every row and frame
/// that carries the write.
pub const METADATA_BYTES_MAX: usize = 4 * 1024;

/// What a user hangs on a write: a map from names to values, carried along and never merged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metadata(Arc<[u8]>);

impl Metadata {
    /// Takes a map, at most [`METADATA_BYTES_MAX`] encoded.
    pub fn new(map: std::collections::BTreeMap<String, Value>) -> Result<Self, ValueError> {
        let value = Value::Map(map);
        value.check_depth()?;
        let bytes = value.encode();
        if bytes.len() > METADATA_BYTES_MAX {
            return Err(ValueError::TooLarge {
                bytes: bytes.len(),
                limit: METADATA_BYTES_MAX,
            });
        }
        Ok(Self(bytes.into()))
    }

    /// Takes a checked copy of received bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "metadata";
        if bytes.len() > METADATA_BYTES_MAX || !matches!(Value::decode(bytes)?, Value::Map(_)) {
            let reason = format!("expected a map of at most {METADATA_BYTES_MAX} bytes");
            return Err(DecodeError::Malformed {
                what: WHAT,
                offset: 0,
                reason,
            });
        }
        Ok(Self(bytes.into()))
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The map.
    pub fn value(&self) -> Value {
        // The constructor has checked the bytes.
        Value::decode(&self.0).unwrap_or(Value::Null)
    }
}

impl Encode for Metadata {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.as_bytes().encode(encoder)
    }
}

impl<C> Decode<C> for Metadata {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, BincodeDecodeError> {
        let bytes = Vec::<u8>::decode(decoder)?;
        Self::from_bytes(&bytes).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Metadata {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, BincodeDecodeError> {
        let bytes = <&[u8]>::borrow_decode(decoder)?;
        Self::from_bytes(bytes).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// When, in hybrid time.
    pub stamp: Stamp,
    /// What.
    pub payload: Payload,
    /// The sequence number of the same incarnation's previous write to this key, 0 if there is none.
    /// The write's own span `(prev, seq]` lets contexts close up although numbers run over all keys.
    pub prev: Seq,
    /// The whole context, when written, of the part it replaces, without siblings it leaves live.
    pub over: Context,
    /// What most writes do not have, kept out of line.
    pub note: Option<Box<Note>>,
}

/// The rarer facts of a write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Note {
    /// What the user hung on it.
    pub metadata: Option<Metadata>,
    /// What its writer had seen of the swarm.
    pub seen: Option<Seen>,
    /// The request that the hub has made it for.
    pub attempt: Option<AttemptId>,
}

impl Write {
    /// The write's own span: itself and the numbers its writer spent on other keys before it.
    pub fn span(&self, id: &WriteId) -> Span {
        Span::new(id.writer.clone(), self.prev.next().min(id.seq), id.seq)
    }

    /// Everything that the write's delta covers: its own span and what it replaces.
    pub fn closure(&self, id: &WriteId) -> Context {
        let mut context = self.over.clone();
        context.insert(self.span(id));
        context
    }

    /// The one form of an empty note is none: the wire knows no other, and equal writes must be equal.
    pub(crate) fn normal(mut self) -> Self {
        self.note = self.note.filter(|note| **note != Note::default());
        self
    }

    /// About how many bytes it takes on the wire.
    pub fn weight(&self) -> usize {
        self.value_bytes() + 40 + 20 * self.over.spans().len()
    }

    /// Bytes of its value and of its metadata.
    pub fn value_bytes(&self) -> usize {
        let note = self.note.as_ref().and_then(|n| n.metadata.as_ref());
        self.payload.as_bytes().len() + note.map_or(0, |m| m.as_bytes().len())
    }

    /// A total order for the one case in which an id names two different writes (a copied disk):
    /// every replica must keep the same one.
    pub(crate) fn outranks(&self, other: &Self) -> bool {
        let rank = |w: &Self| {
            (
                w.payload.clone(),
                w.stamp,
                w.prev,
                w.over.clone(),
                w.note.clone(),
            )
        };
        rank(self) > rank(other)
    }

    /// What the user hung on it.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.note.as_ref()?.metadata.as_ref()
    }

    /// What its writer had seen of the swarm.
    pub fn seen(&self) -> Option<Seen> {
        self.note.as_ref()?.seen
    }

    /// The request of its author that the hub has made it for.
    pub fn attempt(&self) -> Option<AttemptId> {
        self.note.as_ref()?.attempt
    }
}
