//! What a merge rule is: which writes an operation covers, and how live writes read as one value.
//! The join is never its business.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::context::Context;
use crate::entry::Entry;
use crate::id::{WriteId, Writer};
use crate::stamp::Stamp;
use crate::value::Value;
use crate::write::{Payload, PayloadKind};

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
}

impl fmt::Display for MergeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lww => "lww",
            Self::Counter => "counter",
            Self::Set => "set",
        })
    }
}

/// What an agent asks to do to one key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
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
        }
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
    /// One agent's contribution would leave the range of `i64`.
    #[error("adding {amount} to this agent's contribution of {total} leaves the range of 64 bits")]
    Overflow {
        /// What was to be added.
        amount: i64,
        /// The contribution so far.
        total: i64,
    },
    /// The element of a set, which reads as a list, is nested too deep.
    #[error(
        "the element is nested deeper than {limit} levels, the most an element of a set can be"
    )]
    TooDeep {
        /// The deepest allowed.
        limit: usize,
    },
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

    /// The writes that the hub covers once it holds `entry`.
    fn losses(&self, entry: &Entry) -> Vec<Loss>;
}

/// The resolvers a swarm uses.
#[derive(Debug, Clone)]
pub struct Resolvers {
    by_rule: BTreeMap<MergeRule, Arc<dyn Resolver>>,
    default_rule: MergeRule,
}

impl Resolvers {
    /// The rule of a key that is first written with a plain `set` is `default_rule`, which must be
    /// among `resolvers`.
    pub fn new(
        default_rule: MergeRule,
        resolvers: impl IntoIterator<Item = Arc<dyn Resolver>>,
    ) -> Option<Self> {
        let by_rule: BTreeMap<_, _> = resolvers.into_iter().map(|r| (r.rule(), r)).collect();
        by_rule.contains_key(&default_rule).then_some(Self {
            by_rule,
            default_rule,
        })
    }

    /// The rule that holds writes of `kind`: the default one if it can, else the first that can.
    pub fn holding(&self, kind: PayloadKind) -> Option<&dyn Resolver> {
        let default = self.get(self.default_rule).filter(|r| r.holds(kind));
        default.or_else(|| {
            self.by_rule
                .values()
                .map(AsRef::as_ref)
                .find(|r| r.holds(kind))
        })
    }

    /// The rule of an entry: that of its first live write for which `counts` holds. A key without
    /// live writes has none; its next operation chooses.
    pub fn of_entry(
        &self,
        entry: &Entry,
        mut counts: impl FnMut(&WriteId) -> bool,
    ) -> Option<&dyn Resolver> {
        let (_, write) = entry.writes().find(|(id, _)| counts(id))?;
        self.holding(write.payload.kind())
    }

    /// The rule that a first operation gives to a key; `None` for one that only removes.
    pub fn of_operation(&self, operation: &Operation) -> Option<&dyn Resolver> {
        match operation {
            Operation::Put(_) => self.get(self.default_rule),
            Operation::Add(_) => self.holding(PayloadKind::Count),
            Operation::Insert(_) => self.holding(PayloadKind::Element),
            Operation::Delete | Operation::Remove(_) => None,
        }
    }

    fn get(&self, rule: MergeRule) -> Option<&dyn Resolver> {
        self.by_rule.get(&rule).map(AsRef::as_ref)
    }
}
