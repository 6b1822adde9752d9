//! How far a replica has read the hub's log.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::{Epoch, Key, Revision, WriteId};

/// The last revision applied and the run of the hub it was numbered in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
pub struct Seen {
    /// The run of the hub.
    pub epoch: Epoch,
    /// The revision.
    pub revision: Revision,
}

/// A position in the hub's log that a later delta can start from.
///
/// Valid only while its epoch is in the hub's lineage and `head` lies within that epoch: pages read
/// at one revision may hold content committed up to `head`, so a hub whose disk was rolled back
/// below `head` cannot serve it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
pub struct Cursor {
    /// The run of the hub.
    pub epoch: Epoch,
    /// Every key that changed last at or before this revision has been applied.
    pub revision: Revision,
    /// The hub's last revision when this position was read.
    pub head: Revision,
}

impl Cursor {
    /// Whether all that was committed up to `revision` has been applied. Between two pages it has not: a key
    /// that changed after `revision` and up to `head` is in none of the pages so far.
    pub fn is_whole(&self) -> bool {
        self.revision >= self.head
    }

    /// What a write made at this position has seen.
    pub fn seen(&self) -> Seen {
        Seen {
            epoch: self.epoch,
            revision: self.revision,
        }
    }
}

/// Where the next page of a delta starts, inside one revision. Held in memory only.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Resume {
    /// The revision that was being read.
    pub revision: Revision,
    /// The last key sent.
    pub key: Key,
    /// The last write of that key sent; none if the key was sent whole.
    pub after: Option<WriteId>,
}
