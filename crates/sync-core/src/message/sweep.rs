//! What a sweep is about and how far it has come: questions for what agents have written and the hub may
//! lack, which name no key.

use bincode::{Decode, Encode};

use crate::codec::List;
use crate::id::{Incarnation, Key, Seq};
use crate::policy::{Pattern, Priority};

/// Which keys a sweep is about: those that match one of the patterns and have the priority.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Scope {
    /// One of these matches.
    pub patterns: List<Pattern>,
    /// It is what policies give them.
    pub priority: Priority,
}

/// A write among those that wait at an agent, in the order in which a sweep goes through them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Spot {
    /// Its key.
    pub key: Key,
    /// The run that wrote it.
    pub incarnation: Incarnation,
    /// Its number.
    pub seq: Seq,
}
