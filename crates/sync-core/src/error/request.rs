//! Why a hub or a replica did not do what it was asked.

mod from;

use bincode::{Decode, Encode};
use serde::Serialize;
use thiserror::Error;

use super::sentence::{conflicts, told};
use crate::authority::{Current, Token};
use crate::codec::List;
use crate::consensus::Vote;
use crate::id::{AgentId, Epoch, Key, ProposalId, Revision, WriteId};
use crate::policy::Priority;
use crate::receipt::Quota;
use crate::store::Durability;
use crate::value::Value;

/// Why the hub or a replica did not do what it was asked. Unless a variant says otherwise, no state
/// has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Encode, Decode)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RequestError {
    /// The operation does not fit the key.
    #[error("{reason}")]
    Operation {
        /// The rule's sentence.
        reason: String,
    },
    /// The value is over the limit.
    #[error(
        "the value takes {bytes} bytes; the limit is {limit}: split it, or raise the limit where it is set, in the key's policy or else on every agent and the hub"
    )]
    TooLarge {
        /// Its encoded size in bytes.
        bytes: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// The request does not fit a message.
    #[error("the request takes {bytes} bytes; the limit is {limit}: name fewer keys at a time")]
    RequestTooLarge {
        /// Its encoded size in bytes.
        bytes: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// The hub has the answer, but it is larger than an answer may be.
    #[error(
        "the answer takes {bytes} bytes; the limit is {limit}: ask for fewer keys at a time, or read what is one value through an agent, which holds the state itself"
    )]
    AnswerTooLarge {
        /// Its encoded size in bytes.
        bytes: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// The value, key or metadata is not valid.
    #[error("{reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// No agent is connected, so a round would reach nobody.
    #[error(
        "no agent is connected ({roster} on the roster): nothing was synchronized; start an agent, or wait for one"
    )]
    NobodyConnected {
        /// How many agents the roster knows.
        roster: u32,
    },
    /// Every connected agent was silent until the deadline.
    #[error(
        "none of {asked} connected agents answered within {deadline_ms} ms: nothing was synchronized"
    )]
    NobodyAnswered {
        /// How many were asked.
        asked: u32,
        /// The deadline.
        deadline_ms: u64,
    },
    /// More keys than one request may name.
    #[error("{keys} keys in one request; the limit is {limit}: split them")]
    TooManyKeys {
        /// How many were named.
        keys: u64,
        /// The most allowed.
        limit: u64,
    },
    /// As many rounds are under way as the hub can hold, or as one connection may have.
    #[error(
        "{open} rounds are under way, as many as the hub holds or one connection may have: ask again when some have ended"
    )]
    TooManyRounds {
        /// How many are under way, of all or of this connection.
        open: u64,
    },
    /// The position is not of this hub's log.
    #[error(
        "the position belongs to another run of the hub, which its log does not continue ({epoch} is the current one): what was read there may be lost; read anew, a log once from revision 0"
    )]
    EpochMismatch {
        /// The hub's current run.
        epoch: Epoch,
    },
    /// The position lies after the hub's last revision.
    #[error("the position is ahead of the hub, whose last revision is {}: it is another hub's, or this hub lost state", head.get())]
    Ahead {
        /// The hub's last revision.
        head: Revision,
    },
    /// There is no connection to a hub; the operation needs one.
    #[error("not connected to a hub: {doing} needs one; writes and reads go on meanwhile")]
    Unavailable {
        /// What was asked.
        doing: String,
    },
    /// Too many writes wait for the hub, for one of this priority.
    #[error(
        "{bytes} bytes of writes wait for the hub; writes of {priority} priority are taken up to {limit}, {percent} % of the room there is: let this agent reach its hub"
    )]
    OutboxFull {
        /// How much waits.
        bytes: u64,
        /// The most at which a write of that priority is taken.
        limit: u64,
        /// The priority of the write's key.
        priority: Priority,
        /// The limit's share of all the room there is.
        percent: u8,
    },
    /// Too many concurrent values wait for the hub's decision.
    #[error(
        "{siblings} concurrent values of this key wait for the hub's decision, the limit is {limit}: let this agent reach its hub"
    )]
    TooManySiblings {
        /// How many wait.
        siblings: u64,
        /// The most allowed.
        limit: u64,
    },
    /// A wait ran out. What was asked may still happen.
    #[error("{doing} took longer than {limit_ms} ms; if it changes anything, it may still happen")]
    Deadline {
        /// What was waited for.
        doing: String,
        /// The deadline.
        limit_ms: u64,
    },
    /// The node stopped, because it was told to or because its store failed.
    #[error("this node has stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// The connection ended before the answer came. What was asked may still happen.
    #[error(
        "the connection to the hub was lost: {reason}; what was asked may have happened, look before you repeat it"
    )]
    ConnectionLost {
        /// Why.
        reason: String,
    },
    /// The swarm's memory has no room for the value.
    #[error(
        "with this value the memory of the swarm would take {bytes} bytes; the limit is {limit}: delete what is not needed, clear a namespace, or raise the limit at the hub"
    )]
    MemoryFull {
        /// How much it would take.
        bytes: u64,
        /// The most allowed.
        limit: u64,
    },
    /// The hub had no room left and ended this synchronization for a more urgent one.
    #[error(
        "the hub ended a round over keys of {priority} priority, as it had no room left for one of {by} priority: ask again when fewer are under way"
    )]
    Shed {
        /// The priority of the keys that were not synchronized.
        priority: Priority,
        /// That of the keys they made room for.
        by: Priority,
    },
    /// The agent was not told of what it is to vote on: its vote could be on anything.
    #[error(
        "this agent was told of no proposal {proposal} since it started: wait until it is, then vote; one that joined the roster later has no vote on it"
    )]
    UnknownProposal {
        /// The id that the vote names.
        proposal: ProposalId,
    },
    /// The agent has voted otherwise, or with another reason.
    #[error("this agent has voted {vote} on the proposal {proposal} before: that stands as it is")]
    AlreadyVoted {
        /// On which proposal.
        proposal: ProposalId,
        /// The vote that stands.
        vote: Vote,
    },
    /// Keys are not at the versions that were expected.
    #[error(
        "{}; nothing was changed: decide anew on what is there",
        conflicts(current)
    )]
    Conflict {
        /// Those that are not, as they are.
        current: List<Current>,
    },
    /// Another claim of the key has not ended.
    #[error(
        "{key:?} is claimed by {holder} for {remaining_ms} ms more, if it is not renewed: nothing was changed; watch the key, or ask again then"
    )]
    Claimed {
        /// Which key.
        key: Key,
        /// Who has it.
        holder: AgentId,
        /// What is left of its lease.
        remaining_ms: u64,
    },
    /// The claim that a token stands for has ended.
    #[error(
        "the claim {token} of {key:?} has ended{}: nothing was changed; what was done under it is not the holder's any more", holder.as_ref().map(|h| format!(", and {h} has claimed the key since")).unwrap_or_default()
    )]
    StaleToken {
        /// Of which key.
        key: Key,
        /// The token.
        token: Token,
        /// Who has claimed the key since, and has it.
        holder: Option<AgentId>,
    },
    /// The hub has started anew and cannot know every claim of the run before.
    #[error(
        "the hub has started anew and grants no claims for {remaining_ms} ms more, until every lease of the run before has ended: ask again then"
    )]
    ClaimsPaused {
        /// How much longer.
        remaining_ms: u64,
    },
    /// What a discarded value lost against is no longer what the key shows, so that proposing it again
    /// would replace what its writer was not told of.
    #[error(
        "{winner}, against which it lost, is no longer what is there, but {}: look at that, then write the value yourself if it is still right",
        told(by.as_ref(), current.as_deref())
    )]
    Superseded {
        /// The winner that the receipt names.
        winner: WriteId,
        /// The write that shows now; none if nothing does.
        by: Option<WriteId>,
        /// What it wrote; none if nothing is there.
        current: Option<Box<Value>>,
    },
    /// The write has not come to this replica.
    #[error(
        "this replica does not hold {winner} yet, against which it lost: wait until it is in step with its hub, then propose it again"
    )]
    NotHeld {
        /// The write.
        winner: WriteId,
    },
    /// A write has not reached the level asked for in time. It stays.
    #[error(
        "{write} has reached the level {reached}, and not {asked} within {limit_ms} ms; it stays, and may still get there"
    )]
    Unreached {
        /// The write.
        write: WriteId,
        /// What was asked for.
        asked: Durability,
        /// What it has reached.
        reached: Durability,
        /// The deadline.
        limit_ms: u64,
    },
    /// A value for the memory is over the limit.
    #[error(
        "the value takes {bytes} bytes; a value of the memory takes at most {limit}: split it over several keys"
    )]
    MemoryValueTooLarge {
        /// Its encoded size in bytes.
        bytes: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// The name that asks has no right to it. Says nothing of what there is.
    #[error("no right to {doing}: the rights at the hub do not give it to this name")]
    Forbidden {
        /// What was asked.
        doing: String,
    },
    /// A request that was said before to another run of the hub, which has no answer to it on its disk, and
    /// would not do it now. What was asked may have happened.
    #[error(
        "the hub has started anew since it was first asked, and does not know what became of it; now it would be refused ({refused}). It may have happened, and what it wrote may have been changed since: look at what is there before you ask anew"
    )]
    Uncertain {
        /// The kind of the refusal.
        refused: String,
    },
    /// A token is of a run that the hub's log does not know: invented, another hub's, or lost with its disk.
    #[error(
        "the token {token} of {key:?} names a run that this hub never had, or has lost with its disk: it stands for no claim here, and nothing was changed; claim the key anew"
    )]
    ForeignToken {
        /// Of which key.
        key: Key,
        /// The token.
        token: Token,
    },
    /// The swarm would hold more than its hub lets it.
    #[error(
        "the swarm may hold {limit} {quota}, and would hold more with this: delete what nobody needs, or raise the bound at the hub"
    )]
    QuotaExceeded {
        /// Which bound.
        quota: Quota,
        /// The most that it lets in.
        limit: u64,
    },
    /// The disk of the node that was asked has too little room left.
    #[error(
        "the disk of {node} is nearly full, and {keep} bytes of it are kept free, so that nothing new is taken: make room there, and writes are taken again by themselves; reads and deletes go on"
    )]
    NoSpace {
        /// Whose disk.
        node: String,
        /// What is kept free of it.
        keep: u64,
    },
}

