//! What the drivers ask of a transport: a [`Coordinator`] at the hub, a [`Link`] at an agent.
//!
//! Both carry opaque frames in order. A transport decides nothing about state: it authenticates a
//! name, keeps a connection alive or reports its end, and never waits for a slow peer.

mod compressions;
mod frame;
mod refusal;
mod traffic;

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bincode::{Decode, Encode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::compressions::Compressions;
pub use self::frame::{Frame, Turn};
pub use self::refusal::Refusal;
pub use self::traffic::{Compression, Traffic};

use crate::id::{AgentId, Incarnation, SwarmId};

/// The protocol versions this program speaks.
pub const PROTOCOL_MIN: u16 = 1;
/// See [`PROTOCOL_MIN`].
pub const PROTOCOL_MAX: u16 = 1;

/// Why a peer connects.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Encode, Decode,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Holds a replica and belongs to the roster.
    Member,
    /// Asks and leaves; holds nothing and is missed by nobody.
    Client,
}

/// The first thing a connecting peer says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// Oldest protocol version the peer speaks.
    pub protocol_min: u16,
    /// Newest protocol version the peer speaks.
    pub protocol_max: u16,
    /// The swarm it belongs to.
    pub swarm: SwarmId,
    /// Its name.
    pub agent: AgentId,
    /// Its run.
    pub incarnation: Incarnation,
    /// Why it connects.
    pub role: Role,
    /// What it can read. The link that says the hello fills this in; what it was given is no matter.
    pub compressions: Compressions,
}

impl Hello {
    /// A hello with the versions of this program.
    pub fn new(swarm: SwarmId, agent: AgentId, incarnation: Incarnation, role: Role) -> Self {
        Self {
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            swarm,
            agent,
            incarnation,
            role,
            compressions: Compressions::NONE,
        }
    }

    /// The newest version both sides speak, if there is one.
    pub fn negotiate(&self) -> Option<u16> {
        let version = self.protocol_max.min(PROTOCOL_MAX);
        (version >= self.protocol_min.max(PROTOCOL_MIN)).then_some(version)
    }
}

/// The answer to a hello that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// The protocol version of this connection.
    pub protocol: u16,
    /// Silence after which either side gives the other up, in milliseconds.
    pub silence_ms_max: u32,
    /// Largest frame either side may send, in bytes, before compression.
    pub frame_bytes_max: u32,
    /// What either side may send: nothing that the hello did not offer.
    pub compressions: Compressions,
}

/// One connection, for its lifetime. A reconnecting agent gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What a coordinator tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoordinatorEvent {
    /// A peer was admitted. Its frames follow under this session.
    Connected {
        /// The connection.
        session: SessionId,
        /// What the peer said.
        hello: Hello,
    },
    /// A frame arrived, in order within its session.
    Received {
        /// The connection.
        session: SessionId,
        /// The message bytes.
        frame: Bytes,
    },
    /// The connection is gone. Nothing of this session follows.
    Disconnected {
        /// The connection.
        session: SessionId,
        /// Why, in a sentence.
        reason: String,
    },
}

/// Where an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "lowercase")]
pub enum AgentStatus {
    /// Not in the roster of that swarm.
    Unknown,
    /// In the roster, not connected.
    Disconnected,
    /// Connected.
    Connected,
}

/// Who talks to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Topology {
    /// Every agent with the hub.
    Star,
}

/// The shape of a swarm as its coordinator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct TopologyInfo {
    /// Who talks to whom.
    pub kind: Topology,
    /// The roster, ascending.
    pub agents: Vec<AgentId>,
    /// Those of the roster that are connected, ascending.
    pub connected: Vec<AgentId>,
}

/// The hub's side of a transport. Implementations are checked by
/// [`crate::testing::transport_suite`].
///
/// A [`Role::Member`] that connects joins the roster by itself. Of two connections under one agent
/// name in one swarm at most one lives: the older is probed, and if it stays silent for the
/// heartbeat deadline it is replaced, else the newcomer gets [`Refusal::NameTaken`]. Whoever calls
/// itself by [`HUB_NAME`](crate::HUB_NAME) gets [`Refusal::NameReserved`].
#[async_trait]
pub trait Coordinator: Send + Sync + fmt::Debug {
    /// Puts an agent on the roster whether or not it is connected. Idempotent.
    async fn register(&self, swarm: &SwarmId, agent: &AgentId) -> Result<(), TransportError>;

    /// Takes an agent off the roster and closes its connection. False if it was not on it.
    async fn unregister(&self, swarm: &SwarmId, agent: &AgentId) -> Result<bool, TransportError>;

    /// Queues `frames` in order, except as their [`Turn`] allows, and returns without waiting for the peer. A peer whose queue is
    /// full is disconnected as too slow ([`TransportError::SlowPeer`]); an unknown session is
    /// [`TransportError::NotConnected`]. `Ok` is no promise of delivery.
    async fn send(&self, session: SessionId, frames: Vec<Frame>) -> Result<(), TransportError>;

    /// Queues `frame` for every connected member of `swarm`; returns how many it was queued for.
    async fn broadcast(&self, swarm: &SwarmId, frame: Frame) -> usize;

    /// Where an agent stands.
    async fn agent_status(&self, swarm: &SwarmId, agent: &AgentId) -> AgentStatus;

