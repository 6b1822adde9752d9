//! Which commits the journal holds. Revisions may be left out where a hub was behind a cursor, and
//! commits where it recorded nothing: so what is there is counted in ranges.

use std::collections::VecDeque;

use sync_core::Revision;

/// Rows that go with one commit, after the bound was lowered: few enough not to weigh on it.
const DROPS_PER_COMMIT: usize = 16;

/// The revisions of its rows.
#[derive(Debug, Default)]
pub(in crate::hub) struct Journal {
    /// First and last of each, ascending.
    ranges: VecDeque<(Revision, Revision)>,
    rows: u64,
    /// It holds every commit after this one.
    kept_after: Revision,
}

impl Journal {
    /// Takes a row back, in order. `follows` tells the commit that came before it: asked only where a
    /// revision is left out.
    pub(in crate::hub) fn restore<E>(
        &mut self,
        revision: Revision,
        follows: impl FnOnce() -> Result<Revision, E>,
    ) -> Result<(), E> {
        let after = match self.last() {
            Some(last) if last.next() == revision => last,
            _ => follows()?,
        };
        self.append(revision, after);
        Ok(())
    }

    /// Takes a commit and the one before it; returns those that there is no room for any more.
    pub(super) fn add(&mut self, revision: Revision, after: Revision, max: u64) -> Vec<Revision> {
        if max > 0 {
            self.append(revision, after);
        }
        let mut dropped = Vec::new();
        while self.rows > max && dropped.len() < DROPS_PER_COMMIT {
            dropped.extend(self.drop_first());
        }
        dropped
    }

    /// It holds every commit after this one; `head` is the last there is.
    pub(super) fn kept_after(&self, head: Revision) -> Revision {
        if self.last() == Some(head) {
            self.kept_after
        } else {
            head
        }
    }

    fn last(&self) -> Option<Revision> {
        self.ranges.back().map(|(_, last)| *last)
    }

    fn append(&mut self, revision: Revision, after: Revision) {
        if self.last() != Some(after) {
            // What came in between was not recorded, or nothing was before.
            self.kept_after = after;
        }
        self.rows += 1;
        match self.ranges.back_mut() {
            Some((_, last)) if last.next() == revision => *last = revision,
            _ => self.ranges.push_back((revision, revision)),
        }
    }

    fn drop_first(&mut self) -> Option<Revision> {
        let (first, last) = self.ranges.front_mut()?;
        let dropped = *first;
        if first == last {
            self.ranges.pop_front();
        } else {
            *first = first.next();
        }
        self.rows -= 1;
        self.kept_after = self.kept_after.max(dropped);
        Some(dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(number: u64) -> Revision {
        Revision::new(number)
    }

    #[test]
    fn the_oldest_goes_when_one_more_comes() {
        let mut journal = Journal::default();
        assert_eq!(journal.add(r(1), r(0), 2), []);
        assert_eq!(journal.add(r(2), r(1), 2), []);
        assert_eq!(journal.kept_after(r(2)), r(0));
        // A revision is left out: nothing was committed in between.
        assert_eq!(journal.add(r(9), r(2), 2), [r(1)]);
        assert_eq!(journal.kept_after(r(9)), r(1));
        assert_eq!(journal.add(r(10), r(9), 2), [r(2)]);
        assert_eq!(journal.add(r(11), r(10), 2), [r(9)]);
        assert_eq!(journal.kept_after(r(11)), r(9));
    }

    #[test]
    fn what_was_not_recorded_is_not_kept() {
        let mut journal = Journal::default();
        journal.add(r(1), r(0), 9);
        assert_eq!(journal.kept_after(r(4)), r(4), "nothing was recorded since");
        journal.add(r(5), r(4), 9);
        assert_eq!(journal.kept_after(r(5)), r(4));
    }

    #[test]
    fn what_is_read_back_is_what_was_there() {
        let mut journal = Journal::default();
        let never = || Err("not asked where nothing is left out");
        journal.restore(r(3), || Ok::<_, &str>(r(2))).unwrap();
        journal.restore(r(4), never).unwrap();
        journal.restore(r(8), || Ok::<_, &str>(r(4))).unwrap();
        assert_eq!(journal.kept_after(r(8)), r(2));
        journal.restore(r(12), || Ok::<_, &str>(r(10))).unwrap();
        assert_eq!(journal.kept_after(r(12)), r(10));
        assert_eq!(journal.add(r(13), r(12), 0), [r(3), r(4), r(8), r(12)]);
        assert_eq!(journal.kept_after(r(13)), r(13));
    }
}
