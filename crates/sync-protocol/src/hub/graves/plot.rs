//! The graves of one key: one for the whole of it and one for each of its fields, so many of these, and
//! one for all that were too many.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{Key, Payload, PayloadKind, RowOp, Stamp, WriteId};

use super::Grave;
use crate::rows;

#[derive(Debug, Default)]
pub(super) struct Plot {
    /// By what was deleted.
    by_part: BTreeMap<Payload, Grave>,
    /// Those of fields, oldest first.
    by_age: BTreeSet<(Stamp, WriteId, Payload)>,
    /// Newest of those of fields that are not known one by one any more.
    forgotten: Option<Grave>,
}

impl Plot {
    pub(super) fn is_empty(&self) -> bool {
        self.by_part.is_empty() && self.forgotten.is_none()
    }

    pub(super) fn get(&self, part: &Payload) -> Option<&Grave> {
        self.by_part.get(part)
    }

    pub(super) fn forgotten(&self) -> Option<&Grave> {
        self.forgotten.as_ref()
    }

    pub(super) fn restore(&mut self, grave: Grave, forgotten: bool) {
        if forgotten {
            self.forgotten = Some(grave);
        } else {
            self.insert(grave);
        }
    }

    /// Keeps a grave, one for all deletes of the same. Of more than `most` fields the oldest is
    /// forgotten. The rows that change.
    pub(super) fn dig(&mut self, key: &Key, grave: Grave, most: usize) -> Vec<RowOp> {
        let held = self.take(&grave.part());
        let replaced = held.as_ref().filter(|held| held.age() < grave.age());
        let replaced = replaced.map(|held| rows::delete_grave(key, held));
        let mut changed: Vec<RowOp> = replaced.into_iter().collect();
        let grave = grave.together_with(held);
        changed.push(rows::put_grave(key, &grave));
        self.insert(grave);
        while self.by_age.len() > most
            && let Some((_, _, part)) = self.by_age.first().cloned()
        {
            changed.extend(self.forget(key, &part));
        }
        changed
    }

    /// Takes a grave away. The row that changes.
    pub(super) fn remove(&mut self, key: &Key, part: &Payload) -> Vec<RowOp> {
        let removed = self.take(part);
        let row = removed.map(|grave| rows::delete_grave(key, &grave));
        row.into_iter().collect()
    }

    /// Takes those of fields away for which `is_void` holds. The rows that change.
    pub(super) fn remove_fields(
        &mut self,
        key: &Key,
        is_void: impl Fn(&Grave) -> bool,
    ) -> Vec<RowOp> {
        let fields = self.by_age.iter().map(|(_, _, part)| part);
        let void = fields.filter(|part| self.by_part.get(part).is_some_and(&is_void));
        let void: Vec<Payload> = void.cloned().collect();
        let mut changed: Vec<RowOp> = Vec::new();
        for part in &void {
            changed.extend(self.remove(key, part));
        }
        if self.forgotten.as_ref().is_some_and(is_void) {
            self.forgotten = None;
            changed.push(rows::delete_forgotten(key));
        }
        changed
    }

    /// The rows of all of them, to be deleted.
    pub(super) fn clear(self, key: &Key) -> Vec<RowOp> {
        let graves = self.by_part.values();
        let rows = graves.map(|grave| rows::delete_grave(key, grave));
        let forgotten = self.forgotten.iter();
        let forgotten = forgotten.map(|_| rows::delete_forgotten(key));
        rows.chain(forgotten).collect()
    }

    /// One grave stands for all that are forgotten. The rows that change.
    fn forget(&mut self, key: &Key, part: &Payload) -> Vec<RowOp> {
        let Some(grave) = self.take(part) else {
            return Vec::new();
        };
        let gone = rows::delete_grave(key, &grave);
        let forgotten = grave.together_with(self.forgotten.take());
        let kept = rows::put_forgotten(key, &forgotten);
        self.forgotten = Some(forgotten);
        vec![gone, kept]
    }

    fn insert(&mut self, grave: Grave) {
        if grave.payload.kind() == PayloadKind::Unset {
            let (stamp, delete) = (grave.stamp, grave.delete.clone());
            self.by_age.insert((stamp, delete, grave.payload.clone()));
        }
        self.by_part.insert(grave.part(), grave);
    }

    fn take(&mut self, part: &Payload) -> Option<Grave> {
        let grave = self.by_part.remove(part)?;
        self.by_age
            .remove(&(grave.stamp, grave.delete.clone(), part.clone()));
        Some(grave)
    }
}
