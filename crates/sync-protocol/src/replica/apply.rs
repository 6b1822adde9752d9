//! What the hub sends is joined and made durable together with the cursor it moves.

use bytes::Bytes;
use sync_core::{
    Cursor, Epoch, Now, Revision, Segment,
    planted::{self, Planted},
};

use super::Replica;
use super::link::Partial;
use crate::keyspace::Changes;

/// Which frame of which update arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct UpdateFrame {
    pub(super) epoch: Epoch,
    pub(super) from: Revision,
    pub(super) to: Revision,
    pub(super) index: u32,
    pub(super) frames: u32,
}

impl Replica {
    /// Joins segments; with a cursor, moves it in the same batch.
    pub(super) fn apply(
        &mut self,
        now: Now,
        segments: &[Bytes],
        cursor: Option<Cursor>,
    ) -> Result<(), String> {
        let decoded = Segment::decode_all(segments).map_err(|e| e.to_string())?;
        let mut changes = Changes::default();
        let mut gone = Vec::new();
        for mut segment in decoded {
            self.space.intern_entry(&mut segment.entry);
            for (_, write) in segment.entry.writes() {
                self.clock.observe(write.stamp, now);
            }
            let joined = self.space.join(&segment.key, segment.entry);
            if !joined.removed.is_empty() {
                gone.extend(self.own_ended(&segment.key, &joined));
            }
            if joined.inflated() {
                changes.record(&segment.key, joined);
            }
            if self
                .space
                .raise(&segment.key, segment.version, segment.revision)
            {
                changes.touch(&segment.key);
            }
        }
        if let Some(cursor) = cursor {
            self.set_cursor(cursor);
        }
        if planted::is(Planted::CursorBeforeState) {
            self.persist(Vec::new());
        }
        let mut ops = self.space.rows(&changes);
        self.note_fates(gone, &mut ops);
        self.persist(ops);
        self.settle_reaches();
        Ok(())
    }

    /// An update follows on from the cursor, or is had already, or there is a gap to ask about.
    pub(super) fn handle_update(
        &mut self,
        now: Now,
        frame: UpdateFrame,
        segments: &[Bytes],
    ) -> Result<(), String> {
        let UpdateFrame {
            epoch,
            from,
            to,
            index,
            frames,
        } = frame;
        let Some(cursor) = self.cursor.filter(|c| c.epoch == epoch) else {
            self.pull_once(now);
            return Ok(());
        };
        if to <= cursor.revision && !planted::is(Planted::LateUpdateCounts) {
            let repeats = "an update that has been here";
            assert!(!planted::is(Planted::RepeatPanics), "{repeats}");
            if planted::is(Planted::RepeatDisconnects) {
                return Err(repeats.to_owned());
            }
            self.ack();
            return Ok(());
        }
        let expected = match self.link.partial {
            Some(partial) if partial.to == to => partial.next_index,
            _ => 0,
        };
        let jumps = planted::is(Planted::UpdateJumpsAGap);
        if from > cursor.revision && !jumps || index != expected || self.link.is_pulling() {
            self.link.partial = None;
            self.pull_once(now);
            return Ok(());
        }
        if index + 1 < frames {
            // Content may be ahead of the cursor now: its head has to say so.
            let held = Cursor {
                head: cursor.head.max(to),
                ..cursor
            };
            self.apply(now, segments, Some(held))?;
            self.link.partial = Some(Partial {
                to,
                next_index: index + 1,
            });
            return Ok(());
        }
        self.link.partial = None;
        let head = cursor.head.max(to);
        self.apply(
            now,
            segments,
            Some(Cursor {
                epoch,
                revision: to,
                head,
            }),
        )?;
        // How long this was on its way nobody knows: only an answer tells that nothing was newer when its
        // question was asked.
        self.ack();
        Ok(())
    }
}
