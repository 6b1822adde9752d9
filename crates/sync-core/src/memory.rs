//! The memory provider: application data beside the synchronized state, by namespace, kept at the hub.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::codec::List;
use crate::id::{Key, Namespace};
use crate::policy::Pattern;
use crate::value::Value;

/// A request to the memory of a swarm.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every receiver must handle every request"
)]
pub enum MemoryAsk {
    /// Put a value, in place of what is there.
    Store {
        /// Where.
        namespace: Namespace,
        /// Under which key.
        key: Key,
        /// What.
        value: Value,
        /// Whether it survives a restart of the hub.
        persistent: bool,
    },
    /// Read a value.
    Retrieve {
        /// Where.
        namespace: Namespace,
        /// Under which key.
        key: Key,
    },
    /// Remove a value.
    Delete {
        /// Where.
        namespace: Namespace,
        /// Under which key.
        key: Key,
    },
    /// The keys of a namespace that match a pattern, ascending.
    ListKeys {
        /// Where.
        namespace: Namespace,
        /// Which keys.
        pattern: Pattern,
        /// Only those after this one: where an answer said to go on.
        after: Option<Key>,
    },
    /// Remove all values that a namespace holds now, all of them or, if the hub dies over it, none.
    ClearNamespace(Namespace),
    /// What is kept, namespaces ascending.
    Stats {
        /// Only those after this one.
        after: Option<Namespace>,
    },
}

/// The answer to a [`MemoryAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_enums, reason = "one case per request")]
pub enum MemoryAnswer {
    /// To [`MemoryAsk::Store`]: durable, if it was to be persistent.
    Stored,
    /// To [`MemoryAsk::Retrieve`].
    Value(Option<Value>),
    /// To [`MemoryAsk::Delete`]: whether there was a value.
    Deleted(bool),
    /// To [`MemoryAsk::ListKeys`]: up to a page of keys. One that looked at many and found few says
    /// where to go on, too.
    Keys {
        /// The keys.
        keys: List<Key>,
        /// The key after which to go on; none at the end.
        next: Option<Key>,
    },
    /// To [`MemoryAsk::ClearNamespace`]: how many values there were.
    Cleared(u64),
    /// To [`MemoryAsk::Stats`]: up to a page of namespaces.
    Stats {
        /// One line per namespace.
        namespaces: List<NamespaceStats>,
        /// Whether any follow the last of them.
        more: bool,
        /// As in [`MemoryStats::bytes`].
        bytes: u64,
        /// As in [`MemoryStats::bytes_max`].
        bytes_max: u64,
    },
}

/// What the memory of a swarm holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the counts there are")]
pub struct MemoryStats {
    /// One line per namespace that holds anything, ascending.
    pub namespaces: Vec<NamespaceStats>,
    /// Bytes of all, and of what is being cleared.
    pub bytes: u64,
    /// The most there may be.
    pub bytes_max: u64,
}

/// What one namespace holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "the counts there are")]
pub struct NamespaceStats {
    /// Its name.
    pub namespace: Namespace,
    /// Values that survive a restart.
    pub persistent: u64,
    /// Values that do not.
    pub volatile: u64,
    /// Bytes as they count: its name, keys and values, and what it takes to hold each.
    pub bytes: u64,
}
