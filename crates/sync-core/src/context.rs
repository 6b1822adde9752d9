//! Which writes a state has ever absorbed: per writer, ranges of sequence numbers.

use std::cmp::Ordering;
use std::fmt;

use smallvec::SmallVec;

use crate::id::{Seq, WriteId, Writer};

/// The writes `first..=last` of one writer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Whose writes.
    pub writer: Writer,
    /// The first.
    pub first: Seq,
    /// The last, not before `first`.
    pub last: Seq,
}

impl Span {
    /// The writes `first..=last` of `writer`.
    pub fn new(writer: Writer, first: Seq, last: Seq) -> Self {
        debug_assert!(first <= last);
        Self {
            writer,
            first,
            last,
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}..={}", self.writer, self.first, self.last)
    }
}

/// New ranges that a union inserts one by one; with more it walks both sets.
const INSERTED_ONE_BY_ONE_MAX: usize = 8;

/// A set of write ids as ranges, ascending, disjoint and never adjacent: one set has one form.
///
/// Contexts are small (one span per writer that ever touched the key, because a write's own span
/// reaches back to its predecessor), so a sorted vector beats a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Context {
    spans: SmallVec<[Span; 1]>,
}

impl Context {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The empty set, with room for so many ranges.
    pub(crate) fn with_capacity(ranges: usize) -> Self {
        Self {
            spans: SmallVec::with_capacity(ranges),
        }
    }

    /// The ranges, ascending.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Whether no write is in it.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether `id` is in it. O(log spans).
    pub fn contains(&self, id: &WriteId) -> bool {
        let at = self.first_reaching(&id.writer, id.seq);
        self.spans
            .get(at)
            .is_some_and(|s| s.writer == id.writer && s.first <= id.seq)
    }

    /// The greatest sequence number of `writer` in it.
    pub fn last_of(&self, writer: &Writer) -> Option<Seq> {
        let end = self.spans.partition_point(|s| s.writer <= *writer);
        let span = self.spans[..end].last()?;
        (span.writer == *writer).then_some(span.last)
    }

    /// Adds a range; true if any of it is new. O(log spans), plus moving what follows.
    pub fn insert(&mut self, span: Span) -> bool {
        // The run of spans that overlap or touch the new one melts into it.
        let start = self.first_reaching(&span.writer, Seq::new(span.first.get().saturating_sub(1)));
        let melts = |s: &Span| s.writer == span.writer && s.first <= span.last.next();
        let count = self.spans[start..].iter().take_while(|s| melts(s)).count();
        if count == 0 {
            self.spans.insert(start, span);
            return true;
        }
        let first = span.first.min(self.spans[start].first);
        let last = span.last.max(self.spans[start + count - 1].last);
        let kept = &mut self.spans[start];
        let grew = count > 1 || first < kept.first || last > kept.last;
        (kept.first, kept.last) = (first, last);
        self.spans.drain(start + 1..start + count);
        grew
    }

    /// Adds a range that follows on what is there; false, and nothing changes, if it does not. O(1).
    pub(crate) fn push(&mut self, span: Span) -> bool {
        let Some(last) = self.spans.last_mut() else {
            self.spans.push(span);
            return true;
        };
        match last.writer.cmp(&span.writer) {
            Ordering::Less => self.spans.push(span),
            Ordering::Equal if (last.first, last.last) < (span.first, span.last) => {
                if span.first > last.last.next() {
                    self.spans.push(span);
                } else {
                    last.last = span.last.max(last.last);
                }
            }
            Ordering::Equal | Ordering::Greater => return false,
        }
        true
    }

    /// Adds one id; true if it is new.
    pub fn insert_id(&mut self, id: &WriteId) -> bool {
        self.insert(Span::new(id.writer.clone(), id.seq, id.seq))
    }

    /// Adds all of `other`; true if any of it is new.
    pub fn union(&mut self, other: &Self) -> bool {
        let news = self.news(other).take(INSERTED_ONE_BY_ONE_MAX + 1).cloned();
        let news: SmallVec<[Span; INSERTED_ONE_BY_ONE_MAX + 1]> = news.collect();
        if news.len() > INSERTED_ONE_BY_ONE_MAX {
            self.merge(other);
            return true;
        }
        let grows = !news.is_empty();
        for span in news {
            self.insert(span);
        }
        grows
    }

