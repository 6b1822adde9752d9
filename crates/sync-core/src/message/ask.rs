//! What a hub can be asked, and what it answers.

use std::sync::Arc;

use bincode::{Decode, Encode};

use crate::about::About;
use crate::authority::{Attempt, AuthorityAnswer, AuthorityAsk};
use crate::codec::List;
use crate::consensus::{Decision, Proposal};
use crate::error::RequestError;
use crate::id::{AgentId, Epoch, Key, Revision, Version, WriteId};
use crate::memory::{MemoryAnswer, MemoryAsk};
use crate::past::{PastAnswer, PastAsk};
use crate::policy::{Pattern, Policy};
use crate::receipt::Receipt;
use crate::report::{Ack, Delta, HubStatus, Since, StateVersion, SyncReport, Watched};
use crate::resolver::Operation;
use crate::value::Value;

/// The answer to a request, or why there is none.
pub type Reply = Result<Answer, RequestError>;

/// A request that the hub answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every receiver must handle every request"
)]
pub enum Ask {
    /// The version of a key: `VersionReply`, here [`Answer::Version`].
    Version(Key),
    /// The state of a key.
    Get(Key),
    /// The keys that match a pattern and hold a value, ascending, after `after`.
    Keys {
        /// Which keys.
        pattern: Pattern,
        /// Continue after this key.
        after: Option<Key>,
    },
    /// The changes since some position, as values.
    Delta(Since),
    /// A write decided at the hub, for peers that hold no replica.
    Write {
        /// The key.
        key: Key,
        /// What to do.
        operation: Operation,
        /// User metadata, a map.
        metadata: Option<Value>,
    },
    /// A full synchronization.
    Sync {
        /// The keys.
        keys: List<Key>,
        /// How long to wait for agents, in milliseconds; none for the hub's default.
        timeout_ms: Option<u64>,
    },
    /// Cover everything the hub holds of one key, or of all.
    Clear(Option<Key>),
    /// Where the hub stands.
    Status,
    /// The policies in force.
    Policies,
    /// Read the policies anew from where the hub has them.
    ReloadPolicies,
    /// The committed changes of keys that match, in order of their revisions; answered as soon as there
    /// are any. The next question starts where the answer ends.
    Watch {
        /// Which keys.
        pattern: Pattern,
        /// After which position; none for what is committed from now on.
        from: Option<Since>,
        /// How long to wait for a change before an answer without any, in milliseconds.
        wait_ms: u64,
    },
    /// Have the roster vote; answered with the decision. Asked again with the same id it is the same
    /// proposal, also once it is decided.
    Propose(Box<Proposal>),
    /// Something of the memory provider.
    Memory(MemoryAsk),
    /// What the hub alone decides. Asked again as the same attempt it gets the same answer.
    Authority {
        /// Which request of the asker's.
        attempt: Attempt,
        /// What to decide.
        ask: AuthorityAsk,
    },
    /// Something about the past.
    Past(PastAsk),
    /// How many agents, other than the one that asks, have confirmed to hold everything up to a revision,
    /// each at its own store's level. Answered as soon as there are enough.
    Held {
        /// The run of the hub that the revision is of, if the asker knows it: checked against the hub's
        /// lineage.
        epoch: Option<Epoch>,
        /// Up to here.
        revision: Revision,
        /// How many are enough.
        replicas: u32,
        /// How long to wait for them before an answer that names fewer, in milliseconds.
        wait_ms: u64,
    },
    /// A page of the receipts that wait for an agent or a client, the oldest first.
    Receipts {
        /// Whose.
        agent: AgentId,
        /// Continue after this one.
        after: Option<ReceiptPlace>,
    },
    /// The client that asks has dealt with these receipts.
    TakeReceipts(List<WriteId>),
    /// Take an agent off the roster. What it wrote stays, and it is on it again once it connects.
    Unregister(AgentId),
    /// Which versions the hub speaks, and what its clock says.
    About,
}

/// Where a receipt stands among those that wait: its revision, whether it is of one write, and its id.
pub type ReceiptPlace = (Revision, bool, WriteId);

/// The answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_enums, reason = "one case per request")]
pub enum Answer {
    /// To [`Ask::Version`].
    Version(Option<Version>),
    /// To [`Ask::Get`].
    State(Option<Box<StateVersion>>),
    /// To [`Ask::Keys`]: a page of keys, none of which need be on it.
    Keys {
        /// The keys.
        keys: List<Key>,
        /// The rest is after this key; none if there is no rest.
        next: Option<Key>,
    },
    /// To [`Ask::Delta`].
    Delta(Delta),
    /// To [`Ask::Write`].
    Written(Ack),
    /// To [`Ask::Sync`].
    Synced(SyncReport),
    /// To [`Ask::Clear`]: how many keys held a value.
    Cleared(u64),
    /// To [`Ask::Status`].
    Status(Box<HubStatus>),
    /// To [`Ask::Policies`] and [`Ask::ReloadPolicies`].
    Policies(List<Policy>),
    /// To [`Ask::Watch`].
    Watched(Watched),
    /// To [`Ask::Propose`].
    Decided(Arc<Decision>),
    /// To [`Ask::Memory`].
    Memory(MemoryAnswer),
    /// To [`Ask::Authority`].
    Authority(AuthorityAnswer),
    /// To [`Ask::Past`].
    Past(PastAnswer),
    /// To [`Ask::Held`]: how many have confirmed it.
    Held(u32),
    /// To [`Ask::Receipts`].
    Receipts {
        /// The receipts.
        receipts: List<Receipt>,
        /// Where the last of them stands; none if none waits there.
        last: Option<ReceiptPlace>,
    },
    /// To [`Ask::TakeReceipts`]: how many of them had waited.
    Taken(u64),
    /// To [`Ask::Unregister`]: whether it was on the roster.
    Unregistered(bool),
    /// To [`Ask::About`].
    About(About),
}
