//! A pattern of keys: which keys it matches, how specific it is, whether it meets another.

use std::fmt;
use std::str::Chars;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError as BincodeDecodeError;
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Serialize, Serializer};

use super::meeting::common_key;
use crate::error::IdError;
use crate::id::KEY_BYTES_MAX;

/// A key with `*` for any run of characters and `?` for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
pub struct Pattern(String);

impl Pattern {
    /// Checks `text`, which may be as long as a key.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        let what = "pattern";
        match text.len() {
            0 => Err(IdError::Empty { what }),
            bytes if bytes > KEY_BYTES_MAX => Err(IdError::TooLong {
                what,
                bytes,
                limit: KEY_BYTES_MAX,
            }),
            _ => Ok(Self(text)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it matches a key.
    pub fn matches(&self, key: &str) -> bool {
        matches(&self.0, key)
    }

    /// Greater means more specific: more characters spelled out, then fewer stars, then more
    /// characters in all.
    pub fn specificity(&self) -> (usize, std::cmp::Reverse<usize>, usize) {
        let count = |wanted: char| self.0.chars().filter(|c| *c == wanted).count();
        let (stars, ones) = (count('*'), count('?'));
        let spelled = self.0.chars().count() - stars - ones;
        (spelled, std::cmp::Reverse(stars), ones)
    }

    /// A key that both patterns match, if there is one.
    pub fn common_key(&self, other: &Self) -> Option<String> {
        common_key(&self.0, &other.0)
    }

    /// Whether a key begins and ends as the pattern spells out: false for most that do not match.
    pub(super) fn agrees_at_the_ends(&self, key: &str) -> bool {
        let spelled = |(wanted, _): &(u8, u8)| !matches!(wanted, b'*' | b'?');
        let same = |(wanted, found): (u8, u8)| wanted == found;
        let heads = self.0.bytes().zip(key.bytes());
        let tails = self.0.bytes().rev().zip(key.bytes().rev());
        heads.take_while(spelled).all(same) && tails.take_while(spelled).all(same)
    }
}

/// Whether `key` matches `pattern`, in which `*` stands for any run of characters and `?` for one.
///
/// O(length of the key · longest part of the pattern between two stars) at worst: only the last star
/// met ever takes more, and each time the part after it is tried anew. It allocates nothing, as it is
/// asked for every key of a listing and several times for every write.
pub fn matches(pattern: &str, key: &str) -> bool {
    let (mut pattern, mut key) = (pattern.chars(), key.chars());
    // What follows the last star, and where the key goes on if the star takes nothing more.
    let mut star: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let here = key.clone();
        match (pattern.next(), key.next()) {
            (None, None) => return true,
            (Some('*'), _) if pattern.as_str().is_empty() => return true,
            (Some('*'), _) => {
                star = Some((pattern.clone(), here.clone()));
                key = here;
            }
            (Some(_), None) => return false,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {}
            (_, Some(_)) => {
                let Some((after, taken)) = &mut star else {
                    return false;
                };
                taken.next();
                (pattern, key) = (after.clone(), taken.clone());
            }
        }
    }
}

impl TryFrom<&str> for Pattern {
    type Error = IdError;

    fn try_from(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<C> Decode<C> for Pattern {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, BincodeDecodeError> {
        let text = String::decode(decoder)?;
        Self::new(text).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Pattern {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, BincodeDecodeError> {
        Self::decode(decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("*", "", true),
            ("*", "any", true),
            ("task_*", "task_7", true),
            ("task_*", "tusk_7", false),
            ("?at", "cat", true),
            ("?at", "at", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "", true),
            ("", "a", false),
            ("ä?", "äö", true),
            ("*?", "", false),
            ("*?", "ö", true),
            ("*ab", "aab", true),
            ("*ab", "aba", false),
            ("a**", "a", true),
            ("*a*a*", "a", false),
            ("*ö?*z", "xöäöz", true),
            ("?", "*", true),
        ];
        for (pattern, key, expected) in cases {
            assert_eq!(matches(pattern, key), expected, "{pattern} against {key}");
        }
    }

    #[test]
    fn patterns_that_meet_have_a_key_in_common() {
        let cases = [
            ("*", "*", true),
            ("a*", "*b", true),
            ("a*", "b*", false),
            ("a?c", "ab?", true),
            ("a?c", "ab?d", false),
            ("*x*y", "?x", false),
            ("*x*y", "?x?y", true),
            ("a", "a*", true),
            ("ab", "a", false),
        ];
        for (left, right, meet) in cases {
            let [a, b] = [left, right].map(|p| Pattern::new(p).unwrap());
            let common = a.common_key(&b);
            assert_eq!(common.is_some(), meet, "{left} and {right}");
            if let Some(key) = common {
                assert!(a.matches(&key) && b.matches(&key), "{key}: {left}, {right}");
            }
        }
    }

    #[test]
    fn no_pattern_is_empty_or_longer_than_a_key() {
        assert!(Pattern::new("").is_err());
        assert!(Pattern::new("*".repeat(KEY_BYTES_MAX + 1)).is_err());
        assert!(Pattern::new("*".repeat(KEY_BYTES_MAX)).is_ok());
    }
}
