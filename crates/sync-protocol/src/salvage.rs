//! What can be taken from the rows of a damaged node, so that its next life begins with it: only what each
//! row says for itself.
//!
//! Which rows are missing is not known, and a row may be older than the others. A header of a key covers
//! writes whose rows may be gone: joined elsewhere it would delete them there. So of a key only its live
//! writes are taken, each as its own delta, which can be joined with anything, and at a hub the numbers of
//! those that it has refused and whose writers are still to be told so. What has no meaning but together with
//! other rows stays: numbers that agents have pushed, the lineage, votes under way, history. A position in a
//! log that nobody has makes hub and agents exchange all they hold.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{
    Context, Cursor, Entry, Epoch, Key, Reason, Receipt, Revision, Row, RowOp, Segment, Stamp,
    Version,
};

use crate::hub::Run;
use crate::millis::millis;
use crate::rows::{self, Meta, Owner, RowError, Stored, Waiting};

/// Takes the rows of one swarm that can be read, in ascending order.
#[derive(Debug)]
pub struct Salvage {
    owner: Owner,
    keys: BTreeMap<Key, Kept>,
    /// Rows that mean the same in any life of this node, as they were.
    verbatim: Vec<RowOp>,
    high_water: Stamp,
    /// The greatest that any row names.
    revision: Revision,
    ordinal: u64,
    taken: Taken,
}

/// How much was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Taken {
    /// Keys with at least one live write.
    pub keys: u64,
    /// Own writes of an agent that no hub had confirmed.
    pub waiting: u64,
    /// Rows beside them: receipts, names on the roster, decisions, values of the memory.
    pub others: u64,
    /// Rows whose bytes are those that were written, and that say nothing for themselves.
    pub left: u64,
}

/// What is known of a key.
#[derive(Debug, Default)]
struct Kept {
    version: Version,
    revision: Revision,
    entry: Entry,
}

