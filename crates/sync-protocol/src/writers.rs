//! The writers that a node knows of, each held once.

use std::collections::BTreeSet;
use std::collections::btree_set::Range;

use sync_core::{Entry, Writer};

/// One allocation for each.
#[derive(Debug, Default)]
pub(crate) struct Writers(BTreeSet<Writer>);

impl Writers {
    /// The one that stands for `writer` here, if it is known.
    pub(crate) fn get(&self, writer: &Writer) -> Option<&Writer> {
        self.0.get(writer)
    }

    /// The one that stands for `writer` here; from now on itself, if it was not known.
    pub(crate) fn intern(&mut self, writer: &Writer) -> Writer {
        if let Some(held) = self.0.get(writer) {
            return held.clone();
        }
        self.0.insert(writer.clone());
        writer.clone()
    }

    /// Lets the writers of a decoded entry, of which equal ones share an allocation already, share it
    /// with the rest.
    pub(crate) fn intern_entry(&mut self, entry: &mut Entry) {
        let mut walk = Walk {
            writers: &self.0,
            rest: self.0.range::<Writer, _>(..),
        };
        let mut strangers = Vec::new();
        entry.intern(&mut |writer| {
            walk.find(writer).cloned().unwrap_or_else(|| {
                strangers.push(writer.clone());
                writer.clone()
            })
        });
        self.0.extend(strangers);
    }
}

/// Contexts ascend, as this does, and a key that many write to has most of them: so each is looked for
/// next to the one before it, and only then among all.
struct Walk<'a> {
    writers: &'a BTreeSet<Writer>,
    rest: Range<'a, Writer>,
}

impl<'a> Walk<'a> {
    fn find(&mut self, writer: &Writer) -> Option<&'a Writer> {
        let next = self.rest.next().filter(|next| *next == writer);
        next.or_else(|| {
            self.rest = self.writers.range(writer..);
            self.rest.next().filter(|first| *first == writer)
        })
    }
}

#[cfg(test)]
mod tests {
    use sync_core::{AgentId, Context, Incarnation, Seq, Span};

    use super::*;

    fn writer(name: u8) -> Writer {
        let agent = AgentId::new(format!("w{name}")).unwrap();
        Writer::new(agent, Incarnation::from_random(0))
    }

    fn entry(names: &[u8]) -> Entry {
        let span = |name: &u8| Span::new(writer(*name), Seq::new(1), Seq::new(1));
        Entry::covering(names.iter().map(span).collect::<Context>())
    }

    #[test]
    fn known_writers_are_found_and_others_known_from_then_on() {
        let mut writers = Writers::default();
        for names in [&[3, 5, 7][..], &[1, 3, 4, 5, 9], &[9], &[1, 3, 4, 5, 7, 9]] {
            let mut interned = entry(names);
            writers.intern_entry(&mut interned);
            assert_eq!(interned, entry(names), "nothing but where they are held");
            let mut again = entry(names);
            writers.intern_entry(&mut again);
            let spans = interned.context().spans().iter();
            for (first, second) in spans.zip(again.context().spans()) {
                assert!(first.writer.is_same(&second.writer), "{}", first.writer);
            }
        }
        assert_eq!(writers.0.len(), 6);
    }
}
