//! Writes that agents push: verified, joined, committed together.

use bytes::Bytes;
use sync_core::codec::List;
use sync_core::{
    Body, Incarnation, Key, Now, Segment, Seq, SessionId, WriteId, Writer,
    planted::{self, Planted},
};

use super::Hub;
use super::admit::Source;
use super::commit::Commit;
use crate::keyspace::KeyState;
use crate::receipts::Receipts;
use crate::rows;

/// The content of a push message.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) incarnation: Incarnation,
    pub(super) after: Seq,
    pub(super) upto: Seq,
    pub(super) seqs: Vec<Seq>,
    pub(super) segments: Vec<Bytes>,
}

impl Hub {
    pub(super) fn handle_push(
        &mut self,
        now: Now,
        session: SessionId,
        push: &Push,
    ) -> Result<(), String> {
        // Not settled: whatever it knows may be of another hub. It will push again.
        if !self.has_settled(session) {
            return Ok(());
        }
        let Some(writer) = self.session_writer(session, push.incarnation) else {
            return Ok(());
        };
        // It takes those first, and pushes again when it has heard nothing for a while.
        let waiting = self.receipts.get(writer.agent());
        if waiting.is_some_and(Receipts::is_full_of_refusals) {
            self.send_receipts(session);
            return Ok(());
        }
        let deltas = verify(push, &writer)?;
        let incarnation = push.incarnation;
        let known = self.known.get(&writer).copied().unwrap_or_default();
        if push.after > known {
            self.send(session, Body::Gap { incarnation, known });
            return Ok(());
        }
        // It waits where it is, and is pushed again until there is room.
        if self.has_no_space_for(deltas.iter().map(|(_, segment)| segment)) {
            return Ok(());
        }
        // Not all that is known: what was not pushed now may wait on an older disk of this agent, which
        // does not know what has become of it.
        let mut upto = push.upto;
        if planted::is(Planted::PushCountsOneMore) {
            upto = upto.next();
        }
        let mut commit = Commit::from(session);
        for (seq, segment) in deltas {
            let Segment { key, mut entry, .. } = segment;
            let id = WriteId::new(writer.clone(), seq);
            // A disk that was copied may hold one that the other copy had no use for any more: the push
            // that counted it did not bring it.
            if seq <= known && self.has_met(&key, &id) {
                self.return_refused(&mut commit, now, &key, &id, &entry);
                continue;
            }
            if !self.may_write(session, &key) {
                // Who may write it has brought it already.
                if self.holds(&key, &id) {
                    continue;
                }
                entry = self.bar(&mut commit, &id, &key, &entry);
            }
            self.admit(&mut commit, now, &key, entry, Source::Writer);
        }
        if upto > known {
            commit.with_row(rows::put_known(&writer, upto));
            self.known.insert(writer.clone(), upto);
        }
        self.finish(commit, now);
        let body = Body::Committed {
            incarnation,
            upto,
            refused: self.refused_of(&writer, push.after, upto),
            standing: self.standing(session),
        };
        self.send(session, body);
        Ok(())
    }

    /// Whether a write of that key has been here, and was admitted or refused.
    fn has_met(&self, key: &Key, id: &WriteId) -> bool {
        let held = self.space.get(key).map(KeyState::entry);
        held.is_some_and(|held| held.context().contains(id))
    }

    /// The writes `after < seq <= upto` that were refused and whose writer may not know it yet.
    fn refused_of(&self, writer: &Writer, after: Seq, upto: Seq) -> List<Seq> {
        let first = WriteId::new(writer.clone(), after.next());
        let last = WriteId::new(writer.clone(), upto.max(first.seq));
        let waiting = self.receipts.get(writer.agent()).into_iter();
        let waiting = waiting.flat_map(|receipts| receipts.of(first.clone()..=last.clone()));
        let refused = waiting.filter(|receipt| receipt.refused());
        refused.map(|receipt| receipt.write.seq).collect()
    }
}

/// Checks that a push is what it claims: the named numbers in order, each an exact delta of that
/// writer. Nobody pushes in another's name.
fn verify(push: &Push, writer: &Writer) -> Result<Vec<(Seq, Segment)>, String> {
    let ascending = push.seqs.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = push
        .seqs
        .iter()
        .all(|seq| *seq > push.after && *seq <= push.upto);
    if !ascending || !inside || push.seqs.len() != push.segments.len() {
        return Err("a push does not name its writes in order".to_owned());
    }
    let numbered = push.seqs.iter().zip(&push.segments);
    numbered
        .map(|(&seq, bytes)| Ok((seq, exact(seq, writer, bytes)?)))
        .collect()
}

fn exact(seq: Seq, writer: &Writer, bytes: &[u8]) -> Result<Segment, String> {
    let segment = Segment::decode(bytes).map_err(|e| e.to_string())?;
    let id = WriteId::new(writer.clone(), seq);
    let own = segment.entry.context().contains(&id);
    let only = segment
        .entry
        .writes()
        .all(|(held, write)| *held == id && write.closure(held) == *segment.entry.context());
    if own && only {
        Ok(segment)
    } else {
        Err(format!("the delta pushed as {id} is not of that write"))
    }
}
