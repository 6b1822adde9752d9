//! What a write puts in place, in canonical bytes.

mod reset;

use std::fmt;
use std::sync::Arc;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError as BincodeDecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};

use crate::authority::Claim;
use crate::error::{DecodeError, ValueError};
use crate::value::Value;

pub use self::reset::Reset;

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
    /// The value of one field of a map.
    Field,
    /// The absence of one field of a map.
    Unset,
    /// The absence of every field of a map that is older.
    Cleared,
    /// A value for the whole key that the hub has decided on.
    Decreed,
    /// That an agent has the key for itself: see [`Claim`].
    Claim,
    /// That parts of a counter were deleted: see [`Reset`].
    Reset,
}

impl PayloadKind {
    /// Whether it stands for something that is gone: once nothing older is left to hide, it has done
    /// its work.
    pub fn is_absence(self) -> bool {
        matches!(
            self,
            Self::Absent | Self::Unset | Self::Cleared | Self::Reset
        )
    }
}

/// Longest name of a field of a map, in bytes: it is repeated in every write of the field.
pub const FIELD_BYTES_MAX: usize = 1024;

mod tag {
    pub(super) const PUT: u8 = 1;
    pub(super) const ABSENT: u8 = 2;
    pub(super) const COUNT: u8 = 3;
    pub(super) const ELEMENT: u8 = 4;
    pub(super) const FIELD: u8 = 5;
    pub(super) const UNSET: u8 = 6;
    pub(super) const CLEARED: u8 = 7;
    pub(super) const DECREED: u8 = 8;
    pub(super) const CLAIM: u8 = 9;
    pub(super) const RESET: u8 = 10;
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

    /// The value of a field.
    pub fn field(name: &str, value: &Value) -> Result<Self, ValueError> {
        let mut bytes = named(tag::FIELD, name)?;
        bytes.extend(value.encode());
        Ok(Self(bytes.into()))
    }

    /// The absence of a field.
    pub fn unset(name: &str) -> Result<Self, ValueError> {
        named(tag::UNSET, name).map(|bytes| Self(bytes.into()))
    }

    /// The absence of every older field.
    pub fn cleared() -> Self {
        Self([tag::CLEARED].as_slice().into())
    }

    /// A value that the hub has decided on.
    pub fn decreed(value: &Value) -> Self {
        Self::tagged(tag::DECREED, value)
    }

    /// A claim.
    pub fn claim(claim: &Claim) -> Self {
        Self::tagged(tag::CLAIM, &claim.value())
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
            Some((&(tag::PUT | tag::DECREED), value)) => Value::validate(value)?,
            Some((&tag::CLAIM, value)) => {
                if Claim::from_value(&Value::decode(value)?).is_none() {
                    return Err(malformed("not a claim"));
                }
            }
            Some((&tag::RESET, reset)) => drop(Reset::decode(reset)?),
            Some((&tag::ELEMENT, value)) => Value::validate_item(value)?,
            Some((&tag::FIELD, rest)) => {
                let (_, value) = split_name(rest).ok_or_else(|| malformed("a bad field name"))?;
                Value::validate_item(value)?;
            }
            Some((&tag::UNSET, rest)) => {
                let nothing_more = split_name(rest).is_some_and(|(_, more)| more.is_empty());
                if !nothing_more {
                    return Err(malformed("a bad field name"));
                }
            }
            Some((&(tag::ABSENT | tag::CLEARED), rest)) if !rest.is_empty() => {
                return Err(malformed("bytes follow"));
            }
            Some((&tag::COUNT, rest)) if rest.len() != 8 => return Err(malformed("not 8 bytes")),
            Some((&(tag::ABSENT | tag::CLEARED | tag::COUNT), _)) => {}
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
            tag::FIELD => PayloadKind::Field,
            tag::UNSET => PayloadKind::Unset,
            tag::CLEARED => PayloadKind::Cleared,
            tag::DECREED => PayloadKind::Decreed,
            tag::CLAIM => PayloadKind::Claim,
            tag::RESET => PayloadKind::Reset,
            _ => PayloadKind::Element,
        }
    }

    /// The value it carries: none for an absence, the total for a contribution, the value of a field.
    /// O(size).
    pub fn value(&self) -> Option<Value> {
        match self.kind() {
            PayloadKind::Absent
            | PayloadKind::Unset
            | PayloadKind::Cleared
            | PayloadKind::Reset => None,
            PayloadKind::Field => Value::decode(split_name(&self.0[1..])?.1).ok(),
            PayloadKind::Count => self.total().map(Value::Int),
            // The constructor has checked the bytes.
            PayloadKind::Put | PayloadKind::Element | PayloadKind::Decreed | PayloadKind::Claim => {
                Value::decode(&self.0[1..]).ok()
            }
        }
    }

    /// The claim that it is.
    pub fn as_claim(&self) -> Option<Claim> {
        let is_claim = self.kind() == PayloadKind::Claim;
        is_claim
            .then(|| self.value())
            .flatten()
            .and_then(|value| Claim::from_value(&value))
    }

    /// The total of a contribution.
    pub fn total(&self) -> Option<i64> {
        let bytes = self
            .0
            .get(1..)
            .filter(|_| self.kind() == PayloadKind::Count)?;
        bytes.try_into().ok().map(i64::from_le_bytes)
    }

    /// The name of the field that it writes or removes.
    pub fn field_name(&self) -> Option<&str> {
        match self.kind() {
            PayloadKind::Field | PayloadKind::Unset => Some(split_name(&self.0[1..])?.0),
            _ => None,
        }
    }

    /// The part of the key that it writes, if it does not write all of it: for a set the element, for
    /// a map the field, which its absence stands for, or that it was cleared. Writes of equal parts are
    /// found through the entry's index.
    pub fn part(&self) -> Option<Self> {
        match self.kind() {
            PayloadKind::Element | PayloadKind::Unset | PayloadKind::Cleared => Some(self.clone()),
            PayloadKind::Field => Self::unset(self.field_name()?).ok(),
            _ => None,
        }
    }
}

