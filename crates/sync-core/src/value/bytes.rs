//! The canonical bytes of a value: a tag, then fixed-width numbers or length-prefixed content.
//!
//! The decoder is written by hand because depth must be an argument (a derived one recurses until
//! the stack ends) and because only canonical bytes may pass: they are hashed.

use std::collections::BTreeMap;

use super::{DEPTH_MAX, Float, Value};
use crate::error::DecodeError;

const WHAT: &str = "a value";

/// Items preallocated for a list, whatever its length claims.
const PREALLOCATED_MAX: usize = 64;

mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const TEXT: u8 = 5;
    pub(super) const BYTES: u8 = 6;
    pub(super) const LIST: u8 = 7;
    pub(super) const MAP: u8 = 8;
}

pub(super) fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(tag::NULL),
        Value::Bool(false) => out.push(tag::FALSE),
        Value::Bool(true) => out.push(tag::TRUE),
        Value::Int(number) => {
            out.push(tag::INT);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Float(number) => {
            out.push(tag::FLOAT);
            out.extend_from_slice(&number.get().to_le_bytes());
        }
        Value::Text(text) => {
            out.push(tag::TEXT);
            write_blob(text.as_bytes(), out);
        }
        Value::Bytes(bytes) => {
            out.push(tag::BYTES);
            write_blob(bytes, out);
        }
        Value::List(items) => {
            out.push(tag::LIST);
            write_length(items.len(), out);
            for item in items {
                encode(item, out);
            }
        }
        Value::Map(fields) => {
            out.push(tag::MAP);
            write_length(fields.len(), out);
            for (name, value) in fields {
                write_blob(name.as_bytes(), out);
                encode(value, out);
            }
        }
    }
}

fn write_blob(bytes: &[u8], out: &mut Vec<u8>) {
    write_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// LEB128, seven bits a byte, least significant first.
fn write_length(length: usize, out: &mut Vec<u8>) {
    let mut rest = length as u64;
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Reads what [`write_length`] wrote: the length and how many bytes it took. Only the shortest form
/// is accepted, so that equal values stay equal bytes.
fn read_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length: u64 = 0;
    for (index, &byte) in bytes.iter().take(9).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let shortest = index == 0 || byte != 0;
            return usize::try_from(length)
                .ok()
                .filter(|_| shortest)
                .map(|n| (n, index + 1));
        }
    }
    None
}

pub(super) fn decode(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(DEPTH_MAX)?;
    reader.finish()?;
    Ok(value)
}