impl RequestError {
    /// A stable word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Operation { .. } => "operation",
            Self::TooLarge { .. } | Self::MemoryValueTooLarge { .. } => "too-large",
            Self::RequestTooLarge { .. } => "request-too-large",
            Self::AnswerTooLarge { .. } => "answer-too-large",
            Self::Invalid { .. } => "invalid",
            Self::NobodyConnected { .. } => "nobody-connected",
            Self::NobodyAnswered { .. } => "nobody-answered",
            Self::TooManyKeys { .. } => "too-many-keys",
            Self::TooManyRounds { .. } => "too-many-rounds",
            Self::EpochMismatch { .. } => "epoch-mismatch",
            Self::Ahead { .. } => "ahead",
            Self::Unavailable { .. } => "unavailable",
            Self::OutboxFull { .. } => "outbox-full",
            Self::TooManySiblings { .. } => "too-many-siblings",
            Self::Deadline { .. } | Self::Unreached { .. } => "deadline",
            Self::Stopped { .. } => "stopped",
            Self::ConnectionLost { .. } => "connection-lost",
            Self::MemoryFull { .. } => "memory-full",
            Self::Shed { .. } => "shed",
            Self::UnknownProposal { .. } => "unknown-proposal",
            Self::AlreadyVoted { .. } => "already-voted",
            Self::Conflict { .. } => "conflict",
            Self::Claimed { .. } => "claimed",
            Self::StaleToken { .. } | Self::ForeignToken { .. } => "stale-token",
            Self::ClaimsPaused { .. } => "claims-paused",
            Self::Superseded { .. } => "superseded",
            Self::NotHeld { .. } => "not-held",
            Self::Forbidden { .. } => "forbidden",
            Self::Uncertain { .. } => "uncertain",
            Self::QuotaExceeded { .. } => "quota-exceeded",
            Self::NoSpace { .. } => "no-space",
        }
    }
}
