//! The commits after one and up to another, read from the log a window at a time, in order.

use sync_core::{Revision, Row};

use super::window::Window;
use crate::hub::Hub;
use crate::rows::{CommitHead, Record, RowError, RowRange};

/// Commits that one answer looks through: so many names are read in a few milliseconds.
const COMMITS_PER_ANSWER: usize = 4_096;

/// How far one answer has looked through the log.
#[derive(Debug)]
pub(super) struct Scan {
    /// The last commit read.
    at: Revision,
    to: Revision,
    /// The commits after it that are being read.
    window: Option<Window>,
    commits: usize,
}

impl Scan {
    pub(super) fn new(after: Revision, to: Revision) -> Self {
        Self {
            at: after,
            to,
            window: None,
            commits: 0,
        }
    }

    /// The last commit read.
    pub(super) fn at(&self) -> Revision {
        self.at
    }

    /// It goes on after a later commit.
    pub(super) fn skip_to(&mut self, at: Revision) {
        self.at = at;
    }

    /// Whether all there is has been read.
    pub(super) fn is_over(&self) -> bool {
        self.at >= self.to
    }

    /// Whether one answer looks no further.
    pub(super) fn is_full(&self) -> bool {
        self.is_over() || self.commits >= COMMITS_PER_ANSWER
    }

    /// The rows to read next; none once it is full.
    pub(super) fn read(&mut self, hub: &Hub) -> Option<RowRange> {
        if self.is_full() {
            return None;
        }
        if self.window.is_none() {
            self.window = Window::next(hub, self.at, self.to);
        }
        if self.window.is_none() {
            // Nothing further has come.
            self.at = self.to;
        }
        self.window.as_ref().map(Window::read)
    }

    /// Takes the rows. Once a window of commits is there `note` is given one after the other, for as long
    /// as it answers that it wants more.
    pub(super) fn take(
        &mut self,
        rows: &[Row],
        mut note: impl FnMut(Revision, &CommitHead, Vec<Record>) -> bool,
    ) -> Result<(), RowError> {
        let Some(mut window) = self.window.take() else {
            return Ok(());
        };
        if !window.take(rows)? {
            self.window = Some(window);
            return Ok(());
        }
        let (after, to) = (self.at, window.to());
        let mut more = true;
        for (revision, (head, records)) in window.into_commits() {
            if !more || self.is_full() {
                return Ok(());
            }
            if revision > after {
                self.at = revision;
                self.commits += 1;
                more = note(revision, &head, records);
            }
        }
        self.at = self.at.max(to);
        Ok(())
    }
}
