//! Every bound and interval of the machines.

use std::time::Duration;

use sync_core::{AgentId, Algorithms, Durability, SwarmId};

use crate::deadlines::Deadlines;
use crate::schedule::Schedule;

/// Bounds that hub and replicas share. Raise them on every node of a swarm alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest encoded value of one write, in bytes. A write must fit a frame beside its context.
    pub value_bytes_max: usize,
    /// State in one message, in bytes; a single write may exceed it up to `value_bytes_max`. Half a
    /// frame, so that header and one oversized neighbour still fit.
    pub page_bytes: usize,
    /// Keys one request may name: bounds what a single asker can make the hub hold.
    pub request_keys_max: usize,
    /// Synchronizations that peers may have under way at once, each a round for every priority among its
    /// keys. More would only ask the same agents again.
    pub rounds_max: usize,
    /// Bytes that the rounds under way may hold: the keys asked for, and who was asked.
    pub round_bytes_max: usize,
    /// How long a round may wait for agents: bounds how long it holds what it holds.
    pub round_deadline_max: Duration,
    /// Functions that merge may be at work at once for a swarm. Each holds the values it was given, and
    /// a service behind them takes so many calls of one client.
    pub merges_max: usize,
    /// Largest encoded request, in bytes: it must fit a frame.
    pub request_bytes_max: usize,
    /// How far a stamp may lie ahead of the receiver's clock. More than any real skew between
    /// machines that run NTP, less than a clock that was set wrong.
    pub drift_max: Duration,
    /// Bytes of writes that may wait for the hub at one agent.
    pub outbox_bytes_max: usize,
    /// Bytes of one key's writes that go ahead of what waits in line: what is larger is no signal, and
    /// would make those in line wait.
    pub ahead_bytes_max: usize,
    /// Bytes in line at an agent that are worth overtaking: less is on its way within one push.
    pub ahead_of_bytes: usize,
    /// Concurrent values of one key that an agent holds before it needs its hub.
    pub siblings_max: usize,
    /// Deleted fields that a hub remembers one by one, per map: as many as a map that is in use has. A
    /// hundred bytes each, and the name.
    pub graves_max: usize,
    /// Bytes that the memory provider may hold for a swarm, persistent and volatile together: all of
    /// it is in the hub's memory, and a name is all it takes to use it.
    pub memory_bytes_max: usize,
    /// Keys that may hold a value in a swarm: all of them are in the hub's memory. Only a write that adds
    /// one is refused.
    pub keys_max: u64,
    /// Bytes that all values of a swarm may take, with what it takes to hold them, names of keys apart.
    /// Only a write that makes it more is refused.
    pub state_bytes_max: u64,
    /// Receipts in one message.
    pub receipts_per_message: usize,
    /// Runs of the hub that a cursor may date back to; an older one is read anew.
    pub lineage_max: usize,
    /// Votes that peers may have under way at once. More than agents can make up their minds about.
    pub polls_max: usize,
    /// Bytes of all their proposals. An agent is told of them by the page, when it connects and with each
    /// of its pings: of so many it has heard after sixteen.
    pub poll_bytes_max: usize,
    /// Largest encoded proposal, in bytes: everybody is sent it. What is larger belongs under a key.
    pub proposal_bytes_max: usize,
    /// Largest roster that votes: with a reason each, what they said fits one answer.
    pub voters_max: usize,
    /// The longest that a vote may take: bounds how long its hub and its voters remember it.
    pub vote_deadline_max: Duration,
    /// Decisions that a hub remembers, for proposers who ask again: an answer that was lost is asked for
    /// within minutes. An id whose decision is forgotten stands for a new proposal.
    pub decisions_max: usize,
    /// Bytes of them, encoded; the last one is remembered whatever its size.
    pub decision_bytes_max: usize,
    /// The longest lease of a claim: what a holder that has died keeps from others, and how long at most a
    /// hub that has started anew grants none.
    pub lease_max: Duration,
    /// Own votes that an agent remembers, so that it says the same again to a hub that asks again.
    pub own_votes_max: usize,
    /// Commits of each key that a hub keeps for those who ask how its value came about, unless a policy
    /// says otherwise: what led to it, and not all there was. 0 keeps none.
    pub history_commits: u32,
    /// Commits of a swarm of which a hub keeps the keys that changed, so that it can tell what changed
    /// between two of them: a few hours of a busy swarm, in about 30 MB. 0 keeps none.
    pub journal_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            value_bytes_max: 512 * 1024,
            page_bytes: 256 * 1024,
            request_keys_max: 100_000,
            rounds_max: 256,
            round_bytes_max: 64 * 1024 * 1024,
            round_deadline_max: Duration::from_hours(1),
            merges_max: 16,
            request_bytes_max: 768 * 1024,
            drift_max: Duration::from_mins(1),
            outbox_bytes_max: 256 * 1024 * 1024,
            ahead_bytes_max: 16 * 1024,
            ahead_of_bytes: 64 * 1024,
            siblings_max: 64,
            graves_max: 1_024,
            memory_bytes_max: 64 * 1024 * 1024,
            keys_max: 10_000_000,
            state_bytes_max: 16 * 1024 * 1024 * 1024,
            receipts_per_message: 64,
            lineage_max: 1_024,
            polls_max: 256,
            poll_bytes_max: 4 * 1024 * 1024,
            proposal_bytes_max: 64 * 1024,
            voters_max: 4_096,
            vote_deadline_max: Duration::from_hours(24),
            decisions_max: 1_024,
            decision_bytes_max: 16 * 1024 * 1024,
            lease_max: Duration::from_hours(1),
            own_votes_max: 1_024,
            history_commits: 16,
            journal_max: 100_000,
        }
    }
}

