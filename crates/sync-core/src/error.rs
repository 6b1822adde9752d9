//! Errors of the data layer. Each says what is wrong and where; none of them changes any state.

mod request;
mod sentence;

use thiserror::Error;

pub use self::request::RequestError;
use crate::id::AgentId;

/// A name, key or id that is not valid. The caller's fault; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdError {
    /// Nothing between the quotes.
    #[error("the {what} is empty; give it at least one character")]
    Empty {
        /// Which kind of name.
        what: &'static str,
    },
    /// Over the limit.
    #[error("the {what} has {bytes} bytes; the limit is {limit}: choose a shorter one")]
    TooLong {
        /// Which kind of name.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// The longest allowed, in bytes.
        limit: usize,
    },
    /// A character that names may not hold.
    #[error("the {what} holds {found:?} at byte {offset}; letters, digits and . _ : - are allowed")]
    Character {
        /// Which kind of name.
        what: &'static str,
        /// The character.
        found: char,
        /// Its byte offset.
        offset: usize,
    },
    /// A name that no peer may have.
    #[error("the name {name} is the hub's own: choose another one for this agent")]
    Reserved {
        /// The name.
        name: AgentId,
    },
    /// Not a hexadecimal number of 64 bits.
    #[error("{text:?} is no {what}: expected 16 hexadecimal digits")]
    Hex {
        /// Which kind of number.
        what: &'static str,
        /// The start of the text.
        text: String,
    },
    /// Not of the form `EPOCH:REVISION`.
    #[error("{text:?} is no token: expected EPOCH:REVISION, as the claim was answered")]
    Token {
        /// The start of the text.
        text: String,
    },
    /// Not of the form `NAME/INCARNATION/SEQ`.
    #[error("{text:?} is not a write id: expected NAME/INCARNATION/SEQ")]
    WriteId {
        /// The start of the text.
        text: String,
    },
}

/// A value that the data model does not hold. The caller's fault; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// NaN has no place in an order, so two replicas could disagree about it.
    #[error("a number is not finite; NaN and infinities cannot be stored")]
    NotFinite,
    /// Lists and maps nested too deep.
    #[error(
        "the value is nested deeper than {limit} levels: flatten it, or store its parts as keys of their own"
    )]
    TooDeep {
        /// The deepest allowed.
        limit: usize,
    },
    /// No name for a field of a map.
    #[error(
        "the name of a field has {bytes} bytes; 1 to {} are allowed",
        crate::payload::FIELD_BYTES_MAX
    )]
    FieldName {
        /// Its length in bytes.
        bytes: usize,
    },
    /// An integer outside `i64`.
    #[error(
        "the number {0} does not fit 64 bits: use a smaller one, or send it as text or as a float"
    )]
    NumberRange(String),
    /// Over the size limit.
    #[error("the value takes {bytes} bytes; the limit is {limit}: split it")]
    TooLarge {
        /// Its encoded size in bytes.
        bytes: usize,
        /// The largest allowed, in bytes.
        limit: usize,
    },
}

/// Bytes that are not what they should be. The sender's fault; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Ends before it is complete.
    #[error("{what} is cut short at byte {offset}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where the bytes ended.
        offset: usize,
    },
    /// Complete, but followed by more.
    #[error("{extra} bytes follow the end of {what}")]
    Trailing {
        /// What was being read.
        what: &'static str,
        /// How many bytes are left over.
        extra: usize,
    },
    /// Written by a version of the program that this one does not know.
    #[error("{what} has format {found}, this program reads {known}; upgrade the older side")]
    Format {
        /// What was being read.
        what: &'static str,
        /// The format byte found.
        found: u8,
        /// The one this program writes.
        known: u8,
    },
    /// A tag, length or order that no encoder produces.
    #[error("{what} is malformed at byte {offset}: {reason}")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// Where.
        offset: usize,
        /// Why.
        reason: String,
    },
    /// Nested too deep.
    #[error("{what} is nested deeper than {limit} levels")]
    TooDeep {
        /// What was being read.
        what: &'static str,
        /// The deepest allowed.
        limit: usize,
    },
}
