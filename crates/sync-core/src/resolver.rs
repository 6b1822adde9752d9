//! What a merge rule is: which writes an operation covers, and how live writes read as one value.
//! The join is never its business.

mod wire;

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::context::Context;
use crate::entry::Entry;
use crate::error::ValueError;
use crate::id::{WriteId, Writer};
use crate::payload::{Payload, PayloadKind};
use crate::stamp::Stamp;
use crate::value::Value;

/// The rules there are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MergeRule {
    /// The greatest stamp wins; what loses a race comes back to its writer.
    Lww,
    /// Every agent's contribution counts once.
    Counter,
    /// Elements; an add wins over a remove that did not see it.
    Set,
    /// What was written knowingly replaces; what becomes of concurrent values says [`OnConcurrent`].
    Causal,
    /// Fields, each like a key of its own under [`MergeRule::Lww`].
    Map,
    /// A function of the user's makes one value out of concurrent ones, at the hub.
    Custom,
    /// No replica writes: the hub decides every change, by compare-and-set or as a claim.
    Authority,
}

impl MergeRule {
    /// What becomes of concurrent values unless a policy says otherwise.
    pub fn on_concurrent(self) -> OnConcurrent {
        match self {
            Self::Causal => OnConcurrent::Keep,
            Self::Custom => OnConcurrent::Custom,
            Self::Lww | Self::Counter | Self::Set | Self::Map | Self::Authority => {
                OnConcurrent::Lww
            }
        }
    }
}

/// What becomes of the values that remain concurrent under [`MergeRule::Causal`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OnConcurrent {
    /// The greatest stamp wins; the others come back to their writers.
    Lww,
    /// All are kept and shown until somebody who saw them writes.
    Keep,
    /// The hub asks a function of the user's for one value.
    Custom,
}

impl fmt::Display for MergeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lww => "lww",
            Self::Counter => "counter",
            Self::Set => "set",
            Self::Causal => "causal",
            Self::Map => "map",
            Self::Custom => "custom",
            Self::Authority => "authority",
        })
    }
}

/// What an agent asks to do to one key.
#[derive(Debug, Clone, PartialEq, Eq, Encode)]
#[non_exhaustive]
pub enum Operation {
    /// Replace the value.
    Put(Value),
    /// Remove the key, whatever its rule.
    Delete,
    /// Add to a counter.
    Add(i64),
    /// Add an element to a set.
    Insert(Value),
    /// Take an element out of a set.
    Remove(Value),
    /// Replace the value of one field of a map.
    PutField(String, Value),
    /// Remove one field of a map.
    UnsetField(String),
}

impl Operation {
    /// The word users know it by.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Put(_) => "set",
            Self::Delete => "delete",
            Self::Add(_) => "add",
            Self::Insert(_) => "insert",
            Self::Remove(_) => "remove",
            Self::PutField(..) => "put",
            Self::UnsetField(_) => "unset",
        }
    }

    /// The kind of writes it is about; none for one that fits them all.
    pub fn kind(&self) -> Option<PayloadKind> {
        Some(match self {
            Self::Put(_) => PayloadKind::Put,
            Self::Add(_) => PayloadKind::Count,
            Self::Insert(_) | Self::Remove(_) => PayloadKind::Element,
            Self::PutField(..) | Self::UnsetField(_) => PayloadKind::Field,
            Self::Delete => return None,
        })
    }
}

/// What an operation becomes: at most one live write, and what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The new live write's payload; none if the operation only covers.
    pub payload: Option<Payload>,
    /// Everything it covers, closed: with a write also all that that write had covered.
    pub over: Context,
    /// A stamp that the new write's stamp must exceed.
    pub floor: Option<Stamp>,
}

/// An operation that the rule refuses. The caller's fault; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OperationError {
    /// The key holds another kind of state.
    #[error(
        "`{operation}` does not fit a key under the rule {rule}; use another key, or delete this one first"
    )]
    Rule {
        /// What was asked.
        operation: &'static str,
        /// The key's rule.
        rule: MergeRule,
    },
    /// The key holds nothing any more, but its hub has not heard so yet.
    #[error(
        "`{operation}` does not fit a key under the rule {rule}; it was deleted here, and keeps that rule until its hub has committed the delete: wait for that, or use another key"
    )]
    Deleted {
        /// What was asked.
        operation: &'static str,
        /// The rule of what was deleted.
        rule: MergeRule,
    },
    /// Only the hub changes the key, and never without knowing what it replaces.
    #[error(
        "`{operation}` does not fit a key under the rule authority, which only the hub changes: use compare-and-set, or another key"
    )]
    Authority {
        /// What was asked.
        operation: &'static str,
    },
    /// The key's policy leaves no room for it, whatever the key holds.
    #[error(
        "`{operation}` does not fit a key under the rule {rule}, which its policy sets; use another key, or change the policy"
    )]
    Policy {
        /// What was asked.
        operation: &'static str,
        /// The rule of the key's policy.
        rule: MergeRule,
    },
    /// One agent's contribution would leave the range of `i64`.
    #[error(
        "adding {amount} to this agent's contribution of {total} leaves the range of 64 bits; add less, use another key, or delete this one first to count anew"
    )]
    Overflow {
        /// What was to be added.
        amount: i64,
        /// The contribution so far.
        total: i64,
    },
    /// The element of a set or the value of a field, which reads inside a list or map, is nested too
    /// deep.
    #[error(
        "the value is nested deeper than {limit} levels, the most one inside a set or map can be: flatten it, or store its parts as keys of their own"
    )]
    TooDeep {
        /// The deepest allowed.
        limit: usize,
    },
    /// No name for a field.
    #[error(transparent)]
    FieldName(#[from] ValueError),
}

/// A live write that the hub covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The write that goes.
    pub loser: WriteId,
    /// The write it lost against. None: nothing is lost (a delete that has done its work), so no
    /// receipt is due.
    pub winner: Option<WriteId>,
}

/// A merge rule. Pure: the same entry always folds to the same value.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// Which rule this is.
    fn rule(&self) -> MergeRule;

    /// What it does with concurrent values, if it is one of several that differ in this.
    fn on_concurrent(&self) -> OnConcurrent {
        self.rule().on_concurrent()
    }

    /// Whether a write of that kind belongs to this rule.
    fn holds(&self, kind: PayloadKind) -> bool;

    /// What `operation` by `writer` becomes on `entry`. `None` if it would change nothing: deleting
    /// what is not there.
    fn plan(
        &self,
        operation: &Operation,
        entry: &Entry,
        writer: &Writer,
    ) -> Result<Option<Plan>, OperationError>;

    /// The one value that the live writes read as; `None` if the key reads as absent.
    fn fold(&self, entry: &Entry) -> Option<Value>;

    /// The live write that a reader sees as the author of the value, if the rule shows just one.
    fn shown(&self, entry: &Entry) -> Option<WriteId>;

    /// Live writes that [`Resolver::fold`] does not show and that wait for the hub's decision. O(1)
    /// or O(size).
    fn hidden(&self, entry: &Entry) -> usize;

    /// Live writes that a reader is shown as concurrent values, the one the value is of included; none
    /// unless there are several.
    fn siblings(&self, _entry: &Entry) -> Vec<WriteId> {
        Vec::new()
    }

    /// The writes that the hub covers once it holds `entry`.
    fn losses(&self, entry: &Entry) -> Vec<Loss>;

    /// Live writes that the hub has to make one value of, through a function of the user's; none
    /// unless there are several.
    fn unmerged(&self, _entry: &Entry) -> Vec<WriteId> {
        Vec::new()
    }
}
