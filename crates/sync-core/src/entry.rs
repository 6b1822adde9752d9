//! The replicated state of one key and the one join.

mod parts;
mod writes;

use smallvec::SmallVec;

use crate::context::{Context, Span};
use crate::id::{WriteId, Writer};
use crate::payload::{Payload, PayloadKind};
use crate::planted::{self, Planted};
use crate::write::Write;

pub use self::parts::Part;
use self::writes::Writes;

/// Live writes plus the context of every write ever absorbed. A delta is an entry too: join takes
/// whole states and parts of them alike, in any order and any number of times.
///
/// Almeida, Shoker, Baquero, "Delta State Replicated Data Types" (2018): a dot store with its causal
/// context, here one context per key so that an entry can be exchanged by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    writes: Writes,
    context: Context,
}

/// What a join changed.
#[derive(Debug, Default)]
pub struct Joined {
    /// Writes that are live now and were not.
    pub added: SmallVec<[WriteId; 1]>,
    /// Writes that were live and are not.
    pub removed: Vec<(WriteId, Write)>,
    /// Writes whose id named two different writes, with the one given up: an alarm, because ids are
    /// never reused.
    pub replaced: Vec<(WriteId, Write)>,
    /// The same alarm from the other side: what arrived was given up, what was held stays. Nothing
    /// has changed.
    pub outranked: Vec<(WriteId, Write)>,
    /// Whether the context grew.
    pub context_grew: bool,
}

impl Joined {
    /// Whether the state changed at all. A join that changed nothing bumps nothing, persists nothing
    /// and is forwarded to nobody.
    pub fn inflated(&self) -> bool {
        self.context_grew
            || !self.added.is_empty()
            || !self.removed.is_empty()
            || !self.replaced.is_empty()
            || planted::is(Planted::NoopJoinCounts)
    }
}

impl Entry {
    /// The state nobody has written to.
    pub fn new() -> Self {
        Self::default()
    }

    /// A delta that covers `context` and leaves nothing live.
    pub fn covering(context: Context) -> Self {
        Self {
            writes: Writes::default(),
            context,
        }
    }

    /// The delta of one write: exactly itself and what it replaces. Direct covers alone would not do
    /// (they are not transitive), the sender's whole context would delete what the receiver lacks.
    pub fn of_write(id: WriteId, write: Write) -> Self {
        let context = write.closure(&id);
        let mut writes = Writes::default();
        writes.insert(id, write.normal());
        Self { writes, context }
    }

    /// Puts a state together from its parts. Every live write must be in the context, else `None`.
    pub fn from_parts(
        writes: impl IntoIterator<Item = (WriteId, Write)>,
        context: Context,
    ) -> Option<Self> {
        let mut entry = Self {
            writes: Writes::default(),
            context,
        };
        for (id, write) in writes {
            if !entry.context.contains(&id) {
                return None;
            }
            entry.writes.insert(id, write.normal());
        }
        Some(entry)
    }

    /// Puts a live write back that a store had kept apart. False, and nothing changed, if its id is
    /// not in the context.
    pub fn restore(&mut self, id: WriteId, write: Write) -> bool {
        let known = self.context.contains(&id);
        if known {
            self.writes.insert(id, write.normal());
        }
        known
    }

    /// Live writes, ascending by id.
    pub fn writes(&self) -> impl Iterator<Item = (&WriteId, &Write)> {
        self.writes.iter()
    }

    /// The live writes of one part: for a set the ids that hold an element. O(log n).
    pub fn part(&self, part: &Payload) -> impl Iterator<Item = (&WriteId, &Write)> {
        self.writes.part(part)
    }

    /// How many parts have live writes. O(1).
    pub fn part_count(&self) -> usize {
        self.writes.part_count()
    }

    /// The kinds of payload among the live writes, each once. O(kinds), however many writes there are.
    pub fn kinds(&self) -> impl Iterator<Item = PayloadKind> {
        self.writes.kinds()
    }

    /// The live write with that id.
    pub fn write(&self, id: &WriteId) -> Option<&Write> {
        self.writes.get(id)
    }

    /// How many writes are live.
    pub fn live_count(&self) -> usize {
        self.writes.len()
    }

    /// About how many bytes its live writes take on the wire. O(writes).
    pub fn weight(&self) -> usize {
        self.writes().map(|(_, write)| write.weight()).sum()
    }

    /// Whether any write is live.
    pub fn is_live(&self) -> bool {
        self.live_count() > 0
    }

    /// Every write ever absorbed.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The join: commutative, associative, idempotent, inflationary.
    ///
    /// ```text
    /// writes  = (a.writes ∩ b.writes) ∪ (a.writes − b.context) ∪ (b.writes − a.context)
    /// context = a.context ∪ b.context
    /// ```
    ///
    /// O(changes · log n), not O(n): only live writes inside `other`'s ranges are looked at.
    pub fn join(&mut self, other: Self) -> Joined {
        let mut joined = Joined::default();
        for span in other.context.spans() {
            for id in self.writes.ids_within(span) {
                if !other.writes.contains(&id)
                    && let Some(write) = self.writes.remove(&id)
                {
                    joined.removed.push((id, write));
                }
            }
        }
        for (id, write) in other.writes.into_iter() {
            match self.writes.get(&id) {
                Some(held) if *held == write => {}
                Some(held) => {
                    if write.outranks(held) {
                        let given_up = self.writes.insert(id.clone(), write);
                        joined.replaced.extend(given_up.map(|old| (id, old)));
                    } else {
                        joined.outranked.push((id, write));
                    }
                }
                None if self.context.contains(&id) && !planted::is(Planted::JoinRevives) => {}
                None if planted::is(Planted::TieKeepsMine) && self.ties(&write) => {}
                None => {
                    joined.added.push(id.clone());
                    self.writes.insert(id, write);
                }
            }
        }
        joined.context_grew = self.context.union(&other.context);
        joined
    }

    /// Whether joining `other` would change nothing. O(size of `other` · log n).
    pub fn includes(&self, other: &Self) -> bool {
        let no_news = other
            .writes
            .iter()
            .all(|(id, write)| match self.writes.get(id) {
                Some(held) => held == write || held.outranks(write),
                None => self.context.contains(id),
            });
        no_news
            && self.context.includes(&other.context)
            && other.context.spans().iter().all(|span| {
                self.writes
                    .ids_within(span)
                    .iter()
                    .all(|id| other.writes.contains(id))
            })
    }

    /// Exchanges every writer for `canonical`'s equal one, so that equal writers share one
    /// allocation. O(size).
    pub fn intern(&mut self, canonical: &mut impl FnMut(&Writer) -> Writer) {
        self.context.intern(canonical);
        self.writes.intern(canonical);
    }

    /// The live writes and the context, apart.
    pub fn into_parts(self) -> (impl Iterator<Item = (WriteId, Write)>, Context) {
        (self.writes.into_iter(), self.context)
    }

    /// Whether a live write has the same stamp.
    fn ties(&self, write: &Write) -> bool {
        self.writes().any(|(_, held)| held.stamp == write.stamp)
    }

    /// Takes one write out of a delta that is not admitted, keeping its id covered.
    pub fn withhold(&mut self, id: &WriteId) -> Option<Write> {
        self.writes.remove(id)
    }

    /// The range of ids that `span` and the live writes share.
    pub fn live_within(&self, span: &Span) -> Vec<WriteId> {
        self.writes.ids_within(span)
    }
}