impl Salvage {
    /// For the rows of `owner`.
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            keys: BTreeMap::new(),
            verbatim: Vec::new(),
            high_water: Stamp::default(),
            revision: Revision::default(),
            ordinal: 0,
            taken: Taken::default(),
        }
    }

    /// Takes a row, or leaves it.
    ///
    /// # Errors
    ///
    /// [`RowError`] if the rows are another node's. A row that cannot be read is left.
    pub fn row(&mut self, row: &Row) -> Result<(), RowError> {
        let Ok(stored) = rows::read(row) else {
            self.taken.left += 1;
            return Ok(());
        };
        match stored {
            Stored::Meta(meta) => self.meta(&meta)?,
            Stored::Header(segment) => self.header(&segment),
            Stored::Write(key, id, write) => self.join(key, Entry::of_write(id, write)),
            Stored::Run(run) => {
                self.only(&Owner::Hub, row)?;
                self.ordinal = self.ordinal.max(run.ordinal + 1);
                self.reach(run.first);
            }
            Stored::Outbox(_, _, waiting) => {
                self.only_agents(row)?;
                self.waiting(waiting, row);
            }
            Stored::Known(..) => {
                self.only(&Owner::Hub, row)?;
                self.taken.left += 1;
            }
            Stored::Receipt(receipt) => {
                self.refusal(&receipt);
                self.taken.others += 1;
                self.keep(row);
            }
            Stored::Member(_)
            | Stored::Decision(_)
            | Stored::Answered(_)
            | Stored::Memory(..)
            | Stored::Cleared(..)
            | Stored::Fate(_)
            | Stored::Repair(_)
            | Stored::Policies(_)
            | Stored::OwnVote(_) => {
                self.taken.others += 1;
                self.keep(row);
            }
            // Of what it says is here the rows may be gone: its hub tells it once more.
            Stored::Delivered(_)
            | Stored::Adopted(_)
            | Stored::Lifetime(..)
            | Stored::Grave(..)
            | Stored::Poll(_)
            | Stored::Vote(_)
            | Stored::LongestLease(_)
            | Stored::Journal(_)
            | Stored::Past
            | Stored::Outdated => self.taken.left += 1,
        }
        Ok(())
    }

    /// The rows of the next life. `drawn` must be random; at a hub, claims are granted again only after
    /// `lease_max`, as any lease may have been granted and lost.
    pub fn finish(mut self, drawn: Epoch, lease_max: Duration) -> (Vec<RowOp>, Taken) {
        let mut ops = std::mem::take(&mut self.verbatim);
        // With what a delete that waits has ended: its hub does not tell its own writer of it.
        let known = std::mem::take(&mut self.keys).into_iter();
        let known = known.filter(|(_, kept)| !kept.entry.context().is_empty());
        let known: Vec<_> = known.collect();
        let live = known.iter().filter(|(_, kept)| kept.entry.is_live());
        self.taken.keys = live.count() as u64;
        let is_hub = self.owner == Owner::Hub;
        if is_hub && !known.is_empty() {
            self.reach(Revision::default().next());
        }
        for (key, mut kept) in known {
            if is_hub {
                kept.number(self.revision);
            }
            ops.extend(kept.rows(&key));
        }
        let cursor = match &self.owner {
            Owner::Hub => {
                let run = Run {
                    ordinal: self.ordinal,
                    first: Revision::default().next(),
                    epoch: drawn,
                };
                ops.push(rows::put_run(&run));
                ops.push(rows::put_longest_lease(millis(lease_max)));
                None
            }
            // No hub has such a run: it asks for all that is here, and sends all it has.
            Owner::Agent(_) => Some(Cursor {
                epoch: drawn,
                revision: self.revision,
                head: self.revision,
            }),
        };
        ops.push(rows::put_meta(&Meta {
            owner: self.owner,
            high_water: self.high_water,
            revision: self.revision,
            cursor,
            reentering: false,
        }));
        (ops, self.taken)
    }

    fn meta(&mut self, meta: &Meta) -> Result<(), RowError> {
        meta.owner.check(&self.owner)?;
        self.high_water = self.high_water.max(meta.high_water);
        self.reach(meta.revision);
        if let Some(cursor) = meta.cursor {
            self.reach(cursor.head.max(cursor.revision));
        }
        Ok(())
    }

    /// Of a header only its numbers.
    fn header(&mut self, segment: &Segment) {
        self.reach(segment.revision);
        let kept = self.keys.entry(segment.key.clone()).or_default();
        kept.version = segment.version;
        kept.revision = segment.revision;
    }

    /// A write that the hub still has to say it refused, and why, is not admitted when it comes again. What
    /// it covers is none of it.
    fn refusal(&mut self, receipt: &Receipt) {
        let is_decided = receipt.refused() && receipt.reason != Reason::Unknown;
        if is_decided && self.owner == Owner::Hub {
            let mut refused = Context::new();
            refused.insert_id(&receipt.write);
            self.join(receipt.key.clone(), Entry::covering(refused));
        }
    }

    /// The row stays, and its delta is part of the state that it was of.
    fn waiting(&mut self, waiting: Waiting, row: &Row) {
        self.taken.waiting += 1;
        self.keep(row);
        self.join(waiting.key, waiting.delta);
    }

    fn join(&mut self, key: Key, delta: Entry) {
        for (_, write) in delta.writes() {
            self.high_water = self.high_water.max(write.stamp);
        }
        self.keys.entry(key).or_default().entry.join(delta);
    }

    fn keep(&mut self, row: &Row) {
        self.verbatim.push(RowOp::Put {
            key: row.key.clone(),
            value: row.value.clone(),
        });
    }

    fn reach(&mut self, revision: Revision) {
        self.revision = self.revision.max(revision);
    }

    fn only(&self, kind: &Owner, row: &Row) -> Result<(), RowError> {
        if self.owner == *kind {
            return Ok(());
        }
        Err(RowError::unreadable(row, "only hubs keep such rows"))
    }

    fn only_agents(&self, row: &Row) -> Result<(), RowError> {
        match self.owner {
            Owner::Agent(_) => Ok(()),
            Owner::Hub => Err(RowError::unreadable(row, "only agents keep such rows")),
        }
    }
}

impl Kept {
    /// What a hub holds has numbers. Where the header could not be read they are as low as they can be for
    /// the version, whoever knows it better says so, and as high as any for the revision.
    fn number(&mut self, head: Revision) {
        self.version = self.version.max(Version::default().next());
        if self.revision == Revision::default() {
            self.revision = head;
        }
    }

    fn rows(self, key: &Key) -> Vec<RowOp> {
        let context = self.entry.context().clone();
        let header = rows::put_header(key, self.version, self.revision, &context);
        let (writes, _) = self.entry.into_parts();
        let writes = writes.map(|(id, write)| rows::put_write(key, &id, &write));
        std::iter::once(header).chain(writes).collect()
    }
}

#[cfg(test)]
mod tests;
