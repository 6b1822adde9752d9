//! The live writes of an entry: one is held inline, more in a tree with an index by part.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::context::Span;
use crate::id::{WriteId, Writer};
use crate::payload::{Payload, PayloadKind};
use crate::write::Write;

/// A map from id to write, ascending. Most keys hold exactly one, which costs no tree.
#[derive(Debug, Clone, Default)]
pub(super) enum Writes {
    #[default]
    None,
    One(WriteId, Write),
    Many(Box<Many>),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Many {
    by_id: BTreeMap<WriteId, Write>,
    /// Which ids hold a part (an element of a set), so that a set of 100,000 is not searched.
    by_part: BTreeMap<Payload, SmallVec<[WriteId; 1]>>,
    /// How many there are of each kind that occurs.
    kinds: BTreeMap<PayloadKind, usize>,
}

impl Many {
    fn insert(&mut self, id: WriteId, write: Write) -> Option<Write> {
        if let Some(part) = write.payload.part() {
            self.by_part.entry(part).or_default().push(id.clone());
        }
        *self.kinds.entry(write.payload.kind()).or_default() += 1;
        let old = self.remove(&id);
        self.by_id.insert(id, write);
        old
    }

    fn remove(&mut self, id: &WriteId) -> Option<Write> {
        let write = self.by_id.remove(id)?;
        if let Some(part) = write.payload.part() {
            self.forget_part(&part, id);
        }
        self.forget_kind(write.payload.kind());
        Some(write)
    }

    fn forget_kind(&mut self, kind: PayloadKind) {
        if let Some(count) = self.kinds.get_mut(&kind) {
            *count -= 1;
            if *count == 0 {
                self.kinds.remove(&kind);
            }
        }
    }

    fn forget_part(&mut self, part: &Payload, id: &WriteId) {
        if let Some(ids) = self.by_part.get_mut(part) {
            // One of them only: a write replaced by one of the same part is listed twice.
            if let Some(at) = ids.iter().position(|held| held == id) {
                ids.remove(at);
            }
            if ids.is_empty() {
                self.by_part.remove(part);
            }
        }
    }
}

impl Writes {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(..) => 1,
            Self::Many(many) => many.by_id.len(),
        }
    }

    pub(super) fn get(&self, id: &WriteId) -> Option<&Write> {
        match self {
            Self::One(held, write) if held == id => Some(write),
            Self::None | Self::One(..) => None,
            Self::Many(many) => many.by_id.get(id),
        }
    }

    pub(super) fn contains(&self, id: &WriteId) -> bool {
        self.get(id).is_some()
    }

    pub(super) fn insert(&mut self, id: WriteId, write: Write) -> Option<Write> {
        match std::mem::take(self) {
            Self::None => {
                *self = Self::One(id, write);
                None
            }
            Self::One(held, old) if held == id => {
                *self = Self::One(id, write);
                Some(old)
            }
            Self::One(held, old) => {
                let mut many = Many::default();
                many.insert(held, old);
                many.insert(id, write);
                *self = Self::Many(Box::new(many));
                None
            }
            Self::Many(mut many) => {
                let old = many.insert(id, write);
                *self = Self::Many(many);
                old
            }
        }
    }

    pub(super) fn remove(&mut self, id: &WriteId) -> Option<Write> {
        match self {
            Self::None => None,
            Self::One(held, _) if held != id => None,
            Self::One(..) => match std::mem::take(self) {
                Self::One(_, write) => Some(write),
                Self::None | Self::Many(_) => None,
            },
            Self::Many(many) => {
                let write = many.remove(id);
                if many.by_id.len() == 1
                    && let Some((last, rest)) = many.by_id.pop_first()
                {
                    *self = Self::One(last, rest);
                }
                write
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&WriteId, &Write)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(id, write) => (Some((id, write)), None),
            Self::Many(many) => (None, Some(many.by_id.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = (WriteId, Write)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(id, write) => (Some((id, write)), None),
            Self::Many(many) => (None, Some(many.by_id.into_iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The live ids inside a range. O(log n + found).
    pub(super) fn ids_within(&self, span: &Span) -> Vec<WriteId> {
        match self {
            Self::None => Vec::new(),
            Self::One(id, _) => {
                let inside = id.writer == span.writer && (span.first..=span.last).contains(&id.seq);
                if inside { vec![id.clone()] } else { Vec::new() }
            }
            Self::Many(many) => {
                let first = WriteId::new(span.writer.clone(), span.first);
                let last = WriteId::new(span.writer.clone(), span.last);
                many.by_id
                    .range(first..=last)
                    .map(|(id, _)| id.clone())
                    .collect()
            }
        }
    }

    /// The kinds of payload that occur, ascending. O(kinds).
    pub(super) fn kinds(&self) -> impl Iterator<Item = PayloadKind> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(_, write) => (Some(write.payload.kind()), None),
            Self::Many(many) => (None, Some(many.kinds.keys().copied())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub(super) fn part_count(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_, write) => usize::from(write.payload.part().is_some()),
            Self::Many(many) => many.by_part.len(),
        }
    }

    pub(super) fn part(&self, part: &Payload) -> impl Iterator<Item = (&WriteId, &Write)> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(id, write) => (
                (write.payload.part().as_ref() == Some(part)).then_some((id, write)),
                None,
            ),
            Self::Many(many) => {
                let ids = many.by_part.get(part).into_iter().flatten();
                (
                    None,
                    Some(ids.filter_map(|id| many.by_id.get_key_value(id))),
                )
            }
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub(super) fn intern(&mut self, canonical: &mut impl FnMut(&Writer) -> Writer) {
        for (id, mut write) in std::mem::take(self).into_iter() {
            write.over.intern(canonical);
            self.insert(WriteId::new(canonical(&id.writer), id.seq), write);
        }
    }
}

/// The same writes, however they are held.
impl PartialEq for Writes {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Writes {}
