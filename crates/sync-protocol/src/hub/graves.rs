//! Deletes that have done their work. They are no longer live, but a write that their author had not seen
//! may still come, and which of the two is newer must not depend on which arrived first.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use sync_core::codec::List;
use sync_core::{
    Entry, Key, MergeRule, Payload, PayloadKind, Reason, Receipt, RowOp, Stamp, Write, WriteId,
};

use super::commit::receipt;
use crate::rows;

/// The last delete of a key, or of one field of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Grave {
    delete: WriteId,
    stamp: Stamp,
    payload: Payload,
}

impl Grave {
    /// Whether a write is of what was deleted.
    fn concerns(&self, write: &Write) -> bool {
        match (self.payload.kind(), write.payload.kind()) {
            (PayloadKind::Absent, PayloadKind::Put)
            | (PayloadKind::Cleared, PayloadKind::Field) => true,
            (PayloadKind::Unset, PayloadKind::Field) => self.payload.part() == write.payload.part(),
            _ => false,
        }
    }

    fn is_newer_than(&self, id: &WriteId, write: &Write) -> bool {
        (self.stamp, &self.delete) > (write.stamp, id)
    }
}

/// What becomes of writes that meet a grave.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Writes that are older than the delete, and end.
    pub(super) ended: Vec<WriteId>,
    /// To those who lost: the writer of such a write, or the one who had deleted.
    pub(super) receipts: Vec<Receipt>,
}

/// The graves of a hub: at most one per key and per field.
#[derive(Debug, Default)]
pub(super) struct Graves {
    by_key: BTreeMap<Key, Vec<Grave>>,
}

impl Graves {
    pub(super) fn restore(&mut self, key: Key, graves: Vec<Grave>) {
        self.by_key.insert(key, graves);
    }

    /// A delete has done its work.
    pub(super) fn dig(&mut self, key: &Key, delete: &WriteId, write: &Write) {
        let grave = Grave {
            delete: delete.clone(),
            stamp: write.stamp,
            payload: write.payload.clone(),
        };
        let graves = self.by_key.entry(key.clone()).or_default();
        match graves.iter_mut().find(|g| g.payload == grave.payload) {
            Some(held) if held.stamp >= grave.stamp => {}
            Some(held) => *held = grave,
            None => graves.push(grave),
        }
    }

    /// Judges the live writes of a key that did not see its deletes. A grave that a write has seen, or
    /// that a newer write has undone, is of no more use: what is older than that write loses against it.
    pub(super) fn judge(&mut self, key: &Key, rule: MergeRule, entry: &Entry) -> Verdict {
        let mut verdict = Verdict::default();
        let Some(graves) = self.by_key.get_mut(key) else {
            return verdict;
        };
        graves.retain(|grave| {
            let mut keep = true;
            for (id, write) in entry.writes().filter(|(_, write)| grave.concerns(write)) {
                let whole = grave.payload.kind() == PayloadKind::Cleared;
                if write.over.contains(&grave.delete) {
                    keep = whole;
                } else if grave.is_newer_than(id, write) {
                    let reason = Reason::Superseded {
                        winner: grave.delete.clone(),
                        winner_stamp: grave.stamp,
                        winner_value: None,
                        rule,
                    };
                    verdict
                        .receipts
                        .push(receipt(id.clone(), key, write, reason));
                    verdict.ended.push(id.clone());
                } else if !whole {
                    verdict.receipts.push(grave.undone(key, rule, id, write));
                    keep = false;
                }
            }
            keep
        });
        if graves.is_empty() {
            self.by_key.remove(key);
        }
        verdict
    }

    /// The row of a key's graves.
    pub(super) fn row(&self, key: &Key) -> RowOp {
        let graves = self.by_key.get(key).cloned().unwrap_or_default();
        rows::put_graves(key, List(graves))
    }

    /// What was deleted under a rule that the key is no longer under.
    pub(super) fn forget(&mut self, key: &Key) {
        self.by_key.remove(key);
    }

    /// Whether a key has any.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }
}

impl Grave {
    /// What the one who had deleted is told when a newer write that had not seen it stands.
    fn undone(&self, key: &Key, rule: MergeRule, id: &WriteId, write: &Write) -> Receipt {
        Receipt {
            write: self.delete.clone(),
            key: key.clone(),
            stamp: self.stamp,
            discarded: self.payload.clone(),
            reason: Reason::Superseded {
                winner: id.clone(),
                winner_stamp: write.stamp,
                winner_value: write.payload.value(),
                rule,
            },
            // Set when the commit is numbered.
            revision: sync_core::Revision::default(),
        }
    }
}
