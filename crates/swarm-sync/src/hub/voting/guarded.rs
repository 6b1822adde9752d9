//! An algorithm of the user's, whose panic is nobody's end: all swarms are served by one task.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sync_core::consensus::Weights;
use sync_core::{AgentId, ConsensusAlgorithm, Share, Tally};

use crate::panicked;

/// The algorithm, under the name it is registered by.
#[derive(Debug)]
pub(super) struct Guarded {
    name: String,
    inner: Arc<dyn ConsensusAlgorithm>,
}

impl Guarded {
    pub(super) fn new(name: String, inner: Arc<dyn ConsensusAlgorithm>) -> Self {
        Self { name, inner }
    }

    /// What the algorithm says; none if it panics, which is logged.
    fn call<T>(&self, doing: &str, call: impl FnOnce(&dyn ConsensusAlgorithm) -> T) -> Option<T> {
        // It is a pure function of what it is given: there is nothing that it could leave half done.
        let called = catch_unwind(AssertUnwindSafe(|| call(&*self.inner)));
        let panic = match called {
            Ok(said) => return Some(said),
            Err(panic) => panic,
        };
        tracing::error!(
            algorithm = self.name,
            "an algorithm that decides votes panicked {doing}: {}; it has decided nothing",
            panicked::words(&*panic)
        );
        // A value may panic when it is dropped, too.
        std::mem::forget(panic);
        None
    }
}

impl ConsensusAlgorithm for Guarded {
    fn judge(&self, tally: &Tally<'_>) -> Option<bool> {
        self.call("over a tally", |inner| inner.judge(tally))?
    }

    fn default_threshold(&self) -> Option<Share> {
        self.call("over its threshold", |inner| inner.default_threshold())?
    }

    fn weights(&self, participants: &[AgentId]) -> Weights {
        let weights = self.call("over weights", |inner| inner.weights(participants));
        weights.unwrap_or_default()
    }

    /// Refuses also what it cannot weigh: to take everybody for equal then would decide otherwise.
    fn check(&self, participants: &[AgentId], threshold: Option<Share>) -> Result<(), String> {
        let checked = self.call("over a roster", |inner| {
            let _ = (inner.weights(participants), inner.default_threshold());
            inner.check(participants, threshold)
        });
        checked.unwrap_or_else(|| {
            Err(format!(
                "the algorithm {:?} panicked over this roster: see the hub's log, or name another one",
                self.name
            ))
        })
    }
}
