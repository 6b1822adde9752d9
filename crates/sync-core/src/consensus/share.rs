//! A part of a whole.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};
use thiserror::Error;

/// A number above 0 and up to 1.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

/// A number that is no part of a whole. The caller's fault; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error(
    "a threshold of {0} makes no sense: give one above 0 and at most 1, such as 0.66; 1 is unanimous"
)]
pub struct NoShare(f64);

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self(1.0);

    /// Checks the number.
    pub fn new(number: f64) -> Result<Self, NoShare> {
        if number > 0.0 && number <= 1.0 {
            Ok(Self(number))
        } else {
            Err(NoShare(number))
        }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Never NaN.
impl Eq for Share {}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl Encode for Share {
    fn encode<E: bincode::enc::Encoder>(
        &self,
        encoder: &mut E,
    ) -> Result<(), bincode::error::EncodeError> {
        self.0.to_bits().encode(encoder)
    }
}

impl<C> Decode<C> for Share {
    fn decode<D: bincode::de::Decoder<Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, bincode::error::DecodeError> {
        let number = f64::from_bits(u64::decode(decoder)?);
        Self::new(number).map_err(|e| bincode::error::DecodeError::OtherString(e.to_string()))
    }
}

bincode::impl_borrow_decode!(Share);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_above_nothing_and_at_most_all() {
        for good in [f64::MIN_POSITIVE, 0.5, 1.0] {
            assert_eq!(Share::new(good).unwrap().get().to_bits(), good.to_bits());
        }
        for bad in [0.0, -0.0, -0.1, 1.000_001, f64::NAN, f64::INFINITY] {
            assert!(Share::new(bad).is_err(), "{bad}");
        }
    }
}
