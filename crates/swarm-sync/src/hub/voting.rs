//! Who decides what agents vote on, as a hub is told before it starts.

mod guarded;

use std::sync::Arc;
use std::time::Duration;

use sync_core::consensus::ALGORITHM_BYTES_MAX;
use sync_core::{AgentId, Algorithms, ConsensusAlgorithm};
use sync_protocol::Limits;
use sync_resolve::Weighted;
use sync_resolve::consensus::WEIGHTED;

use self::guarded::Guarded;
use super::SynchronizerBuilder;
use crate::error::StartError;

/// How long a vote may take whose proposer does not say, unless the hub is told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What holds for votes.
#[derive(Debug, Clone)]
pub(super) struct Voting {
    pub(super) algorithms: Algorithms,
    pub(super) timeout: Duration,
    default: Option<String>,
    /// The first thing that is wrong with it.
    flaw: Option<String>,
}

impl Default for Voting {
    fn default() -> Self {
        Self {
            algorithms: sync_resolve::algorithms(),
            timeout: TIMEOUT,
            default: None,
            flaw: None,
        }
    }
}

impl Voting {
    /// The same with the default that was wished for, or what is wrong with it.
    pub(super) fn checked(mut self, limits: &Limits) -> Result<Self, StartError> {
        let config = |reason| StartError::Config { reason };
        if let Some(reason) = self.flaw {
            return Err(config(reason));
        }
        let most = limits.vote_deadline_max;
        if self.timeout.is_zero() || self.timeout > most {
            let (given, most) = (self.timeout, most.as_secs());
            return Err(config(format!(
                "a vote cannot take {given:?}: give it a time above 0 and at most {most} s"
            )));
        }
        if let Some(name) = &self.default {
            let known: Vec<String> = self.algorithms.names().map(str::to_owned).collect();
            let with_default = self.algorithms.with_default(name);
            self.algorithms = with_default.ok_or_else(|| {
                let known = known.join(", ");
                config(format!(
                    "there is no algorithm `{name}` to be the default; there are: {known}"
                ))
            })?;
        }
        Ok(self)
    }

    fn add(&mut self, name: String, algorithm: Arc<dyn ConsensusAlgorithm>) {
        if name.is_empty() || name.len() > ALGORITHM_BYTES_MAX {
            let bytes = name.len();
            self.flaw.get_or_insert_with(|| {
                format!(
                    "the name of an algorithm has {bytes} bytes: it takes 1 to {ALGORITHM_BYTES_MAX}"
                )
            });
            return;
        }
        let guarded = Arc::new(Guarded::new(name.clone(), algorithm));
        self.algorithms = self.algorithms.clone().with(name, guarded);
    }
}

impl SynchronizerBuilder {
    /// One more algorithm that decides votes, in place of any other of that name. There are `quorum`, more
    /// than half of the roster or the share that the proposer asks for, `unanimous`, and `weighted`.
    ///
    /// A vote that is under way when the hub stops goes on with the next run only if that one has its
    /// algorithm, too; else its time runs out, and the log and the decision say why. So it does of one
    /// whose algorithm panics.
    #[must_use]
    pub fn algorithm(
        mut self,
        name: impl Into<String>,
        algorithm: Arc<dyn ConsensusAlgorithm>,
    ) -> Self {
        self.voting.add(name.into(), algorithm);
        self
    }

    /// The algorithm that decides where the proposer names none; `quorum` if not set.
    #[must_use]
    pub fn default_algorithm(mut self, name: impl Into<String>) -> Self {
        self.voting.default = Some(name.into());
        self
    }

    /// What agents weigh under the algorithm `weighted`; who is not named weighs 1.
    /// Declared here and not by proposers, who could outweigh everybody.
    #[must_use]
    pub fn weights(mut self, weights: impl IntoIterator<Item = (AgentId, f64)>) -> Self {
        match Weighted::new(weights) {
            Ok(weighted) => self.voting.add(WEIGHTED.to_owned(), Arc::new(weighted)),
            Err(error) => {
                self.voting.flaw.get_or_insert_with(|| error.to_string());
            }
        }
        self
    }

    /// How long a vote may take whose proposer does not say; 10 s if not set.
    #[must_use]
    pub fn vote_timeout(mut self, timeout: Duration) -> Self {
        self.voting.timeout = timeout;
        self
    }
}
