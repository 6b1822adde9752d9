//! How messages may be made smaller on their way, as a set that a hello and a welcome carry.

use std::fmt;

use bincode::{Decode, Encode};

/// A set of compressions: those that a peer can read in a hello, those that hold for the connection
/// in a welcome. A bit that this program does not know means nothing to it, so that a later one can
/// offer more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Compressions(u32);

impl Compressions {
    /// Messages travel as they are.
    pub const NONE: Self = Self(0);
    /// A message may travel as one zstd frame.
    pub const ZSTD: Self = Self(1);
    /// The hub may give a dictionary, and a small message may travel as a zstd frame made with it.
    pub const DICTIONARY: Self = Self(1 << 1);

    /// Those in either.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of `other` are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// For messages to people.
impl fmt::Display for Compressions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.contains(Self::ZSTD), self.contains(Self::DICTIONARY)) {
            (true, true) => f.write_str("zstd with a dictionary"),
            (true, false) => f.write_str("zstd"),
            (false, _) => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_is_what_both_can_read() {
        let both = Compressions::ZSTD.and(Compressions::DICTIONARY);
        let later = Compressions(u32::MAX);
        let cases = [
            (both, both, both),
            (both, Compressions::ZSTD, Compressions::ZSTD),
            (both, Compressions::NONE, Compressions::NONE),
            (both, later, both),
            (
                Compressions::ZSTD,
                Compressions::DICTIONARY,
                Compressions::NONE,
            ),
        ];
        for (one, other, expected) in cases {
            assert_eq!(one.common(other), expected);
            assert_eq!(other.common(one), expected);
        }
        assert!(both.contains(Compressions::ZSTD) && both.contains(Compressions::NONE));
        assert!(!Compressions::ZSTD.contains(both));
    }
}
