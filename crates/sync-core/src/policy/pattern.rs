//! A pattern of keys: which keys it matches, how specific it is, whether it meets another.

use std::fmt;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError as BincodeDecodeError;
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Serialize, Serializer};

use super::meeting::common_key;
use crate::codec::Text;
use crate::error::IdError;
use crate::id::{KEY_BYTES_MAX, Key};

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

    /// What every key that it matches begins with.
    pub fn beginning(&self) -> &str {
        let spelled = self.0.split(['*', '?']).next();
        spelled.unwrap_or_default()
    }

    /// What holding it against a key takes at worst for each byte of the key: more than one step only
    /// where a part with a `?` is looked for anew at every place.
    pub fn steps_per_byte(&self) -> usize {
        let between = self.0.split_once('*').map_or("", |(_, rest)| rest);
        let between = between.rsplit_once('*').map_or("", |(parts, _)| parts);
        let searched = between.split('*').filter(|part| part.contains('?'));
        searched.map(str::len).max().unwrap_or_default().max(1)
    }

    /// The only key that it matches, if it has neither stars nor question marks.
    pub fn only_key(&self) -> Option<Key> {
        let is_spelled = !self.0.contains(['*', '?']);
        Key::new(&*self.0).ok().filter(|_| is_spelled)
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
/// Each part between two stars is taken where it is first found: what follows can only gain by that.
/// O(key + pattern), and times the length of a part between two stars that holds a `?`, see
/// [`Pattern::steps_per_byte`]. It allocates nothing, as it is asked for every key of a listing and
/// several times for every write.
pub fn matches(pattern: &str, key: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return after(pattern, key) == Some("");
    };
    let Some(mut key) = after(first, key) else {
        return false;
    };
    let mut parts = rest.split('*');
    let last = parts.next_back().unwrap_or_default();
    // Between two stars that stand together there is nothing to look for.
    for part in parts.filter(|part| !part.is_empty()) {
        match after_first(part, key) {
            Some(rest) => key = rest,
            None => return false,
        }
    }
    ends_with(last, key)
}

/// What follows a part in a key that begins with it.
fn after<'k>(part: &str, key: &'k str) -> Option<&'k str> {
    if !part.contains('?') {
        return key.strip_prefix(part);
    }
    let mut key = key.chars();
    let fits = part.chars().all(|wanted| agree(wanted, key.next()));
    fits.then_some(key.as_str())
}

/// What follows the first place where a part is found.
fn after_first<'k>(part: &str, key: &'k str) -> Option<&'k str> {
    if !part.contains('?') {
        let at = key.find(part)?;
        return Some(&key[at + part.len()..]);
    }
    let starts = key.char_indices().map(|(at, _)| &key[at..]);
    starts.into_iter().find_map(|rest| after(part, rest))
}

fn ends_with(part: &str, key: &str) -> bool {
    if !part.contains('?') {
        return key.ends_with(part);
    }
    let mut key = key.chars().rev();
    part.chars().rev().all(|wanted| agree(wanted, key.next()))
}

fn agree(wanted: char, found: Option<char>) -> bool {
    found.is_some_and(|found| wanted == '?' || wanted == found)
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
        let Text(text) = Text::decode(decoder)?;
        Self::new(text).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Pattern {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, BincodeDecodeError> {
        let Text(text) = Text::borrow_decode(decoder)?;
        Self::new(text).map_err(|e| BincodeDecodeError::OtherString(e.to_string()))
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
            ("a*b?*?c", "a-bb-c", true),
            ("a*a", "a", false),
            ("*ab*ab", "ab", false),
            ("*ab*ab", "abab", true),
            ("a*?", "aö", true),
            ("*?b*", "aab", true),
            ("*ab*b", "aab", false),
        ];
        for (pattern, key, expected) in cases {
            assert_eq!(matches(pattern, key), expected, "{pattern} against {key}");
        }
    }

    /// Every pattern and key of a few characters, against the definition.
    #[test]
    fn a_pattern_matches_what_its_stars_can_be_replaced_to_give() {
        fn literally(pattern: &[char], key: &[char]) -> bool {
            match (pattern, key) {
                ([], []) => true,
                (['*', rest @ ..], _) => (0..=key.len()).any(|n| literally(rest, &key[n..])),
                (['?', rest @ ..], [_, keys @ ..]) => literally(rest, keys),
                ([a, rest @ ..], [b, keys @ ..]) if a == b => literally(rest, keys),
                _ => false,
            }
        }
        let words = |letters: &[char], longest: u32| {
            let base = letters.len();
            let of_length = |length: u32| (0..base.pow(length)).map(move |n| (n, length));
            let numbered = (0..=longest).flat_map(of_length);
            let digit = |n: usize, at: u32| letters[n / base.pow(at) % base];
            numbered
                .map(|(n, length)| (0..length).map(|at| digit(n, at)).collect::<String>())
                .collect::<Vec<_>>()
        };
        for pattern in words(&['a', 'ö', '*', '?'], 5) {
            for key in words(&['a', 'ö'], 5) {
                let chars = |text: &str| text.chars().collect::<Vec<_>>();
                let expected = literally(&chars(&pattern), &chars(&key));
                assert_eq!(matches(&pattern, &key), expected, "{pattern} against {key}");
            }
        }
    }

    #[test]
    fn only_a_part_with_a_question_mark_is_looked_for_anew_at_every_place() {
        let cases = [("*", 1), ("a?c", 1), ("a?*", 1), ("*?a", 1), ("*aaa*", 1)];
        let dear = [("*a?a*", 3), ("*?*", 1), ("x*aa*?bb*y", 3)];
        for (pattern, steps) in cases.into_iter().chain(dear) {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(pattern.steps_per_byte(), steps, "{pattern}");
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
