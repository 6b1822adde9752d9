//! Questions about the past, each on its way from one read to the next.

use sync_core::codec::List;
use sync_core::{
    HistoryPage, Key, Now, PastAnswer, PastAsk, PastCommit, RequestError, Row, Version,
};

use super::diff::DiffQuestion;
use super::explain::ExplainQuestion;
use super::invalid;
use super::knew::KnewQuestion;
use super::state_at::StateQuestion;
use super::walk::Walk;
use crate::hub::Hub;
use crate::keyspace::KeyState;
use crate::rows::{RowError, RowRange};

/// Commits in one answer: with the largest rows there can be it is one that can be sent.
const COMMITS_PER_PAGE: u32 = 64;

/// What a question needs next.
pub(super) enum Step {
    Read(Vec<RowRange>),
    Answer(PastAnswer),
    Refuse(RequestError),
}

/// A question that was found to make sense.
#[derive(Debug)]
pub(in crate::hub) enum Question {
    History(HistoryQuestion),
    Explain(ExplainQuestion),
    State(StateQuestion),
    Diff(DiffQuestion),
    Knew(KnewQuestion),
}

impl Question {
    pub(super) fn of(hub: &mut Hub, ask: PastAsk) -> Result<Self, RequestError> {
        Ok(match ask {
            PastAsk::History { limit: 0, .. } => {
                let reason = "a limit of 0 commits asks for nothing: ask for at least 1";
                return Err(invalid(reason.to_owned()));
            }
            PastAsk::History { key, upto, limit } => {
                Self::History(HistoryQuestion::new(hub, key, upto, limit))
            }
            PastAsk::Explain(key) => Self::Explain(ExplainQuestion::new(hub, key)),
            PastAsk::StateAt { key, at } => {
                let at = hub.position(at)?;
                Self::State(StateQuestion::new(hub, key, at))
            }
            PastAsk::Diff { from, to, after } => {
                let from = hub.position(from)?;
                let to = to.map_or(Ok(hub.revision), |to| hub.position(to))?;
                Self::Diff(DiffQuestion::new(hub, from, to, after)?)
            }
            PastAsk::Knew { key, write, after } => {
                Self::Knew(KnewQuestion::new(hub, key, write, after))
            }
        })
    }

    /// What it takes next.
    pub(super) fn step(&mut self, hub: &Hub, now: Now) -> Step {
        match self {
            Self::History(question) => question.step(),
            Self::Explain(question) => question.step(hub, now),
            Self::State(question) => question.step(hub),
            Self::Diff(question) => question.step(hub),
            Self::Knew(question) => question.step(hub),
        }
    }

    /// Takes what it has asked for.
    pub(super) fn take(&mut self, hub: &Hub, now: Now, rows: &[Row]) -> Result<(), RowError> {
        match self {
            Self::History(question) => question.take(hub, now, rows),
            Self::Explain(question) => question.history.take(hub, now, rows),
            Self::State(question) => question.take(hub, now, rows),
            Self::Diff(question) => question.take(hub, now, rows),
            Self::Knew(question) => question.take(hub, now, rows),
        }
    }
}

/// Some commits of a key.
#[derive(Debug)]
pub(super) struct HistoryQuestion {
    version: Version,
    limit: usize,
    pub(super) walk: Walk,
    pub(super) commits: Vec<PastCommit>,
}

impl HistoryQuestion {
    pub(super) fn new(hub: &Hub, key: Key, upto: Option<Version>, limit: u32) -> Self {
        let version = hub.space.get(&key).map(KeyState::version);
        let version = version.unwrap_or_default();
        let limit = limit.min(COMMITS_PER_PAGE);
        Self {
            version,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            walk: Walk::new(hub, key, upto),
            commits: Vec::new(),
        }
    }

    /// The row to read; none once the page is full or there are no more.
    pub(super) fn read(&self) -> Option<RowRange> {
        self.walk.read().filter(|_| self.wanted() > 0)
    }

    /// How many commits more make the page full.
    fn wanted(&self) -> usize {
        self.limit.saturating_sub(self.commits.len())
    }

    fn step(&mut self) -> Step {
        if let Some(range) = self.read() {
            return Step::Read(vec![range]);
        }
        Step::Answer(PastAnswer::History(HistoryPage {
            key: self.walk.key.clone(),
            version: self.version,
            commits: List(std::mem::take(&mut self.commits)),
            next: self.walk.next(),
            dropped: self.walk.dropped(),
        }))
    }

    pub(super) fn take(&mut self, hub: &Hub, now: Now, rows: &[Row]) -> Result<(), RowError> {
        let wanted = self.wanted();
        self.commits
            .append(&mut self.walk.take(hub, now, rows, wanted)?);
        Ok(())
    }
}
