//! What nobody is told any more goes: rows of the log are looked at in turn, some for each one that is
//! begun, and written again without it.

use bytes::Bytes;
use sync_core::{Epoch, Now, Revision, Row, RowOp};

use crate::hub::{Hub, HubOutput};
use crate::rows::{self, Chunk, CommitHead, Keep, KeyRecord, RowError, RowRange};

/// Rows that are looked at for one that is begun. With two for one the log is gone through, however long
/// it is, before it has grown by half.
const LOOKS_PER_CHUNK: usize = 2;

/// Rows that are looked at together: what goes of them goes with one commit, which stays a small one, and
/// a read is worth it.
const LOOKS_PER_READ: usize = 16;

/// What is told of a key in a commit that is named anyway is left where it is if it is no larger: to write
/// a row again takes more than that.
const TOLD_BYTES: usize = 256;

/// How far it is.
#[derive(Debug, Default)]
pub(in crate::hub) struct Thinning {
    /// The last row that was looked at; none to begin with the newest.
    at: Option<Bytes>,
    /// Rows still to be looked at.
    owed: usize,
    /// The ticket of the read under way, and the commit from which on rows may have been filled since.
    reading: Option<(u64, Revision)>,
    /// What goes with the next commit: nothing waits for it.
    ops: Vec<RowOp>,
}

impl Thinning {
    /// Goes on anywhere, and at once: runs that are short must not all begin with the same rows.
    pub(in crate::hub) fn open(&mut self, epoch: Epoch, head: Revision) {
        if let Some(at) = epoch.bits().checked_rem(head.get()) {
            self.at = Some(rows::chunks_from(Revision::new(at + 1)));
            self.owed = LOOKS_PER_READ;
        }
    }

    /// Whether a read is this one's, and before which commit its rows were full. It is over.
    pub(super) fn returned(&mut self, ticket: u64) -> Option<Revision> {
        let own = self.reading.take_if(|(own, _)| *own == ticket);
        own.map(|(_, full_before)| full_before)
    }
}

impl Hub {
    /// So many rows were begun; what has been found to go goes into this batch.
    pub(super) fn thin_log(&mut self, begun: usize, ops: &mut Vec<RowOp>) {
        let thinning = &mut self.past.thinning;
        thinning.owed = thinning.owed.saturating_add(begun * LOOKS_PER_CHUNK);
        ops.append(&mut thinning.ops);
        self.read_to_thin();
    }

    /// Reads the next rows, unless some are being read or wait to be written.
    fn read_to_thin(&mut self) {
        let thinning = &mut self.past.thinning;
        let busy = thinning.reading.is_some() || !thinning.ops.is_empty();
        if thinning.owed < LOOKS_PER_READ || busy || self.failed.is_some() {
            return;
        }
        thinning.owed -= LOOKS_PER_READ;
        let newest = || rows::chunks_from(self.revision);
        let after = thinning.at.clone().unwrap_or_else(newest);
        let ticket = self.past.line.ticket();
        let full_before = self.past.log.open_from().unwrap_or(self.revision);
        thinning.reading = Some((ticket, full_before));
        let ranges = vec![RowRange {
            after,
            limit: LOOKS_PER_READ,
        }];
        self.gate.push(HubOutput::Load { ticket, ranges });
    }

    /// The rows that [`Hub::read_to_thin`] has asked for. One that was not full yet is not as it was read.
    pub(super) fn thin_rows(
        &mut self,
        now: Now,
        full_before: Revision,
        rows: &[Row],
    ) -> Result<(), RowError> {
        let mut ops = Vec::new();
        for row in rows {
            if rows::is_outdated(row) {
                ops.push(rows::delete_outdated(row));
            } else if let Some(chunk) = Chunk::read(row)?
                && chunk.first < full_before
            {
                let named_after = self.past.journal.kept_after(self.revision);
                ops.extend(chunk.thinned(|at, head, record, told| {
                    let is_named = at > named_after;
                    let is_little = is_named && told <= TOLD_BYTES;
                    if is_little || self.is_told(head, record, told, now) {
                        Keep::Whole
                    } else if is_named {
                        Keep::Name
                    } else {
                        Keep::Nothing
                    }
                })?);
            }
        }
        if !ops.is_empty() {
            // With another bound the hub must not believe that it still has what is gone.
            ops.push(rows::put_journal(&self.past.journal.row()));
        }
        let thinning = &mut self.past.thinning;
        thinning.at = rows.last().map(|row| row.key.clone());
        if rows.len() < LOOKS_PER_READ {
            // Once through: what is owed would be looked at twice.
            (thinning.at, thinning.owed) = (None, 0);
        }
        thinning.ops = ops;
        self.read_to_thin();
        Ok(())
    }

    /// Whether a history still takes what a commit did to a key.
    fn is_told(&self, head: &CommitHead, record: &KeyRecord, told: usize, now: Now) -> bool {
        let (key, version) = (&record.key, record.version);
        let known = self.space.get(key).is_some();
        let kept = self.is_dropped(key, version).is_none();
        let young = self.is_too_old(key, head.at_ms, now).is_none();
        known && kept && young && (told > 0 || record.is_link())
    }
}
