//! Swarm Sync keeps shared state in step across a swarm of agents that write to it also while cut
//! off. No agent's write ever disappears without a reason.
//!
//! A hub runs a [`StateSynchronizer`]; every agent runs an [`Agent`] with a replica of its own.
//!
//! ```
//! use std::sync::Arc;
//! use swarm_sync::{Agent, Key, MemoryCoordinator, MemoryStore, StateSynchronizer, SwarmId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let coordinator = Arc::new(MemoryCoordinator::default());
//! let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), coordinator.clone())
//!     .start()
//!     .await?;
//!
//! let agent = Agent::builder("agent-1", coordinator.link()).swarm("team").start().await?;
//! agent.add("task_count", 42).await?;
//! agent.wait_in_step(std::time::Duration::from_secs(5)).await?;
//!
//! let (swarm, key) = (SwarmId::new("team")?, Key::new("task_count")?);
//! let report = hub.synchronize_state(&swarm, &key, None).await?;
//! assert_eq!(report.responded.len(), 1);
//! let state = hub.get_state(&swarm, &key).await?.expect("the agent has written it");
//! assert_eq!(state.value, Some(42.into()));
//!
//! agent.shutdown().await;
//! hub.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! The layers below can be used alone: `sync-core` and `sync-resolve` for merging only, with a store
//! or a transport of your own where you need one. This crate adds the tasks that drive the machines
//! of `sync-protocol`; rules that a driver could get wrong are not in it.

mod agent;
mod authority;
#[cfg(feature = "cache")]
mod cache;
mod chance;
mod client;
mod clock;
mod consensus;
mod disk_space;
mod error;
mod fair;
mod hub;
#[cfg(any(feature = "redb", feature = "sled"))]
pub mod keeping;
mod memory;
mod merge;
#[cfg(feature = "metrics")]
mod meter;
#[cfg(not(feature = "metrics"))]
#[path = "no_meter.rs"]
mod meter;
#[cfg(feature = "metrics")]
pub mod metrics;
mod panicked;
mod past;
#[cfg(feature = "policy-file")]
pub mod policy_file;
#[cfg(feature = "policy-file")]
pub mod rights_file;
pub mod span;
mod spans;
mod store_queue;
#[cfg(all(test, feature = "tcp"))]
mod under_faults;
mod watch;

pub use sync_protocol as protocol;
pub use sync_resolve as resolve;
pub use sync_store as store;
pub use sync_transport as transport;

pub use agent::{
    Agent, AgentBuilder, AgentState, CounterOf, MapOf, ProposalEvent, Proposals, RegisterOf, SetOf,
    WriteOptions,
};
pub use authority::{Authority, Expected, Transaction};
#[cfg(feature = "cache")]
pub use cache::{CacheOptions, CacheStats, CachedClient, CachedState};
pub use client::Client;
pub use clock::SystemClock;
pub use consensus::{Agreement, ConsensusManager, ProposalDraft, Voter, voter_fn};
pub use error::StartError;
pub use hub::{Reloaded, StateSynchronizer, SynchronizerBuilder};
pub use memory::{Memory, MemoryProvider};
pub use merge::{Merge, Merges, merge_fn};
pub use sync_core::transport::{PROTOCOL_MAX, PROTOCOL_MIN};
pub use sync_core::{
    About, Ack, Activity, AgentId, AgentStatus, AlgorithmStatistics, Allowed, Answer, Ask, Ballot,
    Cast, Change, ChangeKind, Claim, Clock, CommitOutcome, CommittedEffect, Compression,
    ConsensusAlgorithm, Coordinator, Current, Cursor, Decision, Delta, DeltaCounts, Did, DiffNext,
    DiffPage, Digest, Dropped, DroppedBy, Durability, Effect, Epoch, FIELD_BYTES_MAX, Grant,
    History, HistoryPage, HubStatus, IdError, Incarnation, KEY_BYTES_MAX, Key, KeyDiff,
    KeyExplanation, KeyReport, Knew, Lease, Link, LossReason, MemberStatus, MemoryStats, MergeRule,
    Namespace, NamespaceStats, Now, Omitted, OnConcurrent, Operation, PastAnswer, PastAsk,
    PastCommit, PastKind, PastLoss, PastState, PastValue, PastWrite, Pattern, PeriodicStatus,
    Policies, Policy, PolicyError, Poll, Priority, Proposal, ProposalId, Reason, Receipt,
    ReceiptPlace, RequestError, Resolver, Resolvers, Revision, Right, Rights, RoundCounts,
    RuleConflicts, SameCounts, Seen, Share, Sibling, Since, StaleKey, Stamp, StateMetadata,
    StateVersion, Store, StoreError, SwarmId, SyncReport, Tally, Token, Topology, TopologyInfo,
    Traffic, TransportError, Ttl, Value, ValueError, Verdict, Version, Vote, Weights, WriteId,
};
pub use sync_protocol::{
    Covers, Fate, KEEP_FREE, Limits, PeriodicPlan, RECEIPTS_WAITING_MAX, ReplicaStatus,
    ScheduleError,
};
pub use sync_store::MemoryStore;
#[cfg(any(feature = "redb", feature = "sled"))]
pub use sync_store::{Found, STORE_FORMAT, lock_file, look};
#[cfg(feature = "redb")]
pub use sync_store::{RedbOptions, RedbStore};
#[cfg(feature = "sled")]
pub use sync_store::{SledOptions, SledStore};
#[cfg(feature = "tls")]
pub use sync_transport::tls;
pub use sync_transport::{CoordinatorOptions, LinkOptions, MemoryCoordinator, MemoryLink};
#[cfg(feature = "tcp")]
pub use sync_transport::{TcpCoordinator, TcpLink};
pub use watch::{Watch, WatchEvent};

/// The examples of the README and of the patterns are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../docs/patterns.md")]
struct Doctests;
