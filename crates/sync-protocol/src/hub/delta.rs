//! What changed after a cursor: a range of the index, O(changes), in pages.

use sync_core::segment::encode_parts;
use sync_core::{
    Body, Cursor, Delta, DeltaOutcome, Key, Message, RequestError, Resume, Revision, SessionId,
    Since, pieces,
    planted::{self, Planted},
};

use super::Hub;
use super::activity::CaughtUp;
use super::fanout::Packer;
use super::lineage::Invalid;
use super::reentry::NUMBERS_AHEAD_MAX;
use crate::view::omit_value;

/// Keys in one page of a delta read as values.
const VALUES_PER_PAGE: usize = 4_096;

/// Bytes after which a page of a delta read as values ends.
pub(super) const VALUE_BYTES_PER_PAGE: usize = 256 * 1024;

/// Bytes in one answer before values are left out of it, so that with all else it is one that can be
/// sent.
const ANSWER_BYTES: usize = pieces::WHOLE_BYTES_MAX / 4 * 3;

/// About how many bytes tell of a key beside its name and its value: numbers, times, names.
const ITEM_BYTES: usize = 128;

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
        self.unsettle(session);
        self.send(session, Body::DeltaReply { request, outcome });
    }

    /// A cursor that this lineage has numbered; none is the start. What an invalid one has met is
    /// never numbered again.
    fn check_cursor(&mut self, cursor: Option<Cursor>) -> Result<(), Invalid> {
        let Some(cursor) = cursor else { return Ok(()) };
        let checked = self.lineage.check(&cursor, self.revision);
        if checked.is_err() {
            let met = cursor.head.max(cursor.revision);
            if met.get() <= self.revision.get().saturating_add(NUMBERS_AHEAD_MAX) {
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
        if resume.is_some() {
            // The first page has brought the peer to where it takes what is ahead of it.
            self.catch_up_ahead(session, from);
        } else if let Some(peer) = self.sessions.get_mut(&session) {
            peer.was_ahead = false;
        }
        let is_first = resume.is_none();
        let Found {
            segments,
            weight,
            to,
            next,
        } = self.page(from, resume);
        let page = CaughtUp {
            from,
            is_first,
            is_last: next.is_none(),
            weight,
        };
        self.count_catching_up(session, page);
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
        self.ask_settled(session);
        if next.is_none() {
            self.send_receipts(session);
        }
    }

    /// One page of whole entries.
    fn page(&self, from: Revision, resume: Option<Resume>) -> Found {
        let budget = self.config.limits.page_bytes;
        let mut packer = Packer::new(budget);
        let (mut used, mut weight) = (0, 0);
        let mut complete = from;
        let mut last: Option<Resume> = None;
        let start = resume.as_ref().map(|r| (r.revision, r.key.clone()));
        for (revision, key) in self.changed_after(from, start) {
            let Some(state) = self.space.get(key) else {
                continue;
            };
            if planted::is(Planted::SinceByVersion) && state.version().get() <= from.get() {
                continue;
            }
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
                    return Found {
                        segments: flatten(packer),
                        weight,
                        to: complete,
                        next: last,
                    };
                }
                used += segment.len();
                weight += part.entry.weight() as u64;
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
        Found {
            segments: flatten(packer),
            weight,
            to: self.revision,
            next: None,
        }
    }

    /// The rows of the index after `from`, or from `start` on if that is later.
    pub(super) fn changed_after(
        &self,
        from: Revision,
        start: Option<(Revision, Key)>,
    ) -> impl Iterator<Item = (Revision, &Key)> {
        let skips = planted::is(Planted::DeltaSkipsTheFirst) && from.get() > 0;
        let past = (
            if skips {
                from.next().next()
            } else {
                from.next()
            },
            None,
        );
        let first = start
            .map(|(revision, key)| (revision, Some(key)))
            .filter(|row| *row > past);
        let rows = self.index.range(first.unwrap_or(past)..);
        rows.filter_map(|(revision, key)| Some((*revision, key.as_ref()?)))
    }

    /// Where a position is in this hub's log.
    pub(super) fn position(&mut self, since: Since) -> Result<Revision, RequestError> {
        let ahead = RequestError::Ahead {
            head: self.revision,
        };
        match since {
            Since::Revision(revision)
                if revision > self.revision && !planted::is(Planted::AboveHeadIsNothing) =>
            {
                Err(ahead)
            }
            Since::Revision(revision) => Ok(revision),
            Since::Cursor(cursor) => match self.check_cursor(Some(cursor)) {
                Ok(()) => Ok(cursor.revision),
                Err(Invalid::Epoch) => Err(RequestError::EpochMismatch {
                    epoch: self.epoch(),
                }),
                Err(Invalid::Ahead) => Err(ahead),
            },
        }
    }

    /// The same as values, for peers that hold no replica. O(changes).
    pub(super) fn delta_values(&mut self, since: Since) -> Result<Delta, RequestError> {
        let from = self.position(since)?;
        let mut page = Page::default();
        let mut more = false;
        for (revision, key) in self.changed_after(from, None) {
            let Some(state) = self.space.get(key) else {
                continue;
            };
            if page.is_full_before(revision) {
                more = true;
                break;
            }
            let mut read = self.read(key, state);
            let weight = state.weight();
            let taken = page.room_for(weight);
            if taken < weight {
                omit_value(&mut read, weight);
            }
            page.push(read, revision, item_bytes(key) + taken);
        }
        let (changes, last) = page.finish();
        let to = self.cursor_at(if more { last } else { self.revision });
        Ok(Delta {
            changes,
            to,
            head: self.revision,
            more,
        })
    }
}

/// One page of whole entries.
#[derive(Debug)]
struct Found {
    segments: Vec<bytes::Bytes>,
    /// About how many bytes its writes take.
    weight: u64,
    /// The last revision that is complete with it.
    to: Revision,
    /// Where the next page starts.
    next: Option<Resume>,
}

/// Changes in order of their revisions, up to about a page. A revision is never cut: its keys share one
/// position.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    bytes: usize,
    last: Revision,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            bytes: 0,
            last: Revision::default(),
        }
    }
}

impl<T> Page<T> {
    /// Whether it ends before `revision`.
    pub(super) fn is_full_before(&self, revision: Revision) -> bool {
        let full = self.items.len() >= VALUES_PER_PAGE || self.bytes > VALUE_BYTES_PER_PAGE;
        full && self.last < revision
    }

    /// What a value of so many bytes takes of the answer: nothing if it does not fit and has to be left
    /// out. One key, or many in one revision, may take more than any answer.
    pub(super) fn room_for(&self, bytes: usize) -> usize {
        let fits = self.bytes.saturating_add(bytes) <= ANSWER_BYTES;
        if fits { bytes } else { 0 }
    }

    pub(super) fn push(&mut self, item: T, revision: Revision, bytes: usize) {
        self.items.push(item);
        self.bytes += bytes;
        self.last = revision;
    }

    /// What is in it, and the last revision that is.
    pub(super) fn finish(self) -> (Vec<T>, Revision) {
        (self.items, self.last)
    }
}

/// About how many bytes tell of a key whose value was left out.
pub(super) fn item_bytes(key: &Key) -> usize {
    ITEM_BYTES + key.as_str().len()
}

fn flatten(packer: Packer) -> Vec<bytes::Bytes> {
    packer.finish().into_iter().flatten().collect()
}
