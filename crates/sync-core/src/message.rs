//! Everything that crosses a link after the hello. The enums are closed: a new message is a new
//! protocol version.

mod ask;
mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;

use bincode::{Decode, Encode};
use bytes::Bytes;

use crate::codec::List;
use crate::consensus::{Ballot, Poll, ProposalId, Verdict, VoteOutcome};
use crate::cursor::{Cursor, Resume};
use crate::digest::Digest;
use crate::id::{Epoch, Incarnation, Key, Revision, Seq, WriteId};
use crate::policy::Policy;
use crate::transport::Turn;

pub use self::ask::{Answer, Ask, ReceiptPlace, Reply};
pub use self::sweep::{Scope, Spot};

/// A message: a small body and, for those that carry state, segments encoded once for all receivers
/// (see [`crate::segment::Segment`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub body: Body,
    /// The state that goes with it, one key each.
    pub segments: Vec<Bytes>,
    /// When it goes: the sender's affair, which the receiver does not see.
    pub turn: Turn,
}

impl Message {
    /// A message with state.
    pub fn with(body: Body, segments: Vec<Bytes>) -> Self {
        Self {
            body,
            segments,
            turn: Turn::InLine,
        }
    }

    /// The same at another turn.
    #[must_use]
    pub fn at(self, turn: Turn) -> Self {
        Self { turn, ..self }
    }

    /// Bytes of state in it.
    pub fn segment_bytes(&self) -> usize {
        self.segments.iter().map(Bytes::len).sum()
    }
}

impl From<Body> for Message {
    fn from(body: Body) -> Self {
        Self::with(body, Vec::new())
    }
}

/// What a message says. Segments go with `Push`, `StateResponse`, `Offer`, `DeltaReply`,
/// `StateUpdate`, `Ahead`, `RepairReply` and `Swept`; a piece (see [`crate::pieces`]) with `Receipts` and `Reply`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every receiver must handle every message"
)]
pub enum Body {
    /// Agent to hub: the changes after my cursor. The first message of a connection; it settles
    /// whether the cursor is valid, and nothing is pushed before.
    DeltaRequest {
        /// Returned in the reply.
        request: u64,
        /// How far I am; none on the first contact.
        cursor: Option<Cursor>,
        /// Where inside the next revision the page starts.
        resume: Option<Resume>,
        /// The fingerprint of the policies I know; others are sent ahead of the reply.
        policies: u64,
    },
    /// Hub to agent.
    DeltaReply {
        /// That of the request.
        request: u64,
        /// What follows.
        outcome: DeltaOutcome,
    },
    /// Agent to hub: my own writes `after < seq <= upto`, a segment for each of `seqs`. Numbers in
    /// between are vouched for: they were overwritten by me or are in state I have sent whole.
    Push {
        /// Which of the agent's runs wrote them.
        incarnation: Incarnation,
        /// The last number before these.
        after: Seq,
        /// The last number of these.
        upto: Seq,
        /// The numbers that come with a segment, ascending.
        seqs: List<Seq>,
    },
    /// Hub to agent: every write up to `upto` is committed and durable, or has a receipt.
    Committed {
        /// Of that run.
        incarnation: Incarnation,
        /// Up to here.
        upto: Seq,
        /// Those of the push that were refused and whose receipts wait: not the hub's to keep.
        refused: List<Seq>,
        /// Where the hub is with them. From here on the agent relies on it for these writes, so a hub
        /// that lost this revision must be found out.
        standing: Standing,
    },
    /// Hub to agent: numbers are missing; push again after `known`.
    Gap {
        /// Of that run.
        incarnation: Incarnation,
        /// The last number known without a gap.
        known: Seq,
    },
    /// Hub to agent: what do you hold of these keys that I may lack?
    StateRequest {
        /// The round.
        round: RoundId,
        /// Large rounds ask in parts.
        part: u32,
        /// The keys and the digests of the hub's entries.
        keys: List<(Key, Digest)>,
    },
    /// Agent to hub: segments of what the hub lacks. A key that is not among them is the same.
    StateResponse {
        /// The round.
        round: RoundId,
        /// The part answered.
        part: u32,
        /// This frame among the part's frames, from 0.
        index: u32,
        /// How many frames answer the part.
        frames: u32,
    },
    /// Hub to agent: the commits `from < revision <= to`.
    StateUpdate {
        /// The hub's run.
        epoch: Epoch,
        /// The revision before.
        from: Revision,
        /// The revision after.
        to: Revision,
        /// This frame among those that carry these commits, from 0.
        index: u32,
        /// How many frames carry them; only the last one moves the cursor, after all others.
        frames: u32,
    },
    /// Either to the other: state that is due later, sent before what waits in line. It is joined and
    /// comes again in its turn; it moves no position, and may get lost.
    Ahead {
        /// The hub's run; of an agent, the one it has settled with.
        epoch: Epoch,
        /// From the hub, the revision that the state belongs to; from an agent, its position.
        revision: Revision,
    },
    /// Agent to hub: I hold everything up to here durably.
    Ack {
        /// The hub's run.
        epoch: Epoch,
        /// Up to here.
        revision: Revision,
    },
    /// Agent to hub after an invalid cursor: all I hold, in order of `index`.
    Offer {
        /// Numbers the agent's offers: a later one starts anew.
        offer: u64,
        /// This frame, from 0.
        index: u32,
        /// No further frame follows.
        last: bool,
    },
    /// Hub to agent: the offer's frames up to `index` are durable.
    OfferAck {
        /// Which offer's.
        offer: u64,
        /// Up to here.
        index: u32,
    },
    /// Agent to hub: a write of mine to this key was refused; what do you hold?
    RepairRequest {
        /// The key.
        key: Key,
    },
    /// Hub to agent: the whole entry as of `revision`, to take the place of the agent's.
    RepairReply {
        /// The key.
        key: Key,
        /// As of this commit.
        revision: Revision,
        /// This frame, from 0.
        index: u32,
        /// How many frames carry the entry.
        frames: u32,
    },
    /// Hub to agent: what became of your writes, a [`List`] of receipts, oldest first, in pieces.
    Receipts {
        /// Numbers what a connection was sent in pieces.
        delivery: u64,
        /// This piece, from 0.
        index: u32,
        /// How many pieces there are.
        frames: u32,
        /// Where the hub is: whether more wait than these.
        standing: Standing,
    },
    /// Agent to hub: these receipts are durable here.
    ReceiptsTaken {
        /// The writes they are about.
        writes: List<WriteId>,
    },
    /// Agent to hub: which policies hold?
    PolicyRequest,
    /// Hub to agent: the table, also whenever it changes.
    Policies {
        /// The policies.
        policies: List<Policy>,
    },
    /// Hub to agent: vote on this, as long as you have not; said again after each reconnect.
    Proposal {
        /// What to vote on.
        poll: Arc<Poll>,
    },
    /// Agent to hub: my vote, durable here.
    Vote {
        /// On which proposal.
        proposal: ProposalId,
        /// The fingerprint that came with it.
        about: Digest,
        /// The vote.
        ballot: Ballot,
    },
    /// Hub to agent: what became of your vote. The hub relies on none that is not durable there.
    VoteReply {
        /// On which proposal.
        proposal: ProposalId,
        /// What the vote was about, as it said: what is meant for an earlier one under the id is not taken
        /// for this one's.
        about: Digest,
        /// What became of it.
        outcome: VoteOutcome,
    },
    /// Hub to agent: the vote is over.
    Decided {
        /// Which proposal.
        proposal: ProposalId,
        /// How it ended.
        verdict: Verdict,
    },
    /// Agent to hub: are you there, and is there anything new?
    Ping {
        /// Returned in the answer.
        nonce: u64,
    },
    /// Hub to agent.
    Pong {
        /// That of the ping.
        nonce: u64,
        /// Where the hub is.
        standing: Standing,
    },
    /// Either role to hub: do something and answer.
    Request {
        /// Returned in the reply.
        request: u64,
        /// What to do.
        ask: Ask,
    },
    /// Hub to the asker: a [`Reply`] in pieces.
    Reply {
        /// That of the request.
        request: u64,
        /// Numbers what a connection was sent in pieces: a repeated question has two answers, which may
        /// differ.
        delivery: u64,
        /// This piece, from 0.
        index: u32,
        /// How many pieces there are.
        frames: u32,
    },
    /// Agent to hub: what did these come to? I was told of them, and not of their ends. At most
    /// [`ENDINGS_MAX`](crate::consensus::ENDINGS_MAX).
    Undecided {
        /// Each with the fingerprint that came with it.
        proposals: List<(ProposalId, Digest)>,
    },
    /// Hub to agent: how those of them ended that are not open.
    Ended {
        /// Each with the fingerprint that was asked about. Without a verdict: nothing is known of it any
        /// more, or the id stands for something else.
        proposals: List<(ProposalId, Digest, Option<Verdict>)>,
    },
    /// Hub to agent: what have you written of these keys that I may lack? Whoever holds what I hold has
    /// nothing to tell.
    Sweep {
        /// The round.
        round: RoundId,
        /// Numbers its questions to this agent, from 0: one follows for each page.
        part: u32,
        /// The digest of the hub's state.
        digest: Digest,
        /// Which keys.
        scope: Arc<Scope>,
        /// Go on after this one.
        after: Option<Spot>,
    },
    /// Agent to hub: a page of it, as segments.
    Swept {
        /// The round.
        round: RoundId,
        /// The question answered.
        part: u32,
        /// How far the page reaches; none if nothing follows.
        next: Option<Spot>,
    },
}

