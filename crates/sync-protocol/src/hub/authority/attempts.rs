//! Answers that were given, so that whoever asks again gets the same one instead of a second decision.

use std::collections::{BTreeMap, VecDeque};

use bincode::{Decode, Encode};
use sync_core::{AgentId, Attempt, Digest, Incarnation, Reply, RequestError, RowOp};

use crate::rows;

/// Answers that are kept for askers who have not said that they arrived: an hour of a busy one-shot
/// writer, which never says so.
const ANSWERS_MAX: usize = 65_536;

/// Bytes of them, encoded: they are in memory.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Places of answers that are gone, before it is worth while to look for them.
const GONE_MIN: usize = 64;

/// Which attempt, of all.
type Name = (AgentId, Incarnation, u64);

type ByName = BTreeMap<Name, (Answered, usize)>;

/// An answer as it is stored.
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) struct Answered {
    pub(crate) asker: AgentId,
    pub(crate) run: Incarnation,
    pub(crate) number: u64,
    /// The fingerprint of what was asked.
    about: Digest,
    /// Up to there every answer had arrived when it was asked.
    arrived: u64,
    /// Counts the answers: the oldest go first.
    ordinal: u64,
    reply: Reply,
}

impl Answered {
    fn name(&self) -> Name {
        (self.asker.clone(), self.run, self.number)
    }
}

/// Those that are kept.
#[derive(Debug, Default)]
pub(in crate::hub) struct Attempts {
    /// With how many bytes each takes.
    by_name: ByName,
    /// In the order in which they were given; some are gone.
    order: VecDeque<(u64, Name)>,
    bytes: usize,
    next_ordinal: u64,
}

impl Attempts {
    /// Takes back what was stored, in any order; [`Attempts::open`] comes after the last.
    pub(in crate::hub) fn restore(&mut self, answered: Answered, bytes: usize) {
        self.next_ordinal = self.next_ordinal.max(answered.ordinal + 1);
        self.keep(answered, bytes);
    }

    pub(in crate::hub) fn open(&mut self) {
        let ordered = self.order.make_contiguous();
        ordered.sort_unstable_by_key(|(ordinal, _)| *ordinal);
    }

    /// The answer to an attempt that was made before; a refusal if that was about something else.
    pub(super) fn find(&self, asker: &AgentId, attempt: Attempt, about: Digest) -> Option<Reply> {
        let name = (asker.clone(), attempt.run, attempt.number);
        let Some((kept, _)) = self.by_name.get(&name) else {
            return self.refuse_late(asker, attempt).map(Err);
        };
        if kept.about == about {
            return Some(kept.reply.clone());
        }
        let reason = format!(
            "the attempt {} of {asker} was another request: leave it out, or repeat what was asked then",
            attempt.run
        );
        Some(Err(RequestError::Invalid { reason }))
    }

    /// One whose answer has arrived may come once more, through a connection that was given up: it is not
    /// decided a second time.
    fn refuse_late(&self, asker: &AgentId, attempt: Attempt) -> Option<RequestError> {
        let of = |number| (asker.clone(), attempt.run, number);
        let mut run = self.by_name.range(of(0)..=of(u64::MAX));
        let (_, (last, _)) = run.next_back()?;
        (attempt.number <= last.arrived).then(|| {
            let reason = format!(
                "{asker} has had the answer to its request {} before; this is the same one, late",
                attempt.number
            );
            RequestError::Invalid { reason }
        })
    }

    /// Keeps an answer, and forgets those that have arrived and the oldest that are too many. The rows go
    /// with what was decided.
    pub(super) fn note(
        &mut self,
        asker: AgentId,
        attempt: Attempt,
        about: Digest,
        reply: &Reply,
    ) -> Vec<RowOp> {
        let of = |number: u64| (asker.clone(), attempt.run, number);
        let upto = attempt.answered.min(attempt.number.saturating_sub(1));
        let arrived = self.by_name.range(of(0)..=of(upto));
        let arrived: Vec<Name> = arrived.map(|(name, _)| name.clone()).collect();
        let mut ops: Vec<RowOp> = arrived.iter().map(|name| self.forget(name)).collect();
        let answered = Answered {
            asker,
            run: attempt.run,
            number: attempt.number,
            about,
            arrived: upto,
            ordinal: self.next_ordinal,
            reply: reply.clone(),
        };
        self.next_ordinal += 1;
        let (row, bytes) = rows::put_answered(&answered);
        ops.push(row);
        self.keep(answered, bytes);
        while self.by_name.len() > ANSWERS_MAX || self.bytes > ANSWER_BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if is_kept(&self.by_name, &oldest) {
                ops.push(self.forget(&oldest.1));
            }
        }
        ops
    }

    fn keep(&mut self, answered: Answered, encoded: usize) {
        let bytes = size_of::<Answered>() + encoded;
        let name = answered.name();
        self.bytes += bytes;
        self.order.push_back((answered.ordinal, name.clone()));
        self.by_name.insert(name, (answered, bytes));
        // What has gone by name is still in line; in time all of it would be.
        if self.order.len() > 2 * self.by_name.len() + GONE_MIN {
            self.order.retain(|place| is_kept(&self.by_name, place));
        }
    }

    fn forget(&mut self, name: &Name) -> RowOp {
        if let Some((_, bytes)) = self.by_name.remove(name) {
            self.bytes -= bytes;
        }
        rows::delete_answered(name)
    }
}

/// Whether a place in line is that of an answer that is still there.
fn is_kept(by_name: &ByName, (ordinal, name): &(u64, Name)) -> bool {
    let kept = by_name.get(name);
    kept.is_some_and(|(kept, _)| kept.ordinal == *ordinal)
}
