//! The two state machines of Swarm Sync, [`Hub`] and [`Replica`].
//!
//! They are sans-IO: messages, completions and the time go in through `handle_*`, messages, batches
//! and answers come out of `poll_*`, and a driver only translates. Nothing here awaits, opens a
//! socket or reads a clock. Call `poll_output` until it is empty after every input, then wait until
//! `poll_timeout` at the latest.
//!
//! An output that speaks of a state leaves the machine only after the batch that holds that state
//! was reported durable by `handle_persisted`: acknowledging early cannot be written.

mod census;
mod compose;
pub mod config;
mod deadlines;
mod free;
mod gate;
pub mod hub;
pub mod keyspace;
mod millis;
mod receipts;
pub mod replica;
mod restoration;
mod rows;
mod salvage;
pub mod schedule;
mod view;
mod writers;

pub use census::Census;
pub use config::{HubConfig, KEEP_FREE, Limits, ReplicaConfig};
pub use deadlines::Deadlines;
pub use gate::Token;
pub use hub::{Hub, HubOutput, HubRecovery, PeriodicRun, RoundEnded, RoundOutcome};
pub use keyspace::{KeyState, Keyspace};
pub use receipts::{RECEIPTS_WAITING_MAX, REFUSALS_WAITING_MAX};
pub use replica::{
    Command, Fate, Outcome, Replica, ReplicaOutput, ReplicaRecovery, ReplicaStatus, RequestId,
    Wanted,
};
pub use restoration::Restoration;
pub use rows::{Owner, RowError, RowRange};
pub use salvage::{Salvage, Taken};
pub use schedule::{Covers, PeriodicPlan, Schedule, ScheduleError};
