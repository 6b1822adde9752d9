//! What only the hub decides, because two agents that cannot see each other must not: compare-and-set,
//! several keys at once, and claims.

mod claim;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::codec::List;
use crate::cursor::Seen;
use crate::id::{Epoch, Incarnation, Key, Revision, Version};
use crate::value::Value;

pub use self::claim::{Claim, Token};

/// Names one request of one asker, so that asking again gets the first answer instead of a second
/// decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "a name, and what it ends")]
pub struct Attempt {
    /// The asker's run.
    pub run: Incarnation,
    /// Counts its requests, from 1.
    pub number: u64,
    /// The answers to all requests of that run up to this number have arrived: nobody asks again.
    pub answered: u64,
    /// Whether it was said before, where the hub that is asked now may not know what became of it: to
    /// another run of the hub, as far as the asker can tell.
    pub again: bool,
}

impl Attempt {
    /// Its name.
    pub fn id(&self) -> AttemptId {
        AttemptId {
            run: self.run,
            number: self.number,
        }
    }
}

/// Which request of its asker something was decided for: it stays with what was written, so that what
/// stands tells what became of a request whose answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "a name")]
pub struct AttemptId {
    /// The asker's run.
    pub run: Incarnation,
    /// Counts its requests, from 1.
    pub number: u64,
}

/// What must hold for a commit to happen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_enums, reason = "the hub must check every one")]
pub enum Expectation {
    /// The key is at this version.
    Version {
        /// Which key.
        key: Key,
        /// The version; 0 if the key must not hold a value.
        version: Version,
        /// Where the version was read; none if the asker does not know. A version counts in one lineage
        /// of runs only: a hub that lost its disk numbers anew.
        at: Option<Seen>,
    },
    /// The claim of the key that this token stands for has not ended.
    Claim {
        /// Which key.
        key: Key,
        /// The token.
        token: Token,
    },
}

/// What a commit makes of a key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "a key and its value")]
pub struct Assignment {
    /// The key.
    pub key: Key,
    /// Its value; none deletes it.
    pub value: Option<Value>,
}

/// A request that the hub alone decides.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every receiver must handle every request"
)]
pub enum AuthorityAsk {
    /// If all of this holds, do all of that, in one commit; else nothing.
    Commit {
        /// What must hold.
        expect: List<Expectation>,
        /// What then happens.
        assign: List<Assignment>,
        /// What to hang on the writes: a map.
        metadata: Option<Value>,
    },
    /// Have a key for oneself, until the lease ends or is given back.
    Claim {
        /// Which key.
        key: Key,
        /// For how long, in milliseconds, from when the hub grants it.
        lease_ms: u64,
    },
    /// Begin the lease of a claim anew.
    Renew {
        /// Which key.
        key: Key,
        /// The claim.
        token: Token,
        /// For how long from now.
        lease_ms: u64,
    },
    /// End a claim.
    Release {
        /// Which key.
        key: Key,
        /// The claim.
        token: Token,
    },
}

/// The answer to an [`AuthorityAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_enums, reason = "one case per request")]
pub enum AuthorityAnswer {
    /// To [`AuthorityAsk::Commit`]: it has happened.
    Committed(CommitOutcome),
    /// To [`AuthorityAsk::Claim`] and [`AuthorityAsk::Renew`].
    Claimed(Lease),
    /// To [`AuthorityAsk::Release`]: others may claim the key.
    Released,
}

/// What a commit that the hub decided came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "a position and the versions")]
pub struct CommitOutcome {
    /// The hub's run.
    pub epoch: Epoch,
    /// The commit.
    pub revision: Revision,
    /// What the keys it was to change are at now, in the order asked for; none for those it deleted.
    pub versions: List<(Key, Option<Version>)>,
}

/// A claim that was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "a claim and its time")]
pub struct Lease {
    /// The key.
    pub key: Key,
    /// What proves the claim.
    pub token: Token,
    /// For how long from when the hub granted it.
    pub lease_ms: u64,
}

impl Lease {
    /// A claim of which only the token is known, which is all that proves it.
    pub fn of_token(key: Key, token: Token) -> Self {
        Self {
            key,
            token,
            lease_ms: 0,
        }
    }
}

/// A key that is not as it was expected to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "what the hub holds of a key")]
pub struct Current {
    /// The key.
    pub key: Key,
    /// The version that was expected; 0 for no value.
    pub expected: Version,
    /// Its version; 0 if it holds no value.
    pub version: Version,
    /// The commit that last changed it.
    pub revision: Revision,
    /// Its value; none if it holds none.
    pub value: Option<Value>,
    /// The value is left out, as it takes about so many bytes: read the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omitted_bytes: Option<u64>,
}
