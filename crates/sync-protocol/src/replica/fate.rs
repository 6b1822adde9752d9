//! What became of own writes. The hub says so by receipts; should it lose its disk before they are
//! here, the removal of an own write is a receipt by itself.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use sync_core::codec::List;
use sync_core::{
    Body, Entry, Incarnation, Joined, Key, Now, PayloadKind, Reason, Receipt, Revision, RowOp, Seq,
    Standing, Write, WriteId, Writer,
};

use super::outbox::{Item, Outbox};
use super::{Replica, ReplicaOutput};
use crate::keyspace::{KeyState, ended, has_done_its_work};
use crate::rows;

/// An own write that was removed, until the hub has said whether a receipt is due. They have no bound of
/// their own: each was held here before, and a hub that is in step settles all of them at a time.
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) struct Noted {
    /// What is told if nobody explains it.
    pub(super) fate: Receipt,
    when: When,
}

/// When the removal came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
enum When {
    /// The hub was there, of whose log this agent had heard.
    At(Revision),
    /// While all was exchanged with a hub that another one's disk is lost to: no position of that one's log
    /// counts any more. It is told as unknown once the hub that is there now has told what it knows.
    LostHub,
}

impl Noted {
    pub(crate) fn write(&self) -> &WriteId {
        &self.fate.write
    }

    fn is_unjudged(&self) -> bool {
        self.when == When::LostHub
    }

    /// Whether a hub that has told all it knows up to a revision would have told of it.
    fn is_settled_at(&self, revision: Revision) -> bool {
        matches!(self.when, When::At(at) if at <= revision)
    }
}

/// The own writes of which a hub has told last, in one message: until it has heard that they are here it
/// tells no others, and those again. In a row of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Delivered(List<(Incarnation, Seq)>);

/// How many are remembered: twice what a hub puts into a message, and they fit a row.
const DELIVERED_MAX: usize = 128;

impl Delivered {
    fn of(told: impl Iterator<Item = (Incarnation, Seq)>) -> Self {
        let mut told: Vec<_> = told.take(DELIVERED_MAX).collect();
        told.sort_unstable();
        Self(List(told))
    }

    fn contains(&self, id: (Incarnation, Seq)) -> bool {
        self.0.binary_search(&id).is_ok()
    }
}

/// A summary is named like a write of this run that nobody will make.
fn fresh(me: &Writer, seq: &mut Seq) -> WriteId {
    *seq = seq.next();
    WriteId::new(me.clone(), *seq)
}

fn unknown(id: &WriteId, key: &Key, write: &Write) -> Receipt {
    Receipt {
        write: id.clone(),
        key: key.clone(),
        stamp: write.stamp,
        discarded: write.payload.clone(),
        reason: Reason::Unknown,
        revision: Revision::default(),
    }
}

/// Whether it was removed, and the hub that knew why has lost its disk.
pub(super) fn is_unjudged(fates: &BTreeMap<WriteId, Noted>, write: &WriteId) -> bool {
    fates.get(write).is_some_and(Noted::is_unjudged)
}

/// Whether the hub has put something else in place of a write that it had decided on, as somebody asked
/// for who knew the write, or has ended a claim.
fn was_decided(id: &WriteId, write: &Write, by: &Entry) -> bool {
    match write.payload.kind() {
        PayloadKind::Claim => true,
        PayloadKind::Decreed => by.writes().any(|(_, newer)| newer.over.contains(id)),
        _ => false,
    }
}

impl Replica {
    /// The own writes that a join removed.
    pub(super) fn own_ended(&self, key: &Key, joined: &Joined) -> Vec<Receipt> {
        let Some(entry) = self.space.get(key).map(KeyState::entry) else {
            return Vec::new();
        };
        let own = ended(joined, entry).filter(|(id, _)| {
            // What still waits for the hub will be told about when it gets there.
            let told = Outbox::key_of(&self.me, id)
                .is_none_or(|(run, seq)| self.outbox.waits(run, seq) && !self.reentering);
            !told && !self.receipts.contains(id)
        });
        let own = own.filter(|(id, write)| !was_decided(id, write, entry));
        own.map(|(id, write)| unknown(id, key, write)).collect()
    }

    /// The same where the hub's whole entry takes the place of `held`.
    pub(super) fn replaced_fates(&self, key: &Key, held: &Entry, by: &Entry) -> Vec<Receipt> {
        let own = held.writes().filter(|(id, write)| {
            let waits =
                Outbox::key_of(&self.me, id).is_none_or(|(run, seq)| self.outbox.waits(run, seq));
            let known = by.write(id).is_some() || self.receipts.contains(id);
            !waits && !known && !has_done_its_work(write, by) && !was_decided(id, write, by)
        });
        own.map(|(id, write)| unknown(id, key, write)).collect()
    }

    /// A write that the hub has taken may be dead here already, and its receipt on the way.
    pub(super) fn note_fate_of(&mut self, item: &Item) {
        let head = self.cursor.map(|c| c.head).unwrap_or_default();
        for fate in self.dead_of(item) {
            let row = self.note_fate(fate, When::At(head));
            self.lazy_rows.extend(row);
        }
    }

