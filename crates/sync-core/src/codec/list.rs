//! A vector on the wire whose claimed length allocates nothing.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::Serialize;

/// Items preallocated, whatever the length claims: bincode's own `Vec` would reserve it all.
const PREALLOCATED_MAX: usize = 64;

/// A `Vec` that decodes without trusting its length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
#[expect(clippy::exhaustive_structs, reason = "nothing but a vector")]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T> std::ops::Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Encode + 'static> Encode for List<T> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u64).encode(encoder)?;
        self.0.iter().try_for_each(|item| item.encode(encoder))
    }
}

impl<C, T: Decode<C>> Decode<C> for List<T> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let count = length(u64::decode(decoder)?)?;
        let mut items = Vec::with_capacity(count.min(PREALLOCATED_MAX));
        for _ in 0..count {
            items.push(T::decode(decoder)?);
        }
        Ok(Self(items))
    }
}

impl<'de, C, T: BorrowDecode<'de, C>> BorrowDecode<'de, C> for List<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let count = length(u64::borrow_decode(decoder)?)?;
        let mut items = Vec::with_capacity(count.min(PREALLOCATED_MAX));
        for _ in 0..count {
            items.push(T::borrow_decode(decoder)?);
        }
        Ok(Self(items))
    }
}

fn length(claimed: u64) -> Result<usize, DecodeError> {
    usize::try_from(claimed).map_err(|_| DecodeError::OutsideUsizeRange(claimed))
}
