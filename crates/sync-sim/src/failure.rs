//! What an oracle has found to be wrong.

use std::fmt;
use std::panic::Location;

/// Where the sources of the oracles begin in the name of a file.
const SOURCES: &str = "sync-sim/src/";

/// The first thing that was wrong in a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// In simulated microseconds, and how often a hub had lost its disk by then.
    pub at_us: u64,
    /// How often a hub's disk had been put back by then.
    pub rollbacks: u64,
    /// The check that found it: a place in the sources of this crate.
    pub oracle: String,
    /// What it found.
    pub what: String,
}

impl Failure {
    pub(crate) fn new(at: (u64, u64), place: &Location<'_>, what: String) -> Self {
        let file = place.file();
        let own = file.split_once(SOURCES).map_or(file, |(_, own)| own);
        Self {
            at_us: at.0,
            rollbacks: at.1,
            oracle: format!("{own}:{}", place.line()),
            what,
        }
    }

    /// Of a swarm of users' agents.
    pub(crate) fn of_swarm(at_us: u64, what: String) -> Self {
        Self {
            at_us,
            rollbacks: 0,
            oracle: "the end".to_owned(),
            what,
        }
    }

    pub(crate) fn panicked(text: String) -> Self {
        Self {
            at_us: 0,
            rollbacks: 0,
            oracle: "a panic".to_owned(),
            what: text,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at_us,
            rollbacks,
            oracle,
            what,
        } = self;
        write!(f, "{oracle} at {at_us} us, {rollbacks} rollbacks: {what}")
    }
}
