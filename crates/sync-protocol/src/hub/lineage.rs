//! The runs of the hub and the revisions each has numbered: what makes a cursor valid.

use bincode::{Decode, Encode};
use sync_core::{
    Cursor, Epoch, Revision, Seen,
    planted::{self, Planted},
};

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) struct Run {
    /// Counts the runs of this disk. Runs that numbered nothing share their first revision with the
    /// next one, so that alone does not tell which came first.
    pub(crate) ordinal: u64,
    pub(crate) first: Revision,
    pub(crate) epoch: Epoch,
}

/// In the order in which they were opened; the last one is the current run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lineage {
    runs: Vec<Run>,
}

/// Why a cursor cannot be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Another hub's, or from before the disk was rolled back.
    Epoch,
    /// After the last revision of the current run.
    Ahead,
}

impl Lineage {
    /// Takes a stored run back, in any order.
    pub(crate) fn restore(&mut self, run: Run) {
        self.runs.push(run);
        self.runs.sort_unstable();
    }

    /// Opens a run. Returns it with the runs that are too old to keep. A run that numbered nothing is
    /// kept like any other: cursors may carry it.
    pub(crate) fn open(&mut self, epoch: Epoch, first: Revision, max: usize) -> (Run, Vec<Run>) {
        let ordinal = self.runs.last().map_or(0, |run| run.ordinal + 1);
        let run = Run {
            ordinal,
            first,
            epoch,
        };
        self.runs.push(run);
        let excess = self.runs.len().saturating_sub(max);
        (run, self.runs.drain(..excess).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(crate) fn current(&self) -> Epoch {
        self.runs
            .last()
            .map_or(Epoch::from_random(0), |run| run.epoch)
    }

    /// Checks that everything the cursor's owner holds was numbered by this lineage. `head` is the
    /// hub's last revision.
    pub(crate) fn check(&self, cursor: &Cursor, head: Revision) -> Result<(), Invalid> {
        let at = self.runs.iter().position(|run| run.epoch == cursor.epoch);
        let at = at.ok_or(Invalid::Epoch)?;
        let believes = planted::is(Planted::LostHeadIsBelieved);
        let read = cursor.revision.max(if believes {
            cursor.revision
        } else {
            cursor.head
        });
        match self.runs.get(at + 1) {
            // The next run's first revision is one more than this run's last.
            Some(next) if read >= next.first => Err(Invalid::Epoch),
            None if read > head => Err(Invalid::Ahead),
            _ => Ok(()),
        }
    }
}

impl Lineage {
    /// Whether that run is one of those that are kept.
    pub(crate) fn has_run(&self, epoch: Epoch) -> bool {
        self.runs.iter().any(|run| run.epoch == epoch)
    }

    /// The same of a place that somebody has read.
    pub(crate) fn check_seen(&self, seen: Seen, head: Revision) -> Result<(), Invalid> {
        let Seen { epoch, revision } = seen;
        let cursor = Cursor {
            epoch,
            revision,
            head: revision,
        };
        self.check(&cursor, head)
    }

    /// Whether somebody who had seen that much had seen what this lineage has committed at `at`.
    pub(crate) fn has_seen(&self, seen: Option<Seen>, at: Revision, head: Revision) -> bool {
        let seen = seen.filter(|seen| seen.revision >= at);
        seen.is_some_and(|seen| self.check_seen(seen, head).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(epoch: u64, revision: u64, head: u64) -> Cursor {
        Cursor {
            epoch: Epoch::from_random(epoch),
            revision: Revision::new(revision),
            head: Revision::new(head),
        }
    }

    #[test]
    fn a_cursor_is_valid_within_its_run_only() {
        let mut lineage = Lineage::default();
        lineage.open(Epoch::from_random(1), Revision::new(1), 9);
        lineage.open(Epoch::from_random(2), Revision::new(6), 9);
        let head = Revision::new(8);
        let cases = [
            (cursor(1, 5, 5), Ok(())),
            (cursor(1, 3, 5), Ok(())),
            // Paged against a head that this hub lost: its content may be gone here.
            (cursor(1, 3, 7), Err(Invalid::Epoch)),
            (cursor(1, 6, 6), Err(Invalid::Epoch)),
            (cursor(2, 8, 8), Ok(())),
            (cursor(2, 5, 5), Ok(())),
            (cursor(2, 9, 9), Err(Invalid::Ahead)),
            (cursor(2, 7, 9), Err(Invalid::Ahead)),
            (cursor(3, 1, 1), Err(Invalid::Epoch)),
        ];
        for (cursor, expected) in cases {
            assert_eq!(lineage.check(&cursor, head), expected, "{cursor:?}");
        }
    }

    #[test]
    fn runs_that_numbered_nothing_keep_their_place() {
        let mut lineage = Lineage::default();
        let runs = [(9, 6), (1, 6), (5, 8)].map(|(epoch, first)| {
            lineage
                .open(Epoch::from_random(epoch), Revision::new(first), 9)
                .0
        });
        let mut restored = Lineage::default();
        for run in [runs[1], runs[2], runs[0]] {
            restored.restore(run);
        }
        let head = Revision::new(9);
        // The first of them numbered nothing before the second did; its own 6 and 7 were lost.
        assert_eq!(restored.check(&cursor(9, 7, 7), head), Err(Invalid::Epoch));
        assert_eq!(restored.check(&cursor(9, 5, 5), head), Ok(()));
        assert_eq!(restored.check(&cursor(1, 7, 7), head), Ok(()));
    }

    #[test]
    fn the_oldest_runs_are_given_up() {
        let mut lineage = Lineage::default();
        for n in 1..=3 {
            lineage.open(Epoch::from_random(n), Revision::new(n), 9);
        }
        let (_, dropped) = lineage.open(Epoch::from_random(4), Revision::new(4), 2);
        assert_eq!(dropped.len(), 2);
        assert_eq!(lineage.current(), Epoch::from_random(4));
    }
}
