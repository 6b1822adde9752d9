//! Reading a policy that a peer tells of: as it is written, but no name reserves more than there is.

use bincode::Decode;

use super::{History, Pattern, Policy, Priority, Ttl};
use crate::codec::{Text, read_as};
use crate::resolver::{MergeRule, OnConcurrent};
use crate::store::Durability;

/// The same in the same order.
#[derive(Decode)]
struct ReadPolicy {
    pattern: Pattern,
    rule: Option<MergeRule>,
    on_concurrent: Option<OnConcurrent>,
    merge: Option<Text>,
    durability: Option<Durability>,
    ttl: Option<Ttl>,
    priority: Priority,
    max_value_bytes: Option<u64>,
    history: History,
    receipts: Option<u32>,
}

impl From<ReadPolicy> for Policy {
    fn from(read: ReadPolicy) -> Self {
        Self {
            pattern: read.pattern,
            rule: read.rule,
            on_concurrent: read.on_concurrent,
            merge: read.merge.map(|Text(name)| name),
            durability: read.durability,
            ttl: read.ttl,
            priority: read.priority,
            max_value_bytes: read.max_value_bytes,
            history: read.history,
            receipts: read.receipts,
        }
    }
}

read_as!(Policy, ReadPolicy);
