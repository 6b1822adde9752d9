//! Of which commits the log names every key that they changed: the last ones, as many as the bound says.
//! Revisions may be left out where a hub was behind a cursor: so what is there is counted in runs.

use std::collections::VecDeque;

use sync_core::Revision;
use sync_core::codec::List;

use crate::rows::JournalRow;

/// Runs of revisions. A run ends where a hub's disk was rolled back; who makes one believe that again and
/// again shortens what it tells of, and fills no memory.
const RUNS_MAX: usize = 64;

/// The commits that it is told of.
#[derive(Debug, Default)]
pub(in crate::hub) struct Journal {
    /// First and last of each, ascending.
    runs: VecDeque<(Revision, Revision)>,
    /// It holds every commit after this one.
    kept_after: Revision,
    /// Whether the store says that there is any.
    is_stored: bool,
}

impl Journal {
    /// Takes its row back.
    pub(in crate::hub) fn restore(&mut self, row: JournalRow) {
        self.runs = row.runs.0.into();
        self.kept_after = row.kept_after;
        self.is_stored = true;
    }

    /// All rows were taken back: the last run goes on to the last commit, and of all there are no more
    /// than `max`.
    pub(in crate::hub) fn open(&mut self, head: Revision, max: u64) {
        if let Some((_, last)) = self.runs.back_mut() {
            *last = head;
        }
        self.trim(max);
    }

    /// Takes a commit and the one before it. Whether its row is another one now.
    pub(super) fn add(&mut self, revision: Revision, after: Revision, max: u64) -> bool {
        let was_stored = self.is_stored;
        if max == 0 {
            *self = Self::default();
            return was_stored;
        }
        if self.last() != Some(after) {
            // What came in between was not recorded, or nothing was before.
            self.runs.clear();
            self.kept_after = after;
        }
        let begins = match self.runs.back_mut() {
            Some((_, last)) if last.next() == revision => {
                *last = revision;
                false
            }
            _ => {
                self.runs.push_back((revision, revision));
                true
            }
        };
        self.is_stored = true;
        self.trim(max);
        begins
    }

    /// What the store has to know of it.
    pub(super) fn row(&self) -> JournalRow {
        JournalRow {
            kept_after: self.kept_after,
            runs: List(self.runs.iter().copied().collect()),
        }
    }

    /// It holds every commit after this one; `head` is the last there is.
    pub(super) fn kept_after(&self, head: Revision) -> Revision {
        if self.last() == Some(head) {
            self.kept_after
        } else {
            head
        }
    }

    /// The next commits after one, up to another and so many at most, as the first and the last of them.
    pub(super) fn next(
        &self,
        after: Revision,
        to: Revision,
        most: u64,
    ) -> Option<(Revision, Revision)> {
        let (first, last) = *self.runs.iter().find(|(_, last)| *last > after)?;
        let first = first.max(after.next());
        let end = Revision::new(first.get().saturating_add(most.saturating_sub(1)));
        (first <= to).then(|| (first, end.min(last).min(to)))
    }

    fn last(&self) -> Option<Revision> {
        self.runs.back().map(|(_, last)| *last)
    }

    /// Leaves out the oldest, until there are no more than `max` of them.
    fn trim(&mut self, max: u64) {
        let count = |(first, last): &(Revision, Revision)| last.get() - first.get() + 1;
        let all: u64 = self.runs.iter().map(count).sum();
        let mut over = all.saturating_sub(max);
        while let Some(oldest) = self.runs.front().copied() {
            let (first, last) = oldest;
            let commits = count(&oldest);
            if commits <= over || self.runs.len() > RUNS_MAX {
                self.runs.pop_front();
                over = over.saturating_sub(commits);
                self.kept_after = self.kept_after.max(last);
                continue;
            }
            if over > 0 {
                let first = Revision::new(first.get() + over);
                self.kept_after = self.kept_after.max(Revision::new(first.get() - 1));
                self.runs[0] = (first, last);
            }
            return;
        }
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
        assert!(journal.add(r(1), r(0), 2));
        assert!(!journal.add(r(2), r(1), 2));
        assert_eq!(journal.kept_after(r(2)), r(0));
        // A revision is left out: nothing was committed in between.
        assert!(journal.add(r(9), r(2), 2));
        assert_eq!(journal.kept_after(r(9)), r(1));
        assert!(!journal.add(r(10), r(9), 2));
        assert_eq!(journal.kept_after(r(10)), r(2));
        journal.add(r(11), r(10), 2);
        assert_eq!(journal.kept_after(r(11)), r(9));
    }

    #[test]
    fn what_was_not_recorded_is_not_kept() {
        let mut journal = Journal::default();
        journal.add(r(1), r(0), 9);
        assert_eq!(journal.kept_after(r(4)), r(4), "nothing was recorded since");
        assert!(journal.add(r(5), r(4), 9));
        assert_eq!(journal.kept_after(r(5)), r(4));
        assert!(journal.add(r(6), r(5), 0), "the store forgets it, too");
        assert!(!journal.add(r(7), r(6), 0));
        assert_eq!(journal.kept_after(r(7)), r(7));
    }

    #[test]
    fn what_is_read_back_is_what_was_there() {
        let mut journal = Journal::default();
        journal.add(r(3), r(2), 9);
        journal.add(r(4), r(3), 9);
        journal.add(r(8), r(4), 9);
        let row = journal.row();
        journal.add(r(9), r(8), 9);
        for (max, kept) in [(9, 2), (3, 3), (2, 4), (1, 8), (0, 9)] {
            let mut again = Journal::default();
            again.restore(row.clone());
            again.open(r(9), max);
            assert_eq!(again.kept_after(r(9)), r(kept), "{max}");
        }
    }

    #[test]
    fn what_comes_next_has_no_gap_and_ends_where_it_should() {
        let mut journal = Journal::default();
        for (revision, after) in [(3, 2), (4, 3), (5, 4), (8, 5), (9, 8)] {
            journal.add(r(revision), r(after), 9);
        }
        let cases = [
            (2, 9, 2, Some((3, 4))),
            (2, 9, 9, Some((3, 5))),
            (4, 9, 9, Some((5, 5))),
            (5, 9, 9, Some((8, 9))),
            (5, 8, 9, Some((8, 8))),
            (5, 7, 9, None),
            (9, 9, 9, None),
        ];
        for (after, to, most, expected) in cases {
            let found = journal.next(r(after), r(to), most);
            let expected = expected.map(|(first, last)| (r(first), r(last)));
            assert_eq!(found, expected, "after {after} up to {to}");
        }
    }

    #[test]
    fn gaps_without_end_shorten_it_and_no_more() {
        let mut journal = Journal::default();
        let mut after = 0;
        for n in 1..=200 {
            journal.add(r(10 * n), r(after), 1_000);
            after = 10 * n;
        }
        assert_eq!(journal.row().runs.len(), RUNS_MAX);
        assert_eq!(journal.kept_after(r(2_000)), r(10 * (200 - 64)));
    }
}
