//! What a key was at an earlier revision.

use sync_core::{Key, Now, PastAnswer, PastCommit, PastState, PastValue, Revision, Row};

use super::question::Step;
use super::walk::Walk;
use crate::hub::Hub;
use crate::keyspace::KeyState;
use crate::rows::RowError;

#[derive(Debug)]
pub(super) struct StateQuestion {
    at: Revision,
    walk: Walk,
    /// The commit that the key was left by.
    found: Option<PastCommit>,
    /// The last commit met that came later.
    until: Option<Revision>,
}

impl StateQuestion {
    pub(super) fn new(hub: &Hub, key: Key, at: Revision) -> Self {
        Self {
            at,
            walk: Walk::new(hub, key, None),
            found: None,
            until: None,
        }
    }

    pub(super) fn step(&mut self, hub: &Hub) -> Step {
        // A key that has not changed since is as it is.
        if self.until.is_none()
            && self.found.is_none()
            && let Some(state) = hub.space.get(&self.walk.key)
            && state.revision() <= self.at
        {
            return Step::Answer(self.as_it_is(hub, state));
        }
        if self.found.is_none()
            && let Some(range) = self.walk.read()
        {
            return Step::Read(vec![range]);
        }
        let found = self.found.take();
        let dropped = self.walk.dropped().filter(|_| found.is_none());
        Step::Answer(PastAnswer::State(Box::new(PastState {
            key: self.walk.key.clone(),
            at: self.at,
            version: found.as_ref().map(|commit| commit.version),
            revision: found.as_ref().map(|commit| commit.revision),
            value: found.map_or_else(PastValue::default, |commit| commit.value),
            until: self.until,
            dropped,
        })))
    }

    fn as_it_is(&self, hub: &Hub, state: &KeyState) -> PastAnswer {
        PastAnswer::State(Box::new(PastState {
            key: self.walk.key.clone(),
            at: self.at,
            version: Some(state.version()),
            revision: Some(state.revision()),
            value: hub.past_value(&self.walk.key, state),
            until: None,
            dropped: None,
        }))
    }

    pub(super) fn take(&mut self, hub: &Hub, now: Now, rows: &[Row]) -> Result<(), RowError> {
        for commit in self.walk.take(hub, now, rows, usize::MAX)? {
            if commit.revision <= self.at {
                self.found = Some(commit);
                return Ok(());
            }
            self.until = Some(commit.revision);
        }
        Ok(())
    }
}
