//! What a hub asks of its driver.

use sync_core::{AgentId, Batch, Key, Message, Priority, Reply, SessionId, Sibling};

#[cfg(doc)]
use super::Hub;
use super::{PeriodicRun, RoundEnded};
use crate::gate::Token;
use crate::rows::RowRange;

/// What a hub asks of its driver, in order.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver must handle every output")]
pub enum HubOutput {
    /// Commit this batch and report to [`Hub::handle_persisted`].
    Persist {
        /// Names the batch in the report.
        token: Token,
        /// The rows.
        batch: Batch,
    },
    /// Queue this message for a peer.
    Send {
        /// The connection.
        session: SessionId,
        /// What to send.
        message: Message,
    },
    /// A local request is answered.
    Answer {
        /// The number its caller gave it.
        request: u64,
        /// The answer, or why there is none.
        answer: Reply,
    },
    /// Make one value of these and report to [`Hub::handle_merged`], whatever happens.
    Merge {
        /// Names the request in the report.
        ticket: u64,
        /// The key.
        key: Key,
        /// The function, by the name it is registered under.
        function: String,
        /// The concurrent values.
        siblings: Vec<Sibling>,
    },
    /// Read the policies anew and report to [`Hub::handle_policies`], whatever comes of it.
    LoadPolicies,
    /// A synchronization of the schedule has taken place: for the log.
    Ran(PeriodicRun),
    /// A round has begun: for who follows what takes how long. An end with its number comes, unless the
    /// hub stops.
    RoundBegan {
        /// Its number in this run of the hub.
        number: u64,
        /// How urgent its keys are.
        priority: Priority,
    },
    /// A round is over.
    RoundEnded(RoundEnded),
    /// An agent was taken off the roster at somebody's request: its place is free.
    Unregistered(AgentId),
    /// Close a connection: its peer broke the protocol.
    Disconnect {
        /// The connection.
        session: SessionId,
        /// What it did.
        reason: String,
    },
    /// Close a connection: whoever is at its other end may not be here, or not as it was. To be told apart
    /// from a flaw: it is noted with the name.
    Refuse {
        /// The connection.
        session: SessionId,
        /// What is lacking, and what to do.
        reason: String,
    },
    /// Read these rows and report to [`Hub::handle_loaded`], whatever comes of it.
    Load {
        /// Names the request in the report.
        ticket: u64,
        /// The rows.
        ranges: Vec<RowRange>,
    },
}
