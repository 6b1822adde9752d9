//! Cutting a state that is larger than a frame into parts that can be joined in any order.

use super::Entry;
use crate::context::Span;
use crate::id::WriteId;
use crate::write::Write;

/// About what a range of dead writes takes on the wire, in bytes.
const DEAD_SPAN_WEIGHT: usize = 16;

/// One part of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Safe to join by itself: it names its own writes, what they replaced and dead writes, never a
    /// live write that travels in another part.
    pub entry: Entry,
    /// The last id it accounts for: the next part starts after it. None for a state without any.
    pub end: Option<WriteId>,
}

/// What a part is made of, ascending by id.
enum Piece<'a> {
    Live(&'a WriteId, &'a Write),
    Dead(Span),
}

impl Piece<'_> {
    fn last(&self) -> WriteId {
        match self {
            Self::Live(id, _) => (*id).clone(),
            Self::Dead(span) => WriteId::new(span.writer.clone(), span.last),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Live(_, write) => write.weight(),
            Self::Dead(_) => DEAD_SPAN_WEIGHT,
        }
    }
}

impl Entry {
    /// Cuts the state into parts of about `budget` bytes on the wire; a single write may exceed it.
    /// `after` skips what earlier parts accounted for. At least one part. O(n).
    pub fn parts(&self, after: Option<&WriteId>, budget: usize) -> Vec<Part> {
        let mut parts = vec![Part {
            entry: Self::default(),
            end: None,
        }];
        let mut room = budget;
        for piece in self.pieces() {
            let last = piece.last();
            if after.is_some_and(|a| last <= *a) {
                continue;
            }
            if piece.weight() > room && parts.last().is_some_and(|p| p.end.is_some()) {
                parts.push(Part {
                    entry: Self::default(),
                    end: None,
                });
                room = budget;
            }
            room = room.saturating_sub(piece.weight());
            let Some(part) = parts.last_mut() else {
                continue;
            };
            match piece {
                Piece::Live(id, write) => {
                    part.entry.context.union(&write.closure(id));
                    part.entry.writes.insert(id.clone(), write.clone());
                }
                Piece::Dead(span) => {
                    part.entry.context.insert(span);
                }
            }
            part.end = Some(last);
        }
        parts
    }

    /// Live writes and the ranges of dead ones, ascending by their last id.
    fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut dead = self.context.clone();
        // With its whole span: each live write names the numbers before it itself.
        for (id, write) in self.writes.iter() {
            dead.remove(&write.span(id));
        }
        let mut dead = dead.spans().to_vec().into_iter().peekable();
        let mut live = self.writes.iter().peekable();
        std::iter::from_fn(move || {
            let dead_first = match (live.peek(), dead.peek()) {
                (Some((id, _)), Some(span)) => (&span.writer, span.last) < (&id.writer, id.seq),
                (None, _) => true,
                (Some(_), None) => false,
            };
            if dead_first {
                dead.next().map(Piece::Dead)
            } else {
                live.next().map(|(id, write)| Piece::Live(id, write))
            }
        })
    }
}