    /// The union in one walk over both: inserting n ranges among n others would move n² of them.
    fn merge(&mut self, other: &Self) {
        let mut theirs = other.spans.iter().cloned().peekable();
        let room = SmallVec::with_capacity(self.spans.len().max(other.spans.len()));
        let mut ours = std::mem::replace(&mut self.spans, room)
            .into_iter()
            .peekable();
        loop {
            let next = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) if b < a => theirs.next(),
                (Some(_), _) => ours.next(),
                (None, _) => theirs.next(),
            };
            let Some(span) = next else { return };
            match self.spans.last_mut() {
                Some(last) if last.writer == span.writer && span.first <= last.last.next() => {
                    last.last = last.last.max(span.last);
                }
                _ => self.spans.push(span),
            }
        }
    }

    /// Whether every id of `other` is in it.
    pub fn includes(&self, other: &Self) -> bool {
        self.news(other).next().is_none()
    }

    /// The ranges of `other` that are not in it entirely. O(ranges of `other`) if they are of the same
    /// writers, else times log n.
    fn news<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Span> {
        let mut from = 0;
        other.spans.iter().filter(move |span| {
            from = self.first_reaching_from(from, &span.writer, span.first);
            !self.spans.get(from).is_some_and(|s| {
                s.writer == span.writer && s.first <= span.first && s.last >= span.last
            })
        })
    }

    /// Takes one id out.
    pub fn remove_id(&mut self, id: &WriteId) {
        self.remove(&Span::new(id.writer.clone(), id.seq, id.seq));
    }

    /// Takes a range out.
    pub fn remove(&mut self, gone: &Span) {
        let start = self.first_reaching(&gone.writer, gone.first);
        let touched = self.spans[start..]
            .iter()
            .take_while(|s| s.writer == gone.writer && s.first <= gone.last)
            .count();
        let Some(end) = touched.checked_sub(1).map(|more| start + more) else {
            return;
        };
        let (first, last) = (self.spans[start].first, self.spans[end].last);
        self.spans.drain(start..=end);
        if last > gone.last {
            let after = Span::new(gone.writer.clone(), gone.last.next(), last);
            self.spans.insert(start, after);
        }
        if first < gone.first {
            let before = Seq::new(gone.first.get() - 1);
            self.spans
                .insert(start, Span::new(gone.writer.clone(), first, before));
        }
    }

    /// Takes every id of `other` out.
    pub fn subtract(&mut self, other: &Self) {
        for span in &other.spans {
            self.remove(span);
        }
    }

    /// The same set with every writer exchanged for `canonical`'s equal one, so that equal writers
    /// share one allocation.
    pub fn intern(&mut self, canonical: &mut impl FnMut(&Writer) -> Writer) {
        for span in &mut self.spans {
            span.writer = canonical(&span.writer);
        }
    }

    /// The index of the first span of `writer` that ends at or after `seq`, or where it would be.
    fn first_reaching(&self, writer: &Writer, seq: Seq) -> usize {
        self.spans.partition_point(|s| is_before(s, writer, seq))
    }

    /// The same of one that is not before `from`. Whoever asks for one after the other mostly has the
    /// same writers, so that it is there or next to it.
    fn first_reaching_from(&self, from: usize, writer: &Writer, seq: Seq) -> usize {
        let rest = &self.spans[from..];
        let mut near = rest.iter().take(2);
        let near = near.position(|s| !is_before(s, writer, seq));
        from + near.unwrap_or_else(|| rest.partition_point(|s| is_before(s, writer, seq)))
    }
}

/// Whether a span lies before `seq` of `writer`.
fn is_before(span: &Span, writer: &Writer, seq: Seq) -> bool {
    match span.writer.cmp(writer) {
        Ordering::Equal => span.last < seq,
        order => order.is_lt(),
    }
}

impl FromIterator<Span> for Context {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        let mut context = Self::new();
        for span in spans {
            context.insert(span);
        }
        context
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::id::{AgentId, Incarnation};

    fn writer(name: u8) -> Writer {
        Writer::new(
            AgentId::new(format!("w{name}")).unwrap(),
            Incarnation::from_random(0),
        )
    }

    fn span((name, first, length): (u8, u64, u64)) -> Span {
        Span::new(writer(name), Seq::new(first), Seq::new(first + length))
    }

    fn ids(spans: &[Span]) -> BTreeSet<WriteId> {
        spans
            .iter()
            .flat_map(|s| {
                (s.first.get()..=s.last.get()).map(|n| WriteId::new(s.writer.clone(), Seq::new(n)))
            })
            .collect()
    }

    fn is_canonical(context: &Context) -> bool {
        context.spans.windows(2).all(|pair| {
            pair[0].writer < pair[1].writer
                || (pair[0].writer == pair[1].writer && pair[0].last.next() < pair[1].first)
        })
    }

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        prop::collection::vec((0_u8..3, 1_u64..20, 0_u64..5).prop_map(span), 0..12)
    }

    proptest! {
        #[test]
        fn a_context_is_the_set_of_its_ids(a in spans(), b in spans()) {
            let (left, right): (Context, Context) =
                (a.iter().cloned().collect(), b.iter().cloned().collect());
            let (left_ids, right_ids) = (ids(&a), ids(&b));
            prop_assert!(is_canonical(&left));
            prop_assert_eq!(ids(left.spans()), left_ids.clone());
            prop_assert_eq!(left.includes(&right), left_ids.is_superset(&right_ids));
            let mut both = left.clone();
            prop_assert_eq!(both.union(&right), !left_ids.is_superset(&right_ids));
            prop_assert!(is_canonical(&both));
            let mut rest = left.clone();
            rest.subtract(&right);
            prop_assert!(is_canonical(&rest));
            prop_assert_eq!(ids(rest.spans()), &left_ids - &right_ids);
            let mut all = left_ids;
            all.extend(right_ids);
            prop_assert_eq!(ids(both.spans()), all.clone());
            for id in all.clone() {
                prop_assert!(both.contains(&id));
                let mut less = both.clone();
                less.remove_id(&id);
                prop_assert!(is_canonical(&less));
                let mut expected = all.clone();
                expected.remove(&id);
                prop_assert_eq!(ids(less.spans()), expected);
            }
        }
    }

    proptest! {
        #[test]
        fn what_follows_on_is_added_at_the_end(given in spans(), next in (0_u8..3, 1_u64..20, 0_u64..5)) {
            let mut pushed: Context = given.into_iter().collect();
            let mut inserted = pushed.clone();
            let follows = pushed.spans.last().is_none_or(|last| *last < span(next));
            prop_assert_eq!(pushed.push(span(next)), follows);
            if follows {
                inserted.insert(span(next));
            }
            prop_assert_eq!(pushed, inserted);
        }
    }

    #[test]
    fn the_last_of_a_writer() {
        let context: Context = [(1, 1, 0), (1, 5, 2), (3, 1, 0)]
            .map(span)
            .into_iter()
            .collect();
        assert_eq!(context.last_of(&writer(1)), Some(Seq::new(7)));
        assert_eq!(context.last_of(&writer(2)), None);
    }
}