/// A tag and a field's name behind its length.
fn named(tag: u8, name: &str) -> Result<Vec<u8>, ValueError> {
    let length = u16::try_from(name.len()).ok();
    let length = length.filter(|bytes| (1..=FIELD_BYTES_MAX).contains(&usize::from(*bytes)));
    let Some(length) = length else {
        return Err(ValueError::FieldName { bytes: name.len() });
    };
    let mut bytes = vec![tag];
    bytes.extend(length.to_le_bytes());
    bytes.extend(name.as_bytes());
    Ok(bytes)
}

/// The name of a field and what follows it.
fn split_name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_le_bytes(*length));
    let (name, rest) = rest.split_at_checked(length)?;
    let in_range = (1..=FIELD_BYTES_MAX).contains(&length);
    Some((std::str::from_utf8(name).ok().filter(|_| in_range)?, rest))
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind())?;
        if let Some(name) = self.field_name() {
            write!(f, " {name:?}")?;
        }
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
            (
                Payload::element(&value),
                PayloadKind::Element,
                Some(value.clone()),
            ),
            (
                Payload::field("f", &value).unwrap(),
                PayloadKind::Field,
                Some(value),
            ),
            (Payload::unset("f").unwrap(), PayloadKind::Unset, None),
            (Payload::cleared(), PayloadKind::Cleared, None),
            (
                Payload::decreed(&Value::Int(3)),
                PayloadKind::Decreed,
                Some(Value::Int(3)),
            ),
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
            &[tag::RESET],
            &[tag::ABSENT, 0],
            &[tag::COUNT, 1],
            &[tag::PUT, 77],
            &[tag::FIELD],
            &[tag::FIELD, 0, 0, 0],
            &[tag::FIELD, 1, 0, b'f'],
            &[tag::FIELD, 1, 0, 0xff, 0],
            &[tag::FIELD, 2, 0, b'f', 0],
            &[tag::UNSET, 1, 0, b'f', 0],
            &[tag::UNSET, 1, 0],
            &[tag::CLEARED, 0],
            &[tag::DECREED],
            &[tag::CLAIM],
        ] {
            assert!(Payload::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }
    #[test]
    fn a_field_and_its_absence_are_one_part() {
        let [put, other] = ["x", "y"].map(|v| Payload::field("f", &Value::from(v)).unwrap());
        let unset = Payload::unset("f").unwrap();
        assert_eq!(put.part(), unset.part());
        assert_eq!(put.part(), other.part());
        assert_ne!(put.part(), Payload::unset("g").unwrap().part());
        assert_eq!(Payload::cleared().part(), Some(Payload::cleared()));
        assert_eq!(put.field_name(), Some("f"));
    }

    #[test]
    fn field_names_are_bounded() {
        for name in [
            String::new(),
            "n".repeat(FIELD_BYTES_MAX + 1),
            "n".repeat(1 << 16),
        ] {
            assert!(Payload::unset(&name).is_err(), "{}", name.len());
        }
        assert!(Payload::unset(&"n".repeat(FIELD_BYTES_MAX)).is_ok());
    }
}
