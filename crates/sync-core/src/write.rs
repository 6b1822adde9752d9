//! One write: when, what, and what its writer knew.

use std::fmt;
use std::sync::Arc;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError as BincodeDecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};

use crate::context::{Context, Span};
use crate::cursor::Seen;
use crate::error::{DecodeError, ValueError};
use crate::id::{Seq, WriteId};
use crate::stamp::Stamp;
use crate::value::Value;

/// Largest user metadata of one write, encoded, in bytes: it is repeated in every row and frame
/// that carries the write.
pub const METADATA_BYTES_MAX: usize = 4 * 1024;

/// What a write puts in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PayloadKind {
    /// A value for the whole key.
    Put,
    /// The key's absence, as a value: a delete under a rule that keeps one winner.
    Absent,
    /// The total that one incarnation has added to a counter.
    Count,
    /// An element of a set.
    Element,
}

mod tag {
    pub(super) const PUT: u8 = 1;
    pub(super) const ABSENT: u8 = 2;
    pub(super) const COUNT: u8 = 3;
    pub(super) const ELEMENT: u8 = 4;
}

/// The canonical bytes of what was written, shared and decoded only when read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payload(Arc<[u8]>);

impl Payload {
    /// A value for the whole key.
    pub fn put(value: &Value) -> Self {
        Self::tagged(tag::PUT, value)
    }

    /// The key's absence.
    pub fn absent() -> Self {
        Self([tag::ABSENT].as_slice().into())
    }

    /// A contribution to a counter.
    pub fn count(total: i64) -> Self {
        let mut bytes = [tag::COUNT; 9];
        bytes[1..].copy_from_slice(&total.to_le_bytes());
        Self(bytes.as_slice().into())
    }

    /// An element of a set.
    pub fn element(value: &Value) -> Self {
        Self::tagged(tag::ELEMENT, value)
    }

    fn tagged(tag: u8, value: &Value) -> Self {
        let mut bytes = vec![tag];
        bytes.extend(value.encode());
        Self(bytes.into())
    }

    /// Takes a checked copy of received bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "a payload";
        let malformed = |reason: &str| DecodeError::Malformed {
            what: WHAT,
            offset: 0,
            reason: reason.to_owned(),
        };
        match bytes.split_first() {
            None => {
                return Err(DecodeError::Truncated {
                    what: WHAT,
                    offset: 0,
                });
            }
            Some((&tag::PUT, value)) => Value::validate(value)?,
            Some((&tag::ELEMENT, value)) => Value::validate_item(value)?,
            Some((&tag::ABSENT, rest)) if !rest.is_empty() => {
                return Err(malformed("bytes follow"));
            }
            Some((&tag::COUNT, rest)) if rest.len() != 8 => return Err(malformed("not 8 bytes")),
            Some((&(tag::ABSENT | tag::COUNT), _)) => {}
            Some((other, _)) => return Err(malformed(&format!("unknown tag {other}"))),
        }
        Ok(Self(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Which kind.
    pub fn kind(&self) -> PayloadKind {
        match self.0[0] {
            tag::PUT => PayloadKind::Put,
            tag::ABSENT => PayloadKind::Absent,
            tag::COUNT => PayloadKind::Count,
            _ => PayloadKind::Element,
        }
    }

    /// The value it carries: none for an absence, the total for a contribution. O(size).
    pub fn value(&self) -> Option<Value> {
        match self.kind() {
            PayloadKind::Absent => None,
            PayloadKind::Count => self.total().map(Value::Int),
            // The constructor has checked the bytes.
            PayloadKind::Put | PayloadKind::Element => Value::decode(&self.0[1..]).ok(),
        }
    }

    /// The total of a contribution.
    pub fn total(&self) -> Option<i64> {
        let bytes = self
            .0
            .get(1..)
            .filter(|_| self.kind() == PayloadKind::Count)?;
        bytes.try_into().ok().map(i64::from_le_bytes)
    }

    /// The part of the key that it writes, if it does not write all of it: for a set the element.
    /// Writes of equal parts are found through the entry's index.
    pub fn part(&self) -> Option<&Self> {
        (self.kind() == PayloadKind::Element).then_some(self)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind())?;
        self.value().map_or(Ok(()), |value| write!(f, "({value})"))
    }
}

impl Encode for Payload {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.as_bytes().encode(encoder)
    }
}

impl<C> Decode<C> for Payload {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, BincodeDecodeError> {
        let bytes = Vec::<u8>::decode(decoder)?;
        Self::from_bytes(&bytes).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Payload {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, BincodeDecodeError> {
        let bytes = <&[u8]>::borrow_decode(decoder)?;
        Self::from_bytes(bytes).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
    }
}

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
        let note = self.note.as_ref().and_then(|n| n.metadata.as_ref());
        self.payload.as_bytes().len()
            + note.map_or(0, |m| m.as_bytes().len())
            + 40
            + 20 * self.over.spans().len()
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_read_back() {
        let value = Value::Text("x".to_owned());
        let cases = [
            (Payload::put(&value), PayloadKind::Put, Some(value.clone())),
            (Payload::absent(), PayloadKind::Absent, None),
            (Payload::count(-3), PayloadKind::Count, Some(Value::Int(-3))),
            (Payload::element(&value), PayloadKind::Element, Some(value)),
        ];
        for (payload, kind, value) in cases {
            let copy = Payload::from_bytes(payload.as_bytes()).unwrap();
            assert_eq!((copy.kind(), copy.value()), (kind, value));
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [
            &[][..],
            &[0],
            &[9, 0],
            &[tag::ABSENT, 0],
            &[tag::COUNT, 1],
            &[tag::PUT, 77],
        ] {
            assert!(Payload::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }
}