pub(super) fn validate(bytes: &[u8], depth: usize) -> Result<(), DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    reader.skip(depth)?;
    reader.finish()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let depth = Self::descend(depth)?;
        Ok(match self.byte()? {
            tag::NULL => Value::Null,
            tag::FALSE => Value::Bool(false),
            tag::TRUE => Value::Bool(true),
            tag::INT => Value::Int(i64::from_le_bytes(self.eight()?)),
            tag::FLOAT => Value::Float(self.float()?),
            tag::TEXT => Value::Text(self.text()?.to_owned()),
            tag::BYTES => Value::Bytes(self.blob()?.to_vec()),
            tag::LIST => {
                let count = self.length()?;
                let mut items = Vec::with_capacity(count.min(PREALLOCATED_MAX));
                for _ in 0..count {
                    items.push(self.value(depth)?);
                }
                Value::List(items)
            }
            tag::MAP => {
                let mut fields = BTreeMap::new();
                let mut previous = None;
                for _ in 0..self.length()? {
                    let name = self.field_name(&mut previous)?;
                    fields.insert(name.to_owned(), self.value(depth)?);
                }
                Value::Map(fields)
            }
            other => return Err(self.malformed(format!("unknown tag {other}"))),
        })
    }

    /// The same walk as [`Reader::value`], building nothing.
    fn skip(&mut self, depth: usize) -> Result<(), DecodeError> {
        let depth = Self::descend(depth)?;
        match self.byte()? {
            tag::NULL | tag::FALSE | tag::TRUE => {}
            tag::INT => {
                self.eight()?;
            }
            tag::FLOAT => {
                self.float()?;
            }
            tag::TEXT => {
                self.text()?;
            }
            tag::BYTES => {
                self.blob()?;
            }
            tag::LIST => {
                for _ in 0..self.length()? {
                    self.skip(depth)?;
                }
            }
            tag::MAP => {
                let mut previous = None;
                for _ in 0..self.length()? {
                    self.field_name(&mut previous)?;
                    self.skip(depth)?;
                }
            }
            other => return Err(self.malformed(format!("unknown tag {other}"))),
        }
        Ok(())
    }

    fn descend(depth: usize) -> Result<usize, DecodeError> {
        depth.checked_sub(1).ok_or(DecodeError::TooDeep {
            what: WHAT,
            limit: DEPTH_MAX,
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(DecodeError::Truncated {
            what: WHAT,
            offset: self.bytes.len(),
        })?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    fn eight(&mut self) -> Result<[u8; 8], DecodeError> {
        let mut out = [0; 8];
        out.copy_from_slice(self.take(8)?);
        Ok(out)
    }

    fn float(&mut self) -> Result<Float, DecodeError> {
        let number = f64::from_le_bytes(self.eight()?);
        let negative_zero = number == 0.0 && number.is_sign_negative();
        match Float::new(number) {
            Ok(float) if !negative_zero => Ok(float),
            _ => Err(self.malformed(format!("{number:?} is not a canonical number"))),
        }
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        let (length, width) = read_length(&self.bytes[self.at..])
            .ok_or_else(|| self.malformed("the length is not canonical".to_owned()))?;
        self.at += width;
        // Whatever is counted takes at least one byte: a larger count lies.
        if length > self.bytes.len() - self.at {
            return Err(DecodeError::Truncated {
                what: WHAT,
                offset: self.bytes.len(),
            });
        }
        Ok(length)
    }

    fn blob(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.blob()?;
        std::str::from_utf8(bytes).map_err(|e| self.malformed(format!("text is not UTF-8: {e}")))
    }

    fn field_name(&mut self, previous: &mut Option<&'a str>) -> Result<&'a str, DecodeError> {
        let name = self.text()?;
        if previous.is_some_and(|p| p >= name) {
            return Err(self.malformed("map keys do not ascend".to_owned()));
        }
        *previous = Some(name);
        Ok(name)
    }

    fn malformed(&self, reason: String) -> DecodeError {
        DecodeError::Malformed {
            what: WHAT,
            offset: self.at,
            reason,
        }
    }

    fn finish(&self) -> Result<(), DecodeError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            extra => Err(DecodeError::Trailing { what: WHAT, extra }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = [tag::LIST, 1].repeat(depth - 1);
        bytes.push(tag::NULL);
        bytes
    }

    /// Bad input, row 3.
    #[test]
    fn depth_is_bounded_not_recursed_into() {
        assert!(decode(&nested(DEPTH_MAX)).is_ok());
        for depth in [DEPTH_MAX + 1, 1_000_000] {
            let refused = DecodeError::TooDeep {
                what: WHAT,
                limit: DEPTH_MAX,
            };
            assert_eq!(decode(&nested(depth)), Err(refused.clone()));
            assert_eq!(validate(&nested(depth), DEPTH_MAX), Err(refused));
        }
    }

    #[test]
    fn only_canonical_bytes_pass() {
        let nan = [&[tag::FLOAT][..], &f64::NAN.to_le_bytes()].concat();
        let negative_zero = [&[tag::FLOAT][..], &(-0.0_f64).to_le_bytes()].concat();
        let cases: &[(&str, &[u8])] = &[
            ("empty", &[]),
            ("unknown tag", &[99]),
            ("NaN", &nan),
            ("-0.0", &negative_zero),
            ("trailing", &[tag::NULL, 0]),
            ("short int", &[tag::INT, 1, 2]),
            ("lying text", &[tag::TEXT, 0xff, 0xff, 0xff, 0x7f, b'a']),
            ("lying list", &[tag::LIST, 0xff, 0xff, 0xff, 0x7f]),
            ("padded length", &[tag::TEXT, 0x80, 0x00]),
            ("not UTF-8", &[tag::TEXT, 1, 0xff]),
            (
                "descending map",
                &[tag::MAP, 2, 1, b'b', tag::NULL, 1, b'a', tag::NULL],
            ),
            (
                "repeated key",
                &[tag::MAP, 2, 1, b'a', tag::NULL, 1, b'a', tag::NULL],
            ),
        ];
        for (name, bytes) in cases {
            assert!(decode(bytes).is_err(), "{name}");
            assert!(validate(bytes, DEPTH_MAX).is_err(), "{name}");
        }
    }

    #[test]
    fn lengths_read_back() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 1 << 32] {
            let mut out = Vec::new();
            write_length(length, &mut out);
            assert_eq!(read_length(&out), Some((length, out.len())));
        }
        assert_eq!(read_length(&[0xff; 20]), None);
    }
}
