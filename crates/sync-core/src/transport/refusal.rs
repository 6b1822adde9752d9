//! Why a hub does not have a peer.

use bincode::{Decode, Encode};
use thiserror::Error;

use crate::id::{AgentId, SwarmId};

/// Why a hello was refused, or later who had said it. Each says what to do; the connection is closed after
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Error, Encode, Decode)]
#[non_exhaustive]
pub enum Refusal {
    /// No common protocol version.
    #[error(
        "this hub speaks protocol {hub_min} to {hub_max}, the peer {peer_min} to {peer_max}; upgrade the older side"
    )]
    Protocol {
        /// The hub's oldest.
        hub_min: u16,
        /// The hub's newest.
        hub_max: u16,
        /// The peer's oldest.
        peer_min: u16,
        /// The peer's newest.
        peer_max: u16,
    },
    /// The hub does not serve that swarm.
    #[error(
        "this hub does not serve the swarm {swarm}; check the name, or start a hub that serves it"
    )]
    Swarm {
        /// The swarm asked for.
        swarm: SwarmId,
    },
    /// Another process answers under that name.
    #[error(
        "an agent named {agent} is connected and answers; two processes cannot share one name: stop one or rename it"
    )]
    NameTaken {
        /// The name.
        agent: AgentId,
    },
    /// The hub has no room.
    #[error("this hub is full: {connections} connections is its limit")]
    Full {
        /// How many it holds.
        connections: u32,
    },
    /// The first frame was not a hello, or not a whole one.
    #[error("expected a hello: {reason}")]
    Malformed {
        /// What was wrong with it.
        reason: String,
    },
    /// The hub itself writes under that name.
    #[error("the name {agent} is the hub's own: choose another one for this agent")]
    NameReserved {
        /// The name.
        agent: AgentId,
    },
    /// Who connects has not shown that it is who it says.
    #[error("{reason}")]
    Identity {
        /// What was shown, and what would do.
        reason: String,
    },
    /// Who it is may not be here, or not any more.
    #[error("{reason}")]
    Rights {
        /// What is lacking, and what to do.
        reason: String,
    },
}