    /// The roster and who of it is connected.
    async fn topology_info(&self, swarm: &SwarmId) -> TopologyInfo;

    /// Bytes moved by all connections so far, those that ended and those refused included.
    fn traffic(&self) -> Traffic;

    /// Connections that were refused so far, because of what they showed or said, or of a limit. A
    /// coordinator that does not count says 0.
    fn refused(&self) -> u64 {
        0
    }

    /// When the first of the certificates ends by which the hub proves where it is; none if it has none.
    fn certificate_ends(&self) -> Option<SystemTime> {
        None
    }

    /// Closes one connection; its `Disconnected` event carries `reason`.
    async fn disconnect(&self, session: SessionId, reason: &str);

    /// The same for a peer that may not be here: it is told so by [`Refusal::Rights`], and counts among the
    /// [`Coordinator::refused`].
    async fn refuse(&self, session: SessionId, reason: &str);

    /// Waits for at least one event and returns up to `limit` of them, in order. An empty list
    /// means that the coordinator was shut down. Cancel-safe: a dropped call loses no event.
    async fn recv(&self, limit: usize) -> Vec<CoordinatorEvent>;

    /// As [`Coordinator::recv`], for an owner that handles what it took in an order of its own: each
    /// event counts as waiting until it was [`Coordinator::handled`], so that no peer has more in line
    /// than it may, wherever the line is. A coordinator that bounds nothing per peer need not tell
    /// the two apart.
    async fn take(&self, limit: usize) -> Vec<CoordinatorEvent> {
        self.recv(limit).await
    }

    /// An event that was taken waits no longer. Once for each.
    fn handled(&self, _event: &CoordinatorEvent) {}

    /// Stops admitting, closes every connection after its queued frames were written or a short
    /// deadline passed, and ends `recv`.
    async fn shutdown(&self);
}

/// An agent's side of a transport: one way to reach one hub.
#[async_trait]
pub trait Link: Send + Sync + fmt::Debug {
    /// One attempt to connect, with a deadline of its own. Reconnecting is the caller's decision.
    async fn connect(&self, hello: &Hello) -> Result<Connection, TransportError>;

    /// Where it leads, for messages to people: an address, for instance.
    fn describe(&self) -> String;
}

/// An admitted connection: two independent halves.
#[derive(Debug)]
pub struct Connection {
    /// What the hub answered.
    pub welcome: Welcome,
    /// Sends.
    pub sender: Box<dyn LinkSender>,
    /// Receives. Dropping it closes the connection.
    pub receiver: Box<dyn LinkReceiver>,
}

/// The sending half of a connection.
#[async_trait]
pub trait LinkSender: Send + fmt::Debug {
    /// Queues frames in order, except as their [`Turn`] allows; waits only while the bounded queue is
    /// full, with a deadline.
    async fn send(&mut self, frames: Vec<Frame>) -> Result<(), TransportError>;

    /// Writes what is queued and closes in an orderly way, with a deadline.
    async fn close(&mut self);

    /// Bytes moved so far, counted where they enter and leave the process.
    fn traffic(&self) -> Traffic;
}

/// The receiving half of a connection.
#[async_trait]
pub trait LinkReceiver: Send + fmt::Debug {
    /// Waits for at least one frame and returns up to `limit`, in order. Answers probes by itself
    /// and fails once the peer was silent for longer than agreed. Cancel-safe.
    async fn recv(&mut self, limit: usize) -> Result<Vec<Bytes>, TransportError>;
}

/// Why a transport could not do what it was asked. No state of any replica changes with one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Nobody listens there.
    #[error("no hub at {address}: {reason}; start one with `swarm-sync serve --listen {address}`")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The hub answered and refused.
    #[error("the hub at {address} refused: {refusal}")]
    Refused {
        /// Where.
        address: String,
        /// Why.
        refusal: Refusal,
    },
    /// The peer said nothing for longer than agreed.
    #[error("the peer was silent for {} ms", silence.as_millis())]
    Silent {
        /// How long.
        silence: Duration,
    },
    /// A wait ran out.
    #[error("{doing} took longer than {} ms", limit.as_millis())]
    Deadline {
        /// What was being done.
        doing: &'static str,
        /// The deadline.
        limit: Duration,
    },
    /// The peer does not read what is sent to it.
    #[error("the peer does not keep up: {queued} frames wait, the limit is {limit}")]
    SlowPeer {
        /// Frames waiting.
        queued: usize,
        /// The most allowed.
        limit: usize,
    },
    /// Bytes that are not the protocol. The connection is closed, nothing else.
    #[error("the peer does not speak the protocol: {reason}")]
    Protocol {
        /// What was wrong.
        reason: String,
    },
    /// A frame over the limit, refused before it was sent or before its body was read.
    #[error("a frame of {bytes} bytes is over the limit of {limit}")]
    FrameTooLarge {
        /// Its length.
        bytes: usize,
        /// The most allowed.
        limit: usize,
    },
    /// One end does not believe the other, or they found no common way to encrypt.
    #[error("no secure connection: {reason}")]
    Tls {
        /// What was wrong and what to do.
        reason: String,
    },
    /// There is no such connection (any more).
    #[error("not connected")]
    NotConnected,
    /// The connection ended.
    #[error("the connection was closed: {reason}")]
    Closed {
        /// Why.
        reason: String,
    },
}
