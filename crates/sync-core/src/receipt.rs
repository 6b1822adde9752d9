//! What became of a write that is not visible although nobody chose so.

mod compared;
mod json;
mod quota;
mod told;

pub use self::quota::Quota;

pub(crate) use self::compared::compared;

use bincode::{Decode, Encode};

use crate::codec;
use crate::id::{AgentId, Key, Revision, WriteId};
use crate::payload::Payload;
use crate::policy::Pattern;
use crate::resolver::MergeRule;
use crate::stamp::Stamp;
use crate::value::Value;

/// The fate of one discarded write, delivered to its writer and kept by the hub until acknowledged.
///
/// As JSON it is one flat object, which also says [`Receipt::why`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// The write.
    pub write: WriteId,
    /// Its key.
    pub key: Key,
    /// When it was made.
    pub stamp: Stamp,
    /// What it had written, so that it can be proposed again.
    pub discarded: Payload,
    /// Why it is not visible.
    pub reason: Reason,
    /// The commit that decided.
    pub revision: Revision,
}

/// Why a write was discarded.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Reason {
    /// It lost against a concurrent write.
    Superseded {
        /// The write that won. Of deleted fields of a map that the hub does not remember one by one, the
        /// newest.
        winner: WriteId,
        /// When the winner was made.
        winner_stamp: Stamp,
        /// What the winner wrote; none if it was a delete.
        winner_value: Option<Value>,
        /// The rule that decided.
        rule: MergeRule,
    },
    /// A function of the user's has made one value out of it and others.
    Merged {
        /// The function's name.
        by: String,
        /// The write that holds the value.
        into: WriteId,
        /// When that was made.
        into_stamp: Stamp,
        /// The value.
        into_value: Value,
        /// The rule under which the function is called.
        rule: MergeRule,
    },
    /// Another writer's operation had given the key a different rule first.
    RuleMismatch {
        /// The key's rule.
        rule: MergeRule,
    },
    /// Its stamp lies too far in the future: the writer's clock is wrong.
    FutureStamp {
        /// How far ahead of the hub's clock, in milliseconds.
        ahead_ms: u64,
        /// How far is tolerated.
        limit_ms: u64,
    },
    /// Its value is over the limit of its key: the policy's, or the hub's.
    TooLarge {
        /// Its size in bytes.
        bytes: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// More receipts than the policy allows waited for the agent: this one stands for those that were
    /// dropped, the oldest first. It is of no write: its id only names it, its key and its stamp are of
    /// the last one that was dropped, and its revision is where that was decided.
    Dropped {
        /// How many there were.
        count: u64,
        /// The pattern of the policy; none if there is no policy for their keys.
        pattern: Option<Pattern>,
        /// The commit that decided the first of them.
        first: Revision,
    },
    /// It was covered, and the hub that knew why has lost its disk. Reported although it may have been
    /// replaced knowingly: saying too much is allowed here, silence is not.
    Unknown,
    /// Its writer has no right to write the key.
    Forbidden,
    /// The swarm would have held more than its hub lets it.
    QuotaExceeded {
        /// Which bound.
        quota: Quota,
        /// The most that it lets in.
        limit: u64,
    },
}

impl Receipt {
    /// The agent it is for.
    pub fn addressee(&self) -> &AgentId {
        self.write.writer.agent()
    }

    /// How many bytes it takes on the wire. O(size): it is encoded for that.
    pub fn weight(&self) -> usize {
        codec::to_bytes(self).len()
    }

    /// Whether the write was never admitted, or may not have been, so that its writer has to undo its
    /// local effects.
    pub fn refused(&self) -> bool {
        !matches!(
            self.reason,
            Reason::Superseded { .. } | Reason::Merged { .. } | Reason::Dropped { .. }
        )
    }

    /// How many writes it tells of: one, unless it stands for receipts that were dropped.
    pub fn count(&self) -> u64 {
        match self.reason {
            Reason::Dropped { count, .. } => count,
            _ => 1,
        }
    }

    /// The write that it lost against, or that it was merged into.
    pub fn winner(&self) -> Option<&WriteId> {
        match &self.reason {
            Reason::Superseded { winner, .. } => Some(winner),
            Reason::Merged { into, .. } => Some(into),
            _ => None,
        }
    }

    /// When the winner was made.
    pub fn winner_stamp(&self) -> Option<Stamp> {
        match &self.reason {
            Reason::Superseded { winner_stamp, .. } => Some(*winner_stamp),
            Reason::Merged { into_stamp, .. } => Some(*into_stamp),
            _ => None,
        }
    }

    /// What the winner wrote; none if it was a delete, or if there is no winner.
    pub fn winning_value(&self) -> Option<&Value> {
        match &self.reason {
            Reason::Superseded { winner_value, .. } => winner_value.as_ref(),
            Reason::Merged { into_value, .. } => Some(into_value),
            _ => None,
        }
    }

    /// The rule that decided.
    pub fn rule(&self) -> Option<MergeRule> {
        match &self.reason {
            Reason::Superseded { rule, .. }
            | Reason::Merged { rule, .. }
            | Reason::RuleMismatch { rule } => Some(*rule),
            _ => None,
        }
    }
}
