//! A text on the wire whose claimed length allocates nothing.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError;
use bincode::{BorrowDecode, Decode};

use super::List;

/// A `String` that decodes without trusting its length: bincode's own would reserve it all.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) String);

impl<C> Decode<C> for Text {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let List(bytes) = List::<u8>::decode(decoder)?;
        let text = String::from_utf8(bytes);
        text.map(Self).map_err(|e| DecodeError::Utf8 {
            inner: e.utf8_error(),
        })
    }
}

impl<'de, C> BorrowDecode<'de, C> for Text {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let text = <&str>::borrow_decode(decoder)?;
        Ok(Self(text.to_owned()))
    }
}