/// How long a function that has failed to merge is left alone at first. Longer than a service takes to
/// come back that was busy, and than a function may take.
const MERGE_RETRY: Duration = Duration::from_secs(10);

/// Bytes of its disk that a node leaves free unless told otherwise: room for a few of the largest commits of
/// the storage engines, and for what goes on when writes are refused.
pub const KEEP_FREE: u64 = 64 * 1024 * 1024;

/// What a hub needs to know.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// The swarm it serves.
    pub swarm: SwarmId,
    /// Bounds.
    pub limits: Limits,
    /// How long a round waits for agents unless its caller says otherwise.
    pub deadlines: Deadlines,
    /// What it synchronizes by itself every so often.
    pub schedule: Schedule,
    /// How long after a function has failed to merge it is asked again; twice as long after every
    /// failure more, up to 64 times.
    pub merge_retry: Duration,
    /// Who decides what is voted on.
    pub algorithms: Algorithms,
    /// How long a vote may take unless its proposer says otherwise.
    pub vote_deadline: Duration,
    /// Whether its disk was lost or damaged: a swarm that it finds nothing of may have had claims.
    pub disk_lost: bool,
    /// Bytes of its disk to leave free: with less it takes no new writes; 0 never refuses one.
    pub keep_free: u64,
}

impl HubConfig {
    /// The defaults: rounds wait as long as the specification has it, nobody but a caller starts one, and
    /// votes take 10 s. There are no algorithms before they are given.
    pub fn new(swarm: SwarmId) -> Self {
        Self {
            swarm,
            limits: Limits::default(),
            deadlines: Deadlines::default(),
            schedule: Schedule::default(),
            merge_retry: MERGE_RETRY,
            algorithms: Algorithms::default(),
            vote_deadline: Duration::from_secs(10),
            disk_lost: false,
            keep_free: KEEP_FREE,
        }
    }
}

/// What a replica needs to know.
#[derive(Debug, Clone)]
pub struct ReplicaConfig {
    /// The swarm it belongs to.
    pub swarm: SwarmId,
    /// Its agent's name.
    pub agent: AgentId,
    /// Bounds.
    pub limits: Limits,
    /// What a completed batch survives: the store's level, which acknowledgements name.
    pub durability: Durability,
    /// How long an answer may take before the question is asked again. Longer than a slow page.
    pub retry: Duration,
    /// How long a write waits for the hub where a policy asks for that.
    pub ack_timeout: Duration,
    /// How often the hub is asked whether anything is new: the resolution of a read's age.
    pub beat: Duration,
    /// Bytes of its disk to leave free: with less it takes no new writes; 0 never refuses one.
    pub keep_free: u64,
}

impl ReplicaConfig {
    /// The defaults: a beat of 1 s, a retry after 10 s.
    pub fn new(swarm: SwarmId, agent: AgentId, durability: Durability) -> Self {
        Self {
            swarm,
            agent,
            durability,
            limits: Limits::default(),
            retry: Duration::from_secs(10),
            ack_timeout: Duration::from_secs(10),
            beat: Duration::from_secs(1),
            keep_free: KEEP_FREE,
        }
    }
}
