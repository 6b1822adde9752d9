//! Swarm Sync under one seed: a hub and its agents, the very machines that run in production, with a
//! network, disks, clocks and users that do what the seed draws.
//!
//! Everything happens in one thread and in simulated time; the same seed takes the same course on every
//! machine. Beside the nodes stands an account of everything that was written and told, and after every
//! event oracles compare the two.
//!
//! ```
//! let course = sync_sim::run_seed(1, false).expect("nothing is wrong");
//! assert_eq!(course, sync_sim::run_seed(1, false).expect("nothing is wrong"));
//! ```

mod account;
mod answers;
mod apart;
mod asks;
mod copies;
mod counted;
mod coverage;
mod decisions;
mod disk;
#[cfg(test)]
mod dropped;
mod failure;
mod faults;
mod ghost;
mod hardships;
mod ledger;
mod levels;
mod lives;
mod losses;
mod merges;
mod network;
mod nodes;
mod oracle;
mod past;
mod periodic;
mod plan;
mod positions;
mod random;
mod returned;
mod room;
mod rounds;
mod run;
mod schedule;
mod service;
mod shown;
mod shrink;
mod stamps;
mod stats;
mod swarm;
mod tables;
mod tally;
mod torn;
mod trace;
mod votes;
mod watchers;
mod workload;
mod world;
mod writes;

pub use coverage::MUST_HAPPEN;
pub use failure::Failure;
pub use run::{Course, parallel, run_seed};
pub use schedule::{Act, Happened};
pub use shrink::{Shrunk, rerun, shrink};
pub use stats::Stats;
pub use swarm::{Agent, Ending, Swarm};
