//! A pattern of keys: which keys it matches, how specific it is, whether it meets another.

use std::collections::VecDeque;
use std::fmt;
use std::str::Chars;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError as BincodeDecodeError;
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Serialize, Serializer};

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

    /// A shortest key that both patterns match, if there is one. O(product of their lengths).
    pub fn common_key(&self, other: &Self) -> Option<String> {
        let (a, b): (Vec<char>, Vec<char>) = (self.0.chars().collect(), other.0.chars().collect());
        // Breadth first over how far each pattern is used up; a step takes one character or none.
        let width = b.len() + 1;
        let mut reached: Vec<Option<(usize, Option<char>)>> = vec![None; (a.len() + 1) * width];
        let mut queue = VecDeque::from([(0, 0)]);
        reached[0] = Some((0, None));
        while let Some((i, j)) = queue.pop_front() {
            if (i, j) == (a.len(), b.len()) {
                return Some(spell(&reached, i * width + j));
            }
            for (to, character) in steps(&a, &b, (i, j)) {
                let at = to.0 * width + to.1;
                if reached[at].is_none() {
                    reached[at] = Some((i * width + j, character));
                    // A step that takes no character comes first.
                    match character {
                        None => queue.push_front(to),
                        Some(_) => queue.push_back(to),
                    }
                }
            }
        }
        None
    }
}

type Place = (usize, usize);

/// Where two patterns can go from a place, and the character that this takes.
fn steps(a: &[char], b: &[char], (i, j): Place) -> Vec<(Place, Option<char>)> {
    let (left, right) = (a.get(i).copied(), b.get(j).copied());
    let mut steps = Vec::new();
    if left == Some('*') {
        steps.push(((i + 1, j), None));
    }
    if right == Some('*') {
        steps.push(((i, j + 1), None));
    }
    if let (Some(left), Some(right)) = (left, right) {
        let free = |c: char| c == '*' || c == '?';
        let taken = match (free(left), free(right)) {
            (true, true) => Some('x'),
            (true, false) => Some(right),
            (false, true) => Some(left),
            (false, false) => (left == right).then_some(left),
        };
        // A star stays where it is: leaving it is a step of its own.
        let next = |at: usize, c: char| if c == '*' { at } else { at + 1 };
        if let Some(character) = taken {
            steps.push(((next(i, left), next(j, right)), Some(character)));
        }
    }
    steps
}

/// The characters on the way to a place.
fn spell(reached: &[Option<(usize, Option<char>)>], mut at: usize) -> String {
    let mut characters = Vec::new();
    while at != 0 {
        let Some((from, character)) = reached[at] else {
            break;
        };
        characters.extend(character);
        at = from;
    }
    characters.iter().rev().collect()
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
