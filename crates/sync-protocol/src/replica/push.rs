//! Own writes on their way to the hub: one push at a time, the rest gathers behind it.

use sync_core::{Body, Incarnation, Message, Now, RowOp, Segment, Seq, Standing, WriteId, Writer};

use super::Replica;
use super::link::Flight;
use super::outbox::{Item, Load, Outbox};
use crate::rows;

impl Replica {
    /// Pushes what waits, if the hub is ready for it and no push is out.
    pub(super) fn push_pending(&mut self, now: Now) {
        if !self.link.is_up() || !self.link.settled || self.link.flight.is_some() {
            return;
        }
        self.send_backlog_ahead();
        let Some(load) = self.outbox.load(self.config.limits.page_bytes) else {
            return;
        };
        let body = Body::Push {
            incarnation: load.incarnation,
            after: load.after,
            upto: load.upto,
            seqs: load.seqs.clone().into(),
        };
        self.send(Message::with(body, load.segments.clone()));
        self.link.flight = Some(Flight {
            load,
            sent_at: now.mono,
        });
    }

    pub(super) fn handle_committed(
        &mut self,
        now: Now,
        run: Incarnation,
        upto: Seq,
        refused: &[Seq],
        standing: &Standing,
    ) {
        if standing.receipts == 0 {
            self.told_all(standing);
        }
        let landed = |f: &mut Flight| f.load.incarnation == run && f.load.upto <= upto;
        let landed = self.link.flight.take_if(landed);
        if let Some(flight) = landed {
            self.settle_overwritten(&flight.load, refused);
        }
        let done = self.outbox.committed(run, upto, refused);
        let writer = Writer::new(self.me.agent().clone(), run);
        // A row that comes back after a crash is pushed again and found to be known.
        for ((run, seq), item) in done {
            self.note_fate_of(&item);
            self.lazy_rows.push(rows::delete_outbox(run, seq));
            self.settle_climbs_of(now, &WriteId::new(writer.clone(), seq));
            self.settle_below(now, &item);
        }
        self.settle_flushes();
        self.push_pending(now);
    }

    /// What the hub has admitted is a fact with all that it covers. Told without some of that, to a hub that
    /// has lost its disk, it would be known there and what it had ended live again.
    fn settle_below(&mut self, now: Now, admitted: &Item) {
        for (run, seq) in self.outbox.remove_covered(admitted) {
            self.lazy_rows.push(rows::delete_outbox(run, seq));
            let writer = Writer::new(self.me.agent().clone(), run);
            self.settle_climbs_of(now, &WriteId::new(writer, seq));
        }
        if let Some(undone) = self.repairs.get_mut(&admitted.key) {
            undone.subtract(admitted.delta.context());
            let row = rows::put_repair(&admitted.key, undone);
            self.lazy_rows.push(row);
        }
    }

    /// What is dead here and has come back to its writer with the reason was admitted, though the confirmation
    /// never came. It waits no longer: pushed to a hub that has lost its disk, it would come alive there. What a
    /// later one has knowingly replaced is pushed with it.
    pub(super) fn settle_told_dead(&mut self, now: Now) -> Vec<RowOp> {
        let waiting = self.outbox.items();
        let written = waiting.flat_map(|item| item.delta.writes().map(move |(id, _)| (item, id)));
        let ended = written.filter(|(Item { key, .. }, id)| {
            let held = self.space.get(key);
            let is_dead = held.is_none_or(|state| state.entry().write(id).is_none());
            let told = self.receipts.get(id);
            let is_told = told.is_some_and(|receipt| !receipt.refused());
            is_dead && is_told && !self.outbox.replaces(key, id)
        });
        let ended = ended.filter_map(|(_, id)| Outbox::key_of(&self.me, id));
        let ended: Vec<_> = ended.collect();
        let mut ops = Vec::new();
        for (run, seq) in ended {
            if let Some(item) = self.outbox.remove((run, seq)) {
                ops.push(rows::delete_outbox(run, seq));
                self.settle_below(now, &item);
            }
        }
        ops
    }

    /// The same of what was overwritten here while it was on its way. The write itself stays open, as it may
    /// be alive there; what it covers is no more undone by a refusal of the one on top of it.
    fn settle_overwritten(&mut self, load: &Load, refused: &[Seq]) {
        let run = load.incarnation;
        for (seq, segment) in load.seqs.iter().zip(&load.segments) {
            if refused.contains(seq) || self.outbox.waits(run, *seq) {
                continue;
            }
            let Ok(Segment { key, entry, .. }) = Segment::decode(segment) else {
                continue;
            };
            let mut facts = entry.context().clone();
            let writer = Writer::new(self.me.agent().clone(), run);
            facts.remove_id(&WriteId::new(writer, *seq));
            self.lazy_rows.extend(self.outbox.settle(&key, &facts));
            if let Some(undone) = self.repairs.get_mut(&key) {
                undone.subtract(&facts);
                self.lazy_rows.push(rows::put_repair(&key, undone));
            }
        }
    }

    pub(super) fn handle_gap(&mut self, now: Now, run: Incarnation, known: Seq) {
        // Only the push that is out can have met the gap; an older answer came late.
        let asked = |f: &Flight| f.load.incarnation == run && f.load.after > known;
        if self.link.flight.as_ref().is_some_and(asked) {
            self.outbox.rewind(run, known);
            self.link.flight = None;
            self.push_pending(now);
        }
    }
}
