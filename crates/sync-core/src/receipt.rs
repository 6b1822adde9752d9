//! What became of a write that is not visible although nobody chose so.

use bincode::{Decode, Encode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::codec;
use crate::id::{AgentId, Key, Revision, WriteId};
use crate::payload::Payload;
use crate::resolver::MergeRule;
use crate::stamp::Stamp;
use crate::value::Value;

/// The fate of one discarded write, delivered to its writer and kept by the hub until acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Receipt {
    /// The write.
    pub write: WriteId,
    /// Its key.
    pub key: Key,
    /// When it was made.
    pub stamp: Stamp,
    /// What it had written, so that it can be proposed again.
    #[serde(flatten, serialize_with = "payload_parts")]
    pub discarded: Payload,
    /// Why it is not visible.
    pub reason: Reason,
    /// The commit that decided.
    pub revision: Revision,
}

/// Why a write was discarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "reason", rename_all = "kebab-case")]
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
    /// It was covered, and the hub that knew why has lost its disk. Reported although it may have been
    /// replaced knowingly: saying too much is allowed here, silence is not.
    Unknown,
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
            Reason::Superseded { .. } | Reason::Merged { .. }
        )
    }
}

/// A sentence for people.
impl std::fmt::Display for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (write, key) = (&self.write, &self.key);
        match &self.reason {
            Reason::Superseded { winner, rule, .. } => {
                write!(
                    f,
                    "{write} to {key:?} lost against the concurrent {winner} under {rule}"
                )
            }
            Reason::Merged { by, into } => {
                write!(f, "{write} to {key:?} was merged by {by} into {into}")
            }
            Reason::RuleMismatch { rule } => write!(
                f,
                "{write} was not admitted: {key:?} is under the rule {rule}, by a policy or an earlier write; use another key"
            ),
            Reason::FutureStamp { ahead_ms, limit_ms } => write!(
                f,
                "{write} was not admitted: its clock is {ahead_ms} ms ahead of the hub's, \
                 {limit_ms} ms are tolerated; set the clock and write again"
            ),
            Reason::Unknown => write!(
                f,
                "{write} to {key:?} is no longer visible, and the hub that knew why has lost its disk"
            ),
            Reason::TooLarge { bytes, limit } => write!(
                f,
                "{write} was not admitted: {bytes} bytes are over the limit of {limit} for {key:?}"
            ),
        }
    }
}

/// The value, and the field it is of.
fn payload_parts<S: Serializer>(payload: &Payload, serializer: S) -> Result<S::Ok, S::Error> {
    let field = payload.field_name();
    let mut parts = serializer.serialize_map(None)?;
    if let Some(field) = field {
        parts.serialize_entry("field", field)?;
    }
    parts.serialize_entry("discarded", &payload.value())?;
    parts.end()
}
