//! What a caller asks of a replica and is answered, and what the replica asks of its driver.

use std::time::Duration;

use sync_core::{
    Ack, Answer, Ask, AuthorityAsk, Ballot, Batch, Durability, Key, Message, Operation, Poll,
    ProposalId, Receipt, RequestError, Since, Value, Verdict, WriteId,
};

use super::Fate;
#[cfg(doc)]
use super::Replica;
use crate::gate::Token;

/// The number under which a caller recognises its answer.
pub type RequestId = u64;

/// What a caller asks of a replica. Reads that need no hub are methods of [`Replica`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every driver passes every command on"
)]
pub enum Command {
    /// Do something to a key; answered once it is as durable as its policy or its caller wants.
    Write {
        /// The key.
        key: Key,
        /// What to do.
        operation: Operation,
        /// What to hang on the write: a map.
        metadata: Option<Value>,
        /// Answered once it has reached this level, beyond what the key's policy asks for.
        level: Option<Wanted>,
    },
    /// Wait until every write made so far is durable at the hub.
    FlushToHub {
        /// Give up after this.
        timeout: Duration,
    },
    /// Wait until every write made so far is durable here.
    FlushToDisk,
    /// Ask the hub.
    Ask {
        /// What.
        ask: Ask,
        /// Give up after this.
        timeout: Duration,
    },
    /// Have the hub decide; answered with what it says.
    Decide {
        /// What.
        ask: AuthorityAsk,
        /// Give up after this.
        timeout: Duration,
    },
    /// Vote on a proposal that this run was told of; answered once the hub has counted the vote, which is
    /// kept and sent whenever there is a hub to send it to. A vote that an earlier run has given is sent
    /// again if it is the same. Any other id is refused, and nothing is written.
    Vote {
        /// On which proposal.
        proposal: ProposalId,
        /// The vote.
        ballot: Ballot,
        /// Wait no longer than this; the vote stays.
        timeout: Duration,
    },
    /// The caller has dealt with these receipts: forget them.
    TakeReceipts(Vec<WriteId>),
    /// Propose again what this receipt gave back, in the place of what it lost against; the receipt is
    /// taken with that. Answered as a write.
    Repropose(WriteId),
    /// Wait until a write has reached a level, or has ended otherwise; answered with its fate.
    WaitForLevel {
        /// The write.
        write: WriteId,
        /// Which.
        level: Durability,
        /// Give up after this.
        timeout: Duration,
    },
    /// Wait until everything up to a position is held here. Refused with [`RequestError::EpochMismatch`] or
    /// [`RequestError::Ahead`] if the log of this replica's hub does not hold it.
    WaitForPosition {
        /// Where; a bare revision is one of the log that this replica follows.
        at: Since,
        /// Give up after this.
        timeout: Duration,
    },
}

/// A level that a write is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "all there is to say")]
pub struct Wanted {
    /// Which.
    pub level: Durability,
    /// Answer with [`RequestError::Unreached`] after this; the write stays.
    pub timeout: Duration,
}

/// The answer to a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one case per command")]
pub enum Outcome {
    /// To [`Command::Write`] and [`Command::Repropose`].
    Written(Ack),
    /// To both flushes, to [`Command::Vote`] and [`Command::WaitForPosition`].
    Done,
    /// To [`Command::TakeReceipts`]: how many of them had waited.
    Taken(u64),
    /// To [`Command::Ask`] and [`Command::Decide`].
    Answered(Answer),
    /// To [`Command::WaitForLevel`].
    Fate(Fate),
}

/// What a replica asks of its driver, in order.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver must handle every output")]
pub enum ReplicaOutput {
    /// Commit this batch and report to [`Replica::handle_persisted`].
    Persist {
        /// Names the batch in the report.
        token: Token,
        /// The rows.
        batch: Batch,
    },
    /// Send this message to the hub; drop it if the connection is gone.
    Send(Message),
    /// A command is answered.
    Answer {
        /// The number its caller gave it.
        request: RequestId,
        /// The outcome, or why there is none.
        result: Result<Outcome, RequestError>,
    },
    /// A write of this agent came back. It is durable here until it is taken.
    Receipt(Receipt),
    /// This agent is to vote. Once per run and proposal.
    Proposal(Box<Poll>),
    /// The hub has a vote of this agent: there is nothing left to vote on.
    Voted(ProposalId),
    /// A vote is over.
    Decided {
        /// On which proposal.
        proposal: ProposalId,
        /// How it ended.
        verdict: Verdict,
    },
    /// The hub knows nothing any more of a proposal that this agent was told of: how it ended will not be
    /// heard.
    Forgotten(ProposalId),
    /// Close the connection: the hub broke the protocol.
    Disconnect(String),
}
