//! The data model: one canonical tree of values, equal trees being equal bytes.

mod bytes;
mod json;

use std::collections::BTreeMap;
use std::fmt;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError as BincodeDecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Serialize, Serializer};

use crate::error::{DecodeError, ValueError};

/// Deepest nesting of lists and maps. A scalar has depth 1.
pub const DEPTH_MAX: usize = 32;

/// A finite float: never NaN or infinite, and never `-0.0`, which would be a second zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Float(f64);

impl Float {
    /// Checks the number; `-0.0` becomes `0.0`.
    pub fn new(number: f64) -> Result<Self, ValueError> {
        if number.is_finite() {
            Ok(Self(number + 0.0))
        } else {
            Err(ValueError::NotFinite)
        }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Float {}

/// One value.
///
/// ```
/// use sync_core::Value;
///
/// let value = Value::from_json(serde_json::json!({"model": "m1", "tries": 3})).unwrap();
/// assert_eq!(Value::decode(&value.encode()).unwrap(), value);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the data model is closed; a new case is a new format"
)]
pub enum Value {
    /// Nothing, as a value. Not the same as an absent key.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number with a fraction.
    Float(Float),
    /// UTF-8.
    Text(String),
    /// Anything.
    Bytes(Vec<u8>),
    /// In order.
    List(Vec<Self>),
    /// By name.
    Map(BTreeMap<String, Self>),
}

impl Value {
    /// A float, if it is finite.
    pub fn float(number: f64) -> Result<Self, ValueError> {
        Float::new(number).map(Self::Float)
    }

    /// What it is, for people: `a text`, `a map`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// Reads a JSON value. An integer outside `i64` and nesting over [`DEPTH_MAX`] are refused.
    pub fn from_json(json: serde_json::Value) -> Result<Self, ValueError> {
        json::from_json(json, DEPTH_MAX)
    }

    /// The JSON face. Bytes read as a list of numbers, everything else as itself.
    pub fn to_json(&self) -> serde_json::Value {
        json::to_json(self)
    }

    /// The canonical bytes. O(size).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        bytes::encode(self, &mut out);
        out
    }

    /// Reads canonical bytes; refuses whatever [`Value::encode`] does not produce, and anything left
    /// over. Allocates no more than a small multiple of what it reads.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        bytes::decode(bytes)
    }

    /// Checks canonical bytes without building the value.
    pub fn validate(bytes: &[u8]) -> Result<(), DecodeError> {
        bytes::validate(bytes, DEPTH_MAX)
    }

    /// Checks the canonical bytes of a value that will be read as an item of a list.
    pub(crate) fn validate_item(bytes: &[u8]) -> Result<(), DecodeError> {
        bytes::validate(bytes, DEPTH_MAX - 1)
    }

    /// Refuses nesting over [`DEPTH_MAX`]; a scalar counts 1.
    pub fn check_depth(&self) -> Result<(), ValueError> {
        self.check_depth_within(DEPTH_MAX)
    }

    /// Refuses what would be over [`DEPTH_MAX`] as an item of a list.
    pub fn check_item_depth(&self) -> Result<(), ValueError> {
        self.check_depth_within(DEPTH_MAX - 1)
    }

    fn check_depth_within(&self, limit: usize) -> Result<(), ValueError> {
        fn within(value: &Value, left: usize) -> bool {
            left > 0
                && match value {
                    Value::List(items) => items.iter().all(|v| within(v, left - 1)),
                    Value::Map(fields) => fields.values().all(|v| within(v, left - 1)),
                    _ => true,
                }
        }
        if within(self, limit) {
            Ok(())
        } else {
            Err(ValueError::TooDeep { limit })
        }
    }
}

/// As JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_json())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl TryFrom<f64> for Value {
    type Error = ValueError;

    fn try_from(number: f64) -> Result<Self, ValueError> {
        Self::float(number)
    }
}

impl TryFrom<serde_json::Value> for Value {
    type Error = ValueError;

    fn try_from(json: serde_json::Value) -> Result<Self, ValueError> {
        Self::from_json(json)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl Encode for Value {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        Self::encode(self).as_slice().encode(encoder)
    }
}

impl<C> Decode<C> for Value {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, BincodeDecodeError> {
        let bytes = Vec::<u8>::decode(decoder)?;
        Self::decode(&bytes).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Value {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, BincodeDecodeError> {
        let bytes = <&[u8]>::borrow_decode(decoder)?;
        Self::decode(bytes).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
    }
}
