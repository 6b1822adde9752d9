//! The data of Swarm Sync, the one join, the messages, and the traits between the layers.
//!
//! This crate reads no clock, draws no random numbers, starts nothing and waits for nothing: time,
//! incarnations and bytes are arguments.
//!
//! ```
//! use sync_core::{AgentId, Entry, Incarnation, Payload, Seq, Stamp, Value, Write, WriteId, Writer};
//!
//! // Two agents write the same key without having seen each other.
//! let write = |name: &str, ms| {
//!     let writer = Writer::new(AgentId::new(name).unwrap(), Incarnation::from_random(1));
//!     let payload = Payload::put(&Value::from(name));
//!     let stamp = Stamp::at_millis(ms);
//!     let write = Write { stamp, payload, prev: Seq::new(0), over: Default::default(), note: None };
//!     Entry::of_write(WriteId::new(writer, Seq::new(1)), write)
//! };
//! let (a, b) = (write("a", 10), write("b", 11));
//!
//! // Whatever the order, both stay live until somebody who saw both decides.
//! let mut left = a.clone();
//! left.join(b.clone());
//! let mut right = b;
//! right.join(a);
//! assert_eq!(left, right);
//! assert_eq!(left.live_count(), 2);
//! ```

pub mod about;
pub mod activity;
pub mod authority;
pub mod codec;
pub mod consensus;
pub mod context;
pub mod cursor;
pub mod digest;
pub mod entry;
pub mod error;
pub mod id;
pub mod memory;
pub mod message;
pub mod past;
pub mod payload;
pub mod pieces;
#[doc(hidden)]
pub mod planted;
pub mod policy;
pub mod receipt;
pub mod report;
pub mod resolver;
pub mod rights;
pub mod rules;
pub mod segment;
pub mod stamp;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;
pub mod value;
pub mod write;

pub use about::About;
pub use activity::{Activity, DeltaCounts, RoundCounts, RuleConflicts, SameCounts};
pub use authority::{
    Assignment, Attempt, AttemptId, AuthorityAnswer, AuthorityAsk, Claim, CommitOutcome, Current,
    Expectation, Lease, Token,
};
pub use consensus::{
    AlgorithmStatistics, Algorithms, Ballot, Cast, CommittedEffect, ConsensusAlgorithm, Decision,
    Effect, Poll, Proposal, Share, Tally, Verdict, Vote, VoteOutcome, Weights,
};
pub use context::{Context, Span};
pub use cursor::{Cursor, Resume, Seen};
pub use digest::{Digest, DigestKey};
pub use entry::{Entry, Joined, Part};
pub use error::{DecodeError, IdError, RequestError, ValueError};
pub use id::{
    AgentId, Epoch, HUB_NAME, Incarnation, KEY_BYTES_MAX, Key, NAME_BYTES_MAX, Namespace,
    ProposalId, Revision, Seq, SwarmId, Version, WriteId, Writer,
};
pub use memory::{MemoryAnswer, MemoryAsk, MemoryStats, NamespaceStats};
pub use message::{
    Answer, Ask, Body, DeltaOutcome, Message, ReceiptPlace, Reply, RoundId, Standing,
};
pub use past::{
    Did, DiffNext, DiffPage, Dropped, DroppedBy, HistoryPage, KeyDiff, KeyExplanation, Knew,
    LossReason, Omitted, PastAnswer, PastAsk, PastCommit, PastKind, PastLoss, PastState, PastValue,
    PastWrite, StaleKey,
};
pub use payload::{FIELD_BYTES_MAX, Payload, PayloadKind, Reset};
pub use pieces::{Piece, Pieces};
pub use policy::{Flaw, History, Pattern, Policies, Policy, PolicyError, Priority, Ttl};
pub use receipt::{Quota, Reason, Receipt};
pub use report::{
    Ack, Change, ChangeKind, Delta, HubStatus, KeyReport, MemberStatus, PeriodicStatus, Sibling,
    Since, StateMetadata, StateVersion, SyncReport, Watched,
};
pub use resolver::{Loss, MergeRule, OnConcurrent, Operation, OperationError, Plan, Resolver};
pub use rights::{Allowed, GRANTS_MAX, Grant, Right, Rights};
pub use rules::Resolvers;
pub use segment::Segment;
pub use stamp::{Clock, HybridClock, Now, Stamp};
pub use store::{Batch, Durability, Row, RowOp, Store, StoreError};
pub use transport::{
    AgentStatus, Compression, Compressions, Connection, Coordinator, CoordinatorEvent, Frame,
    Hello, Link, LinkReceiver, LinkSender, Refusal, Role, SessionId, Topology, TopologyInfo,
    Traffic, TransportError, Turn, Welcome,
};
pub use value::{Float, Value};
pub use write::{Metadata, Note, Write};
