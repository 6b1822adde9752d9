//! Who waits for rows of the past, and whose are being read.

use std::collections::{BTreeMap, VecDeque};

use sync_core::{RequestError, SessionId};

use super::invalid;
use super::question::Question;
use crate::hub::ReplyTo;

/// Questions whose rows are being read at once: each holds what it has read, and a disk serves no more
/// at a time.
const READS_MAX: usize = 8;

/// Questions in line, of one connection and in all: more than people ask, and what one that asks and
/// asks can make grow.
const WAITING_PER_PEER: usize = 16;
const WAITING_MAX: usize = 256;

/// Questions in line and under way.
#[derive(Debug, Default)]
pub(in crate::hub) struct Line {
    waiting: VecDeque<(ReplyTo, Question)>,
    /// By the ticket of the read. Without an asker if it has left: the read goes on, and counts.
    reading: BTreeMap<u64, (Option<ReplyTo>, Question)>,
    tickets: u64,
}

impl Line {
    /// Takes a question, or says why there is no room for it.
    pub(super) fn join(&mut self, to: ReplyTo, question: Question) -> Result<(), RequestError> {
        let own = self.waiting.iter().filter(|(other, _)| is_of(*other, to));
        let own = own.count();
        if own >= WAITING_PER_PEER || self.waiting.len() >= WAITING_MAX {
            return Err(invalid(format!(
                "{} questions about the past wait to be answered, {own} of them yours; the limits are {WAITING_MAX} and {WAITING_PER_PEER}: ask again later",
                self.waiting.len()
            )));
        }
        self.waiting.push_back((to, question));
        Ok(())
    }

    /// The next question, if there is room for its read.
    pub(super) fn next(&mut self) -> Option<(ReplyTo, Question)> {
        if self.reading.len() >= READS_MAX {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Names the read that a question waits for.
    pub(super) fn depart(&mut self, to: ReplyTo, question: Question) -> u64 {
        let ticket = self.ticket();
        self.reading.insert(ticket, (Some(to), question));
        ticket
    }

    /// Names a read.
    pub(super) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Whose read that was, and the question if anybody still asks it.
    pub(super) fn returned(&mut self, ticket: u64) -> Option<(Option<ReplyTo>, Question)> {
        self.reading.remove(&ticket)
    }

    /// Nobody waits for what a lost connection has asked.
    pub(in crate::hub) fn forget_session(&mut self, session: SessionId) {
        let is_its = |to: ReplyTo| matches!(to, ReplyTo::Remote(of, _) if of == session);
        self.waiting.retain(|(to, _)| !is_its(*to));
        for (to, _) in self.reading.values_mut() {
            *to = to.filter(|to| !is_its(*to));
        }
    }

    /// Whether nobody waits and nothing is being read.
    pub(in crate::hub) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.reading.is_empty()
    }

    /// All that wait; nobody afterwards.
    pub(in crate::hub) fn drain(&mut self) -> Vec<ReplyTo> {
        let waiting = std::mem::take(&mut self.waiting);
        let reading = std::mem::take(&mut self.reading);
        let reading = reading.into_values().filter_map(|(to, _)| to);
        waiting
            .into_iter()
            .map(|(to, _)| to)
            .chain(reading)
            .collect()
    }
}

/// Whether two were asked through one connection, or both in this process.
fn is_of(one: ReplyTo, other: ReplyTo) -> bool {
    match (one, other) {
        (ReplyTo::Remote(one, _), ReplyTo::Remote(other, _)) => one == other,
        (ReplyTo::Local(_), ReplyTo::Local(_)) => true,
        _ => false,
    }
}
