//! What changed after a cursor: a range of the index, O(changes), in pages.

use sync_core::segment::encode_parts;
use sync_core::{
    Body, Cursor, Delta, DeltaOutcome, Key, Message, RequestError, Resume, Revision, SessionId,
    Since,
};

use super::Hub;
use super::fanout::Packer;
use super::lineage::Invalid;

/// Keys in one page of a delta read as values.
const VALUES_PER_PAGE: usize = 4_096;

/// Bytes of values in one page of a delta read as values: well under a frame.
const VALUE_BYTES_PER_PAGE: usize = 256 * 1024;

impl Hub {
    pub(super) fn handle_delta_request(
        &mut self,
        session: SessionId,
        request: u64,
        cursor: Option<Cursor>,
        resume: Option<Resume>,
    ) {
        let Some(peer) = self.sessions.get_mut(&session) else {
            return;
        };
        if request <= peer.last_request {
            return;
        }
        peer.last_request = request;
        let outcome = match self.check_cursor(cursor) {
            Err(Invalid::Epoch) => DeltaOutcome::EpochMismatch {
                epoch: self.epoch(),
            },
            Err(Invalid::Ahead) => DeltaOutcome::Ahead {
                head: self.revision,
            },
            Ok(()) => return self.send_page(session, request, cursor, resume),
        };
        if let Some(peer) = self.sessions.get_mut(&session) {
            peer.settled = false;
        }
        self.send(session, Body::DeltaReply { request, outcome });
    }

    /// A cursor that this lineage has numbered; none is the start. What an invalid one has met is
    /// never numbered again.
    fn check_cursor(&mut self, cursor: Option<Cursor>) -> Result<(), Invalid> {
        let Some(cursor) = cursor else { return Ok(()) };
        let checked = self.lineage.check(&cursor, self.revision);
        if checked.is_err() {
            // Not believed without bound: a lying peer must not use the numbers up.
            let met = cursor.head.max(cursor.revision);
            if met.get() < u64::from(u32::MAX) + self.revision.get() {
                self.met = self.met.max(met);
            }
        }
        checked
    }

    fn send_page(
        &mut self,
        session: SessionId,
        request: u64,
        cursor: Option<Cursor>,
        resume: Option<Resume>,
    ) {
        let from = cursor.map(|c| c.revision).unwrap_or_default();
        let (segments, to, next) = self.page(from, resume);
        let head = self.revision;
        let cursor = Cursor {
            epoch: self.epoch(),
            revision: to,
            head,
        };
        let standing = self.standing(session);
        let outcome = if segments.is_empty() && next.is_none() {
            DeltaOutcome::UpToDate { standing }
        } else {
            DeltaOutcome::Changes {
                to: cursor,
                next: next.clone(),
                standing,
            }
        };
        if let Some(peer) = self.sessions.get_mut(&session) {
            peer.settled = true;
            // From here on commits follow by themselves.
            peer.sent = next.is_none().then_some(head);
        }
        let body = Body::DeltaReply { request, outcome };
        self.send(session, Message::with(body, segments));
        if next.is_none() {
            self.send_receipts(session);
        }
    }

    /// One page of whole entries: its segments, the last revision that is complete with it, and
    /// where the next page starts.
    fn page(
        &self,
        from: Revision,
        resume: Option<Resume>,
    ) -> (Vec<bytes::Bytes>, Revision, Option<Resume>) {
        let budget = self.config.limits.page_bytes;
        let mut packer = Packer::new(budget);
        let mut used = 0;
        let mut complete = from;
        let mut last: Option<Resume> = None;
        let start = resume.as_ref().map(|r| (r.revision, r.key.clone()));
        for (revision, key) in self.changed_after(from, start) {
            let Some(state) = self.space.get(key) else {
                continue;
            };
            if last.as_ref().is_some_and(|l| l.revision < revision) {
                complete = Revision::new(revision.get() - 1).max(complete);
            }
            let resumed = resume
                .as_ref()
                .filter(|r| r.revision == revision && r.key == *key);
            let after = resumed.and_then(|r| r.after.as_ref());
            if resumed.is_some() && after.is_none() {
                continue;
            }
            for part in state.entry().parts(after, budget) {
                let segment = encode_parts(key, state.version(), revision, &part.entry);
                if used > 0 && used + segment.len() > budget {
                    return (flatten(packer), complete, last);
                }
                used += segment.len();
                packer.push(segment);
                let end = part.end;
                last = Some(Resume {
                    revision,
                    key: key.clone(),
                    after: end,
                });
            }
            if let Some(last) = &mut last {
                last.after = None;
            }
        }
        (flatten(packer), self.revision, None)
    }

    /// The rows of the index after `from`, or from `start` on if that is later.
    fn changed_after(
        &self,
        from: Revision,
        start: Option<(Revision, Key)>,
    ) -> impl Iterator<Item = (Revision, &Key)> {
        let past = (from.next(), None);
        let first = start
            .map(|(revision, key)| (revision, Some(key)))
            .filter(|row| *row > past);
        let rows = self.index.range(first.unwrap_or(past)..);
        rows.filter_map(|(revision, key)| Some((*revision, key.as_ref()?)))
    }

    /// The same as values, for peers that hold no replica. O(changes).
    pub(super) fn delta_values(&mut self, since: Since) -> Result<Delta, RequestError> {
        let from = match since {
            Since::Revision(revision) if revision > self.revision => {
                return Err(RequestError::Ahead {
                    head: self.revision,
                });
            }
            Since::Revision(revision) => revision,
            Since::Cursor(cursor) => match self.check_cursor(Some(cursor)) {
                Ok(()) => cursor.revision,
                Err(Invalid::Epoch) => {
                    return Err(RequestError::EpochMismatch {
                        epoch: self.epoch(),
                    });
                }
                Err(Invalid::Ahead) => {
                    return Err(RequestError::Ahead {
                        head: self.revision,
                    });
                }
            },
        };
        let mut changes = Vec::new();
        let mut used = 0;
        let mut to = self.revision;
        let mut more = false;
        for (revision, key) in self.changed_after(from, None) {
            let Some(state) = self.space.get(key) else {
                continue;
            };
            let weight: usize = state.entry().writes().map(|(_, w)| w.weight()).sum();
            // A revision is never cut: its keys share one cursor.
            let boundary = changes.last().is_some_and(|c: &sync_core::StateVersion| {
                c.revision.is_some_and(|r| r < revision)
            });
            let full = changes.len() >= VALUES_PER_PAGE || used + weight > VALUE_BYTES_PER_PAGE;
            if boundary && full {
                to = Revision::new(revision.get() - 1);
                more = true;
                break;
            }
            used += weight;
            changes.push(self.read(key, state));
        }
        let to = Cursor {
            epoch: self.epoch(),
            revision: to,
            head: self.revision,
        };
        Ok(Delta {
            changes,
            to,
            head: self.revision,
            more,
        })
    }
}

fn flatten(packer: Packer) -> Vec<bytes::Bytes> {
    packer.finish().into_iter().flatten().collect()
}
