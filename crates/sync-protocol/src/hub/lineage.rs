//! The runs of the hub and the revisions each has numbered: what makes a cursor valid.

use sync_core::{Cursor, Epoch, Revision};

/// Ascending by first revision; the last one is the current run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lineage {
    epochs: Vec<(Revision, Epoch)>,
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
    pub(crate) fn restore(&mut self, epoch: Epoch, first: Revision) {
        self.epochs.push((first, epoch));
        self.epochs.sort_unstable();
    }

    /// Opens a run. Returns the runs that are too old to keep. A run that numbered nothing is
    /// superseded by the next with the same first revision, yet kept: cursors may carry it.
    pub(crate) fn open(
        &mut self,
        epoch: Epoch,
        first: Revision,
        max: usize,
    ) -> Vec<(Epoch, Revision)> {
        self.epochs.push((first, epoch));
        let excess = self.epochs.len().saturating_sub(max);
        self.epochs
            .drain(..excess)
            .map(|(first, epoch)| (epoch, first))
            .collect()
    }

    pub(crate) fn current(&self) -> Epoch {
        self.epochs
            .last()
            .map_or(Epoch::from_random(0), |&(_, epoch)| epoch)
    }

    /// Checks that everything the cursor's owner holds was numbered by this lineage. `head` is the
    /// hub's last revision.
    pub(crate) fn check(&self, cursor: &Cursor, head: Revision) -> Result<(), Invalid> {
        let at = self
            .epochs
            .iter()
            .position(|&(_, epoch)| epoch == cursor.epoch);
        let at = at.ok_or(Invalid::Epoch)?;
        let read = cursor.head.max(cursor.revision);
        match self.epochs.get(at + 1) {
            // The next run's first revision is one more than this run's last.
            Some(&(next_first, _)) if read >= next_first => Err(Invalid::Epoch),
            None if read > head => Err(Invalid::Ahead),
            _ => Ok(()),
        }
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
    fn the_oldest_runs_are_given_up() {
        let mut lineage = Lineage::default();
        for n in 1..=3 {
            lineage.open(Epoch::from_random(n), Revision::new(n), 9);
        }
        let dropped = lineage.open(Epoch::from_random(4), Revision::new(4), 2);
        assert_eq!(dropped.len(), 2);
        assert_eq!(lineage.current(), Epoch::from_random(4));
    }
}