    /// The write of an outbox item, if it is dead here.
    fn dead_of(&self, item: &Item) -> Vec<Receipt> {
        let Some(entry) = self.space.get(&item.key).map(KeyState::entry) else {
            return Vec::new();
        };
        let dead = item.delta.writes().filter(|(id, write)| {
            let done = has_done_its_work(write, entry);
            let known = self.receipts.contains(id) || entry.write(id).is_some();
            !done && !known
        });
        dead.map(|(id, write)| unknown(id, &item.key, write))
            .collect()
    }

    /// Keeps what was removed until the hub has told why. Goes with the rows of the removal.
    pub(super) fn note_fates(&mut self, gone: Vec<Receipt>, ops: &mut Vec<RowOp>) {
        let head = self.cursor.map(|c| c.head).unwrap_or_default();
        let when = if self.reentering {
            When::LostHub
        } else {
            When::At(head)
        };
        let rows = gone.into_iter().filter_map(|f| self.note_fate(f, when));
        ops.extend(rows);
    }

    /// Nothing is waited for that the hub has told over this connection, be it by a number only.
    fn note_fate(&mut self, fate: Receipt, when: When) -> Option<RowOp> {
        let noted = Noted { fate, when };
        let told_upto = self.link.told_upto;
        if told_upto.is_some_and(|upto| noted.is_settled_at(upto)) {
            return None;
        }
        let row = rows::put_fate(&noted);
        self.fates.insert(noted.write().clone(), noted);
        Some(row)
    }

    /// Takes a receipt in, to be stored with `ops` and handed to the caller; also a summary that it
    /// brings about. Whoever waits for the write is told by the receipt itself.
    fn keep_receipt(&mut self, receipt: Receipt, ops: &mut Vec<RowOp>, due: &mut Vec<Receipt>) {
        self.settle_told(&receipt);
        self.traces.summed_up(&receipt, self.seq);
        due.push(receipt.clone());
        let (me, seq) = (&self.me, &mut self.seq);
        let policies = self.resolvers.policies();
        let (changed, summary) = self.receipts.keep(receipt, policies, || fresh(me, seq));
        ops.extend(changed);
        if let Some(summary) = &summary {
            self.traces.summed_up(summary, self.seq);
        }
        due.extend(summary);
    }

    /// Counts anew what may wait, because another table is in force; the summaries are to be reported.
    pub(super) fn regroup_receipts(&mut self, ops: &mut Vec<RowOp>) -> Vec<Receipt> {
        let (me, seq) = (&self.me, &mut self.seq);
        let policies = self.resolvers.policies();
        let (changed, summaries) = self.receipts.regroup(policies, || fresh(me, seq));
        ops.extend(changed);
        for summary in &summaries {
            self.traces.summed_up(summary, self.seq);
        }
        summaries
    }

    /// The caller has dealt with these.
    pub(super) fn take_receipts(&mut self, writes: &[WriteId]) -> u64 {
        let policies = self.resolvers.policies();
        let taken = writes
            .iter()
            .filter(|id| self.receipts.remove(id, policies).is_some());
        let taken: Vec<&WriteId> = taken.collect();
        let count = taken.len() as u64;
        for id in taken.iter().filter(|id| id.writer == self.me) {
            self.traces.forget(id.seq);
        }
        let ops: Vec<_> = taken.into_iter().map(rows::delete_receipt).collect();
        if !ops.is_empty() {
            self.persist(ops);
        }
        count
    }

    /// Hands receipts that are being stored to the caller. Of some only a number may be left by now.
    pub(super) fn report(&mut self, due: Vec<Receipt>) {
        for receipt in due {
            if !self.receipts.contains(&receipt.write) {
                continue;
            }
            self.gate.push(ReplicaOutput::Receipt(receipt));
        }
    }

    /// Up to where the hub stands, no receipt waits: what was removed until then was chosen. What only a
    /// lost hub could explain is told now, as the one that is there has nothing more to say.
    pub(super) fn settle_fates(&mut self, standing: &Standing) {
        if standing.receipts > 0 {
            return;
        }
        // A row that comes back after a crash is settled again.
        self.told_all(standing);
        self.judge_fates(standing);
    }

    /// The hub has told every receipt that is due up to there.
    pub(super) fn told_all(&mut self, standing: &Standing) {
        let settled = self.drop_fates(standing);
        self.lazy_rows.extend(settled);
    }

    /// Forgets what was removed up to where the hub stands, as it has told all of it that is to be told.
    fn drop_fates(&mut self, standing: &Standing) -> Vec<RowOp> {
        let revision = standing.revision;
        self.traces.told_upto(revision);
        self.link.told_upto = self.link.told_upto.max(Some(revision));
        let done = |noted: &Noted| noted.is_settled_at(revision);
        let done = self.fates.extract_if(.., |_, noted| done(noted));
        done.map(|(id, _)| rows::delete_fate(&id)).collect()
    }

