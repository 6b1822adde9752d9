//! What a transport carries.

use bytes::Bytes;

use crate::policy::Priority;

/// One encoded message in pieces that share their bytes with other frames: a small header, then
/// segments that were encoded once for all receivers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// The pieces, in order. The receiver sees their concatenation.
    pub pieces: Vec<Bytes>,
    /// When it goes.
    pub turn: Turn,
}

/// When a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a transport must know them all")]
pub enum Turn {
    /// After those before it.
    #[default]
    InLine,
    /// Before those that wait in line, and those ahead of it that are less urgent. It may be dropped
    /// instead: what it says is said again in line.
    Ahead(Priority),
    /// As [`Turn::Ahead`], and the frame in line follows at once: it is worth sending only if others
    /// wait.
    AheadOfCopy(Priority),
}

impl Frame {
    /// A frame of these pieces, in line.
    pub fn of(pieces: Vec<Bytes>) -> Self {
        Self {
            pieces,
            turn: Turn::InLine,
        }
    }

    /// A frame of one piece, in line.
    pub fn single(bytes: Bytes) -> Self {
        Self::of(vec![bytes])
    }

    /// The same at another turn.
    #[must_use]
    pub fn at(self, turn: Turn) -> Self {
        Self { turn, ..self }
    }

    /// Total length in bytes.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The concatenation, copied only if there is more than one piece.
    pub fn to_bytes(&self) -> Bytes {
        match self.pieces.as_slice() {
            [] => Bytes::new(),
            [one] => one.clone(),
            many => many.concat().into(),
        }
    }
}
