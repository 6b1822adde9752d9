//! Own writes that the hub has not committed yet, of this and of earlier incarnations.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sync_core::message::Spot;
use sync_core::segment::encode_parts;
use sync_core::{Context, Entry, Incarnation, Key, Revision, RowOp, Seq, Version, WriteId, Writer};

use crate::rows::{self, Waiting};

/// Writes in one push: each is rows in a commit of the hub's, for which other swarms wait at its disk. Some tens
/// of milliseconds of one.
const PUSH_WRITES_MAX: usize = 512;

/// The waiting writes of each key that has any.
type ByKey = BTreeMap<Key, BTreeSet<(Incarnation, Seq)>>;

/// One write that waits.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) key: Key,
    pub(super) delta: Entry,
    pub(super) segment: Bytes,
    /// What it, and own writes it made superfluous, replaced here. Until it is admitted, that may be
    /// alive elsewhere.
    replaced: Context,
    /// The hub has refused it. It stays until its receipt is here: should that get lost with the hub's
    /// disk, the write is still somewhere.
    refused: bool,
}

impl Item {
    /// Whether the hub has refused it.
    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// What it replaced here, with own writes that it made superfluous.
    pub(super) fn replaced(&self) -> &Context {
        &self.replaced
    }

    /// What is not a fact before the hub has admitted this: the write itself and what it replaced. A
    /// removal is always admitted.
    pub(super) fn open(&self) -> Context {
        let mut open = self.replaced.clone();
        for (id, write) in self.delta.writes() {
            open.insert(write.span(id));
        }
        if self.delta.is_live() {
            open
        } else {
            Context::new()
        }
    }
}

/// A push to make.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) incarnation: Incarnation,
    pub(super) after: Seq,
    pub(super) upto: Seq,
    pub(super) seqs: Vec<Seq>,
    pub(super) segments: Vec<Bytes>,
}