    /// What nobody explained by now nobody will.
    fn judge_fates(&mut self, standing: &Standing) {
        let lost = self.fates.extract_if(.., |_, noted| noted.is_unjudged());
        let lost: Vec<Receipt> = lost.map(|(_, noted)| noted.fate).collect();
        if lost.is_empty() {
            return;
        }
        let (mut ops, mut due) = (Vec::new(), Vec::new());
        for mut fate in lost {
            fate.revision = standing.revision;
            ops.push(rows::delete_fate(&fate.write));
            self.keep_receipt(fate, &mut ops, &mut due);
        }
        self.persist(ops);
        self.report(due);
    }

    /// The hub that knew has lost its disk. The one that is there now may find out anew: it speaks first.
    pub(super) fn give_up_fates(&mut self, now: Now) {
        self.reentering = true;
        let mut ops = self.settle_told_dead(now);
        let fates = std::mem::take(&mut self.fates);
        let fates = fates.into_iter().map(|(id, noted)| (id, noted.fate));
        let mut fates: BTreeMap<WriteId, Receipt> = fates.collect();
        let waiting = self.outbox.items();
        let dead = waiting.flat_map(|item| self.dead_of(item));
        // What a later one has knowingly replaced is pushed with it, and ended by it there too.
        let dead = dead.filter(|fate| !self.outbox.replaces(&fate.key, &fate.write));
        fates.extend(dead.map(|fate| (fate.write.clone(), fate)));
        for fate in fates.values() {
            self.withdraw(fate, &mut ops);
        }
        self.note_fates(fates.into_values().collect(), &mut ops);
        self.persist(ops);
    }

    /// What is dead here waits no longer: pushed once more it would come alive at a hub that has never heard
    /// of its end. That end is a fact, and offered as one: its writer is told that it is gone. What it had
    /// replaced is to be undone, as the lost hub may have refused it.
    fn withdraw(&mut self, fate: &Receipt, ops: &mut Vec<RowOp>) {
        let waiting = Outbox::key_of(&self.me, &fate.write);
        let Some((id, item)) = waiting.and_then(|id| Some((id, self.outbox.remove(id)?))) else {
            return;
        };
        ops.push(rows::delete_outbox(id.0, id.1));
        let undone = self.repairs.entry(fate.key.clone()).or_default();
        // It may be dead here by nothing but a write that was refused.
        if undone.contains(&fate.write) {
            undone.union(&item.open());
        } else {
            undone.union(item.replaced());
        }
        ops.push(rows::put_repair(&fate.key, undone));
    }

    /// Fates of own writes: durable here before the hub may forget them.
    pub(super) fn handle_receipts(
        &mut self,
        now: Now,
        receipts: Vec<Receipt>,
        standing: &Standing,
    ) {
        let is_all = standing.receipts as usize <= receipts.len();
        let mut ops = Vec::new();
        let mut taken = Vec::new();
        let mut due = Vec::new();
        for receipt in receipts {
            taken.push(receipt.write.clone());
            let Some(id) = Outbox::key_of(&self.me, &receipt.write) else {
                continue;
            };
            // A reason takes the place of none. What is held no more was counted or dealt with.
            let held = self.receipts.get(&receipt.write).map(|held| &held.reason);
            let is_new = match held {
                Some(held) => *held == Reason::Unknown && *held != receipt.reason,
                None => !self.delivered.contains(id),
            };
            if matches!(receipt.reason, Reason::FutureStamp { .. }) {
                self.clock.distrust();
                self.clock.forget_future(now);
            }
            if receipt.refused() {
                self.undo(&receipt, id, is_new, &mut ops);
            }
            if is_new {
                if self.fates.remove(&receipt.write).is_some() {
                    ops.push(rows::delete_fate(&receipt.write));
                }
                self.keep_receipt(receipt, &mut ops, &mut due);
            }
        }
        let own = taken.iter().filter_map(|id| Outbox::key_of(&self.me, id));
        let delivered = Delivered::of(own);
        if delivered != self.delivered {
            ops.push(rows::put_delivered(&delivered));
            self.delivered = delivered;
        }
        if is_all {
            // Of some only a number is told, by which they cannot be known again.
            ops.extend(self.drop_fates(standing));
        } else {
            // One may have come without a commit that numbers it.
            self.link.told_upto = None;
        }
        if !ops.is_empty() {
            self.persist(ops);
        }
        self.report(due);
        self.send(Body::ReceiptsTaken {
            writes: taken.into(),
        });
        if is_all && self.is_at_head_of(standing) {
            self.judge_fates(standing);
        }
        self.settle_flushes();
        self.settle_climbs(now);
        self.request_repair(now);
    }

    /// A refused write waits no longer, and what it did here is to be undone.
    fn undo(
        &mut self,
        receipt: &Receipt,
        id: (Incarnation, Seq),
        is_new: bool,
        ops: &mut Vec<RowOp>,
    ) {
        let item = self.outbox.remove(id);
        if item.is_none() && !is_new {
            return;
        }
        let undone = self.repairs.entry(receipt.key.clone()).or_default();
        if let Some(item) = item {
            undone.union(&item.open());
            ops.push(rows::delete_outbox(id.0, id.1));
        }
        ops.push(rows::put_repair(&receipt.key, undone));
    }
}
