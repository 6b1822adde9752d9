//! Reading a type as another one that trusts no length.

/// Decodes `$of` by decoding `$as`, of the same form on the wire, and turning it into it.
macro_rules! read_as {
    ($of:ty, $as:ty) => {
        impl<C> bincode::Decode<C> for $of {
            fn decode<D: bincode::de::Decoder<Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                <$as as bincode::Decode<C>>::decode(decoder).map(Self::from)
            }
        }

        impl<'de, C> bincode::BorrowDecode<'de, C> for $of {
            fn borrow_decode<D: bincode::de::BorrowDecoder<'de, Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                <$as as bincode::BorrowDecode<'de, C>>::borrow_decode(decoder).map(Self::from)
            }
        }
    };
}

pub(crate) use read_as;