/// Everything that waits, by incarnation and number.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    items: BTreeMap<(Incarnation, Seq), Item>,
    by_key: ByKey,
    /// Those of them that leave nothing live.
    removals: ByKey,
    /// Per incarnation the last number the hub is known to have.
    bases: BTreeMap<Incarnation, Seq>,
    bytes: usize,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether that write, of that run, waits.
    pub(super) fn waits(&self, run: Incarnation, seq: Seq) -> bool {
        self.items.contains_key(&(run, seq))
    }

    /// Whether one that waits has replaced this write.
    pub(super) fn replaces(&self, key: &Key, write: &WriteId) -> bool {
        self.of_key(key).any(|item| item.replaced.contains(write))
    }

    /// The keys that have any.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.by_key.keys()
    }

    /// The deltas that wait for one key, in order.
    pub(super) fn of_key(&self, key: &Key) -> impl Iterator<Item = &Item> {
        let ids = self.by_key.get(key).into_iter().flatten();
        ids.filter_map(|id| self.items.get(id))
    }

    /// What is not a fact of a key before the hub has admitted what waits for it. What a removal covers is one,
    /// an own write among it that somebody waits for: told without that, it would come too late to end it.
    pub(super) fn open_of(&self, key: &Key) -> Context {
        let mut open = Context::new();
        for item in self.of_key(key) {
            open.union(&item.open());
        }
        for id in self.removals.get(key).into_iter().flatten() {
            if let Some(removal) = self.items.get(id) {
                open.subtract(removal.delta.context());
            }
        }
        open
    }

    /// What waits after `after`, by key and within one in order.
    pub(super) fn after(&self, after: Option<&Spot>) -> impl Iterator<Item = (Spot, &Item)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};

        let first = after.map_or(Unbounded, |spot| Included(&spot.key));
        let keys = self.by_key.range::<Key, _>((first, Unbounded));
        let spots = keys.flat_map(move |(key, ids)| {
            let done = after.filter(|spot| spot.key == *key);
            let done = done.map(|spot| (spot.incarnation, spot.seq));
            ids.range((done.map_or(Unbounded, Excluded), Unbounded))
                .map(move |id| (key, id))
        });
        spots.filter_map(|(key, id)| {
            let (incarnation, seq) = *id;
            let key = key.clone();
            let spot = Spot {
                key,
                incarnation,
                seq,
            };
            Some((spot, self.items.get(id)?))
        })
    }

    /// Adds a delta and returns the ids it makes superfluous: own writes that it covers entirely.
    /// Their numbers are vouched for by the push that carries a later one. A removal stays: should the
    /// write on top of it be refused, it still has to take place. So does a write that died here
    /// otherwise than by this delta: its fate is still to be told.
    ///
    /// Those that a flush waits for, `awaited` being the last of them, stay all the same: the hub
    /// would be waited for no longer although it has neither them nor what covers them.
    pub(super) fn push(
        &mut self,
        id: (Incarnation, Seq),
        key: &Key,
        delta: Entry,
        mut replaced: Context,
        awaited: Option<Seq>,
    ) -> (RowOp, Vec<(Incarnation, Seq)>) {
        let is_awaited = |held: &(Incarnation, Seq)| {
            awaited.is_some_and(|upto| held.0 != id.0 || held.1 <= upto)
        };
        let may_go = |held: &(Incarnation, Seq), item: &Item| {
            let removal = delta.is_live() && !item.delta.is_live();
            !removal && !is_awaited(held)
        };
        let covered = self.covered_by(key, &delta, &replaced, may_go);
        for old in &covered {
            if let Some(item) = self.remove(*old) {
                replaced.union(&item.replaced);
            }
        }
        let segment = encode_parts(key, Version::default(), Revision::default(), &delta);
        let row = rows::put_outbox(id.0, id.1, key, &segment, &replaced);
        let waiting = Waiting {
            key: key.clone(),
            delta,
            segment,
            replaced,
        };
        self.restore(id, waiting);
        (row, covered.into_iter().collect())
    }

    /// What waits for a key and is included in `delta`, which has replaced the writes `replaced` here: of the
    /// live ones only what it ended itself.
    fn covered_by(
        &self,
        key: &Key,
        delta: &Entry,
        replaced: &Context,
        may_go: impl Fn(&(Incarnation, Seq), &Item) -> bool,
    ) -> BTreeSet<(Incarnation, Seq)> {
        let is_covered = |item: &Item| {
            let chosen = item.delta.writes().all(|(id, _)| replaced.contains(id));
            chosen && delta.includes(&item.delta)
        };
        // Only these can be: with its number, a removal is in the context of whatever includes it.
        let live = within(self.by_key.get(key), replaced);
        let removals = within(self.removals.get(key), delta.context());
        let covered = live.chain(removals);
        let covered = covered.filter(|held| {
            let item = self.items.get(held);
            item.is_some_and(|item| may_go(held, item) && is_covered(item))
        });
        covered.copied().collect()
    }

    /// Takes out what is superfluous now that the hub has `admitted`, which includes it: runs are pushed in
    /// the order of their numbers and not of their time, and a refused write waits for its receipt below what
    /// was put on top of it. As long as it waited it would count as open what is a fact at the hub.
    pub(super) fn remove_covered(&mut self, admitted: &Item) -> Vec<(Incarnation, Seq)> {
        let Item {
            key,
            delta,
            replaced,
            ..
        } = admitted;
        let covered = self.covered_by(key, delta, replaced, |_, _| true);
        for held in &covered {
            self.remove(*held);
        }
        covered.into_iter().collect()
    }

    /// These ends are facts at the hub, whatever becomes of what waits for the key; the rows that change.
    pub(super) fn settle(&mut self, key: &Key, facts: &Context) -> Vec<RowOp> {
        let mut ops = Vec::new();
        for id in self.by_key.get(key).into_iter().flatten() {
            let Some(item) = self.items.get_mut(id) else {
                continue;
            };
            let before = item.replaced.clone();
            item.replaced.subtract(facts);
            if item.replaced != before {
                ops.push(rows::put_outbox(
                    id.0,
                    id.1,
                    key,
                    &item.segment,
                    &item.replaced,
                ));
            }
        }
        ops
    }

    /// Takes a stored item back.
    pub(super) fn restore(&mut self, id: (Incarnation, Seq), waiting: Waiting) {
        let Waiting {
            key,
            delta,
            segment,
            replaced,
        } = waiting;
        self.bytes += segment.len();
        self.by_key.entry(key.clone()).or_default().insert(id);
        if !delta.is_live() {
            self.removals.entry(key.clone()).or_default().insert(id);
        }
        let item = Item {
            key,
            delta,
            segment,
            replaced,
            refused: false,
        };
        self.items.insert(id, item);
    }

    /// Takes one write out.
    pub(super) fn remove(&mut self, id: (Incarnation, Seq)) -> Option<Item> {
        let item = self.items.remove(&id)?;
        self.bytes -= item.segment.len();
        take_out(&mut self.by_key, &item.key, id);
        take_out(&mut self.removals, &item.key, id);
        Some(item)
    }

    /// The hub has everything of that run up to `upto`, but for what it refused; returns what no
    /// longer waits.
    pub(super) fn committed(
        &mut self,
        run: Incarnation,
        upto: Seq,
        refused: &[Seq],
    ) -> Vec<((Incarnation, Seq), Item)> {
        let base = self.bases.entry(run).or_default();
        *base = upto.max(*base);
        for seq in refused {
            if let Some(item) = self.items.get_mut(&(run, *seq)) {
                item.refused = true;
            }
        }
        let done = self.items.range((run, Seq::new(0))..=(run, upto));
        let done = done.filter(|(_, item)| !item.refused);
        let done: Vec<_> = done.map(|(id, _)| *id).collect();
        let taken = done.into_iter();
        taken
            .filter_map(|id| Some((id, self.remove(id)?)))
            .collect()
    }

    /// Everything that waits.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// The hub has that run's writes only up to `known`.
    pub(super) fn rewind(&mut self, run: Incarnation, known: Seq) {
        self.bases.insert(run, known);
    }

    /// Another hub may answer from here on: what one refused has to be asked for again.
    pub(super) fn forget_refusals(&mut self) {
        for item in self.items.values_mut() {
            item.refused = false;
        }
    }

    /// Whether anything of `run` up to `upto` waits.
    pub(super) fn waits_upto(&self, run: Incarnation, upto: Seq) -> bool {
        self.items
            .range((run, Seq::new(0))..=(run, upto))
            .next()
            .is_some()
    }

    /// Whether anything of another run waits.
    pub(super) fn waits_elsewhere(&self, run: Incarnation) -> bool {
        // They are ascending by run.
        let ends = [self.items.first_key_value(), self.items.last_key_value()];
        ends.iter().flatten().any(|((other, _), _)| *other != run)
    }

    /// The next push: writes of one run, about a page of them.
    pub(super) fn load(&self, page: usize) -> Option<Load> {
        let mut open = self.items.iter().filter(|(_, item)| !item.refused);
        let &(incarnation, first) = open.clone().next()?.0;
        let before = Seq::new(first.get() - 1);
        // Not above what is pushed again because its refusal is to be confirmed.
        let base = self.bases.get(&incarnation).copied().unwrap_or(before);
        let after = base.min(before);
        let (mut seqs, mut segments, mut used) = (Vec::new(), Vec::new(), 0);
        for (&(run, seq), item) in &mut open {
            let full = !segments.is_empty() && used + item.segment.len() > page
                || segments.len() >= PUSH_WRITES_MAX;
            if run != incarnation || full {
                break;
            }
            used += item.segment.len();
            seqs.push(seq);
            segments.push(item.segment.clone());
        }
        let upto = *seqs.last()?;
        Some(Load {
            incarnation,
            after,
            upto,
            seqs,
            segments,
        })
    }

    /// The id of an own write, if `writer` is one of this agent's runs.
    pub(super) fn key_of(writer: &Writer, id: &WriteId) -> Option<(Incarnation, Seq)> {
        let own = id.writer.agent() == writer.agent();
        own.then(|| (id.writer.incarnation(), id.seq))
    }
}

fn take_out(from: &mut ByKey, key: &Key, id: (Incarnation, Seq)) {
    if let Some(ids) = from.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            from.remove(key);
        }
    }
}

/// The waiting writes whose numbers are in `context`. O(ranges · log n + found), not O(n).
fn within<'a>(
    waiting: Option<&'a BTreeSet<(Incarnation, Seq)>>,
    context: &'a Context,
) -> impl Iterator<Item = &'a (Incarnation, Seq)> {
    waiting.into_iter().flat_map(|ids| {
        context.spans().iter().flat_map(|span| {
            let run = span.writer.incarnation();
            ids.range((run, span.first)..=(run, span.last))
        })
    })
}
