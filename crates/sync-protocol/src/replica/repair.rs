//! Undoing a refused write: what it had replaced here is still live at the hub, and no join can bring
//! it back, so the hub's whole entry takes the place of ours, with our other pending writes on top.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use sync_core::{Body, Context, Entry, Key, Now, Revision, Segment, Version, Write, WriteId};

use super::Replica;
use crate::keyspace::{Changes, KeyState};
use crate::rows;

/// A repair under way, of one key.
#[derive(Debug)]
pub(super) struct Repair {
    key: Key,
    asked_at: Duration,
    revision: Revision,
    next_index: u32,
    entry: Entry,
    version: Version,
}

/// Which frame of which answer arrived.
#[derive(Debug)]
pub(super) struct RepairFrame {
    pub(super) key: Key,
    pub(super) revision: Revision,
    pub(super) index: u32,
    pub(super) frames: u32,
}

impl Repair {
    pub(super) fn asked_at(&self) -> Duration {
        self.asked_at
    }
}

/// These writes, and of a context what they cover themselves or is not in `open`.
fn entry_of<'a>(
    writes: impl Iterator<Item = (&'a WriteId, &'a Write)>,
    context: &Context,
    open: &Context,
) -> Entry {
    let mut context = context.clone();
    context.subtract(open);
    let kept: Vec<_> = writes.map(|(id, w)| (id.clone(), w.clone())).collect();
    for (id, write) in &kept {
        context.union(&write.closure(id));
    }
    Entry::from_parts(kept, context).unwrap_or_default()
}

impl Replica {
    /// Asks for the next key to repair, one at a time.
    pub(super) fn request_repair(&mut self, now: Now) {
        let ready = self.link.settled && self.repair.is_none();
        let Some((key, _)) = self.repairs.first_key_value().filter(|_| ready) else {
            return;
        };
        let key = key.clone();
        self.repair = Some(Repair {
            key: key.clone(),
            asked_at: now.mono,
            revision: Revision::default(),
            next_index: 0,
            entry: Entry::new(),
            version: Version::default(),
        });
        self.send(Body::RepairRequest { key });
    }

    /// What may be told of a key as fact: all that is held but for own writes that the hub has not
    /// admitted and for what they cover here, which may be alive elsewhere.
    pub(super) fn settled_part<'a>(&self, key: &Key, entry: &'a Entry) -> Cow<'a, Entry> {
        let mut open = self.outbox.open_of(key);
        if let Some(undone) = self.repairs.get(key) {
            open.union(undone);
        }
        if open.is_empty() {
            return Cow::Borrowed(entry);
        }
        let kept = entry.writes().filter(|(id, _)| !open.contains(id));
        Cow::Owned(entry_of(kept, entry.context(), &open))
    }

    /// What may be planned upon: all that is shown of a key, without what a refused write had replaced
    /// here. That is alive at the hub and not shown before it is undone, so nobody has seen it.
    pub(super) fn seen_part<'a>(&self, key: &Key, entry: &'a Entry) -> Cow<'a, Entry> {
        self.repairs
            .get(key)
            .map_or(Cow::Borrowed(entry), |undone| {
                Cow::Owned(entry_of(entry.writes(), entry.context(), undone))
            })
    }

    pub(super) fn handle_repair_reply(
        &mut self,
        now: Now,
        frame: RepairFrame,
        segments: &[Bytes],
    ) -> Result<(), String> {
        let decoded = Segment::decode_all(segments).map_err(|e| e.to_string())?;
        let Some(repair) = self.repair.as_mut().filter(|r| r.key == frame.key) else {
            return Ok(());
        };
        let follows = frame.index == repair.next_index
            && (frame.index == 0 || frame.revision == repair.revision);
        if !follows {
            // A frame was lost; the retry asks again.
            return Ok(());
        }
        repair.revision = frame.revision;
        repair.next_index += 1;
        for segment in decoded {
            repair.version = repair.version.max(segment.version);
            repair.entry.join(segment.entry);
        }
        if repair.next_index == frame.frames {
            self.finish_repair(now);
        }
        Ok(())
    }

    /// Only an entry that is at least as new as everything applied may take a place: else a commit
    /// that came in between would be undone with it.
    fn finish_repair(&mut self, now: Now) {
        let Some(repair) = self.repair.take() else {
            return;
        };
        let Some(cursor) = self.cursor.filter(|_| self.link.settled) else {
            // It will be asked for again once all we hold has been offered.
            return;
        };
        if repair.revision < cursor.head.max(cursor.revision) {
            return self.request_repair(now);
        }
        let Repair {
            key,
            mut entry,
            version,
            revision,
            ..
        } = repair;
        for item in self.outbox.of_key(&key) {
            entry.join(item.delta.clone());
        }
        self.space.intern_entry(&mut entry);
        let held = self.space.get(&key).map(KeyState::entry);
        let gone = held.map_or_else(Vec::new, |held| self.replaced_fates(&key, held, &entry));
        let mut changes = Changes::default();
        self.space.replace(&key, entry, &mut changes);
        self.space.raise(&key, version, Revision::default());
        self.repairs.remove(&key);
        let mut ops = self.space.rows(&changes);
        ops.push(rows::delete_repair(&key));
        self.note_fates(gone, &mut ops);
        // What was just put in place may be newer than the cursor.
        if let Some(cursor) = &mut self.cursor {
            cursor.head = cursor.head.max(revision);
        }
        self.persist(ops);
        self.request_repair(now);
    }
}