/// Where the hub is, for one agent: what it compares itself with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Standing {
    /// The hub's run.
    pub epoch: Epoch,
    /// Its last revision.
    pub revision: Revision,
    /// The digest of its state there.
    pub digest: Digest,
    /// The fingerprint of its policies.
    pub policies: u64,
    /// Receipts that wait for the agent. None means that what became of its writes up to here was
    /// either told or chosen.
    pub receipts: u32,
}

impl Standing {
    /// The position as a cursor.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            epoch: self.epoch,
            revision: self.revision,
            head: self.revision,
        }
    }
}

/// The outcome of a delta request.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every receiver must handle every outcome"
)]
pub enum DeltaOutcome {
    /// Nothing is newer.
    UpToDate {
        /// The hub's position: now also the agent's.
        standing: Standing,
    },
    /// One page, as segments.
    Changes {
        /// The position after applying them.
        to: Cursor,
        /// Where the next page starts; none if this was the last.
        next: Option<Resume>,
        /// The hub's position.
        standing: Standing,
    },
    /// The cursor's run is not in this hub's lineage, or the hub's disk was rolled back below it.
    EpochMismatch {
        /// The hub's run.
        epoch: Epoch,
    },
    /// The cursor is ahead of the hub.
    Ahead {
        /// The hub's last revision.
        head: Revision,
    },
}

/// A round, unique among all hubs: the run of the hub and a counter within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct RoundId {
    /// The hub's run.
    pub epoch: Epoch,
    /// Counts within it.
    pub number: u64,
}

/// The distinct keys of `keys`, in their first order.
pub fn distinct(keys: impl IntoIterator<Item = Key>) -> Vec<Key> {
    let mut met = BTreeSet::new();
    keys.into_iter()
        .filter(|key| met.insert(key.clone()))
        .collect()
}
