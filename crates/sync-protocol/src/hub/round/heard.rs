//! How far the answer of one member to one round has arrived.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::message::Spot;
use sync_core::{
    SessionId,
    planted::{self, Planted},
};

/// Frames of one answer that may come before their turn and count all the same.
const EARLY_FRAMES_MAX: usize = 64;

/// How far one member's answer has arrived.
#[derive(Debug)]
pub(super) struct Heard {
    /// The connection it is asked through: the answer comes through no other.
    pub(super) session: SessionId,
    /// It was asked.
    pub(super) asked: bool,
    /// It is gone: nothing will follow.
    pub(super) lost: bool,
    /// Per part, what has arrived of the answer to it.
    parts: BTreeMap<u32, Part>,
    /// Which page of a sweep is due, and what it begins after.
    page: (u32, Option<Spot>),
}

/// Frames come in order but for what a network without one turns round, so that a count stands for
/// nearly all of them.
#[derive(Debug)]
struct Part {
    frames: u32,
    /// All before this one have arrived.
    next: u32,
    /// Frames that came before their turn, a few at most.
    early: BTreeSet<u32>,
}

impl Part {
    /// Notes a frame; false if it has arrived before, or too far before its turn to count.
    fn hear(&mut self, index: u32) -> bool {
        if index > self.next {
            return self.early.len() < EARLY_FRAMES_MAX && self.early.insert(index);
        }
        let is_next = index == self.next;
        self.next += u32::from(is_next);
        while self.early.remove(&self.next) {
            self.next += 1;
        }
        is_next
    }
}

/// Which frame of which answer arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) part: u32,
    pub(super) index: u32,
    pub(super) frames: u32,
}

impl Heard {
    pub(super) fn nothing(session: SessionId, asked: bool) -> Self {
        Self {
            session,
            asked,
            lost: false,
            parts: BTreeMap::new(),
            page: (0, None),
        }
    }

    /// Which page of a sweep is to be asked for, and what it begins after.
    pub(super) fn page(&self) -> (u32, Option<Spot>) {
        self.page.clone()
    }

    /// Notes a page of a sweep; false if another one is due. The last one makes the answer complete.
    pub(super) fn hear_page(&mut self, part: u32, next: Option<Spot>) -> Result<bool, String> {
        let (due, after) = &self.page;
        if part != *due || !self.parts.is_empty() {
            return Ok(false);
        }
        match next {
            Some(_) if next <= *after => Err("a page of a sweep reaches no further".to_owned()),
            Some(_) => {
                self.page = (due.saturating_add(1), next);
                Ok(true)
            }
            None => {
                let frame = Frame {
                    part: 0,
                    index: 0,
                    frames: 1,
                };
                self.hear(1, frame)
            }
        }
    }

    /// Notes a frame of a round of `parts` parts; false if it does not count, as one of an answer that
    /// was asked for before the connection lost its position.
    pub(super) fn hear(&mut self, parts: u32, frame: Frame) -> Result<bool, String> {
        let Frame {
            part,
            index,
            frames,
        } = frame;
        if part >= parts || index >= frames {
            return Err("an answer does not fit its round".to_owned());
        }
        let heard = self.parts.entry(part).or_insert_with(|| Part {
            frames,
            next: 0,
            early: BTreeSet::new(),
        });
        Ok(heard.frames == frames && heard.hear(index))
    }

    pub(super) fn complete(&self, parts: u32) -> bool {
        let some = planted::is(Planted::PieceCountsForAll);
        let is_whole = |part: &&Part| part.next == part.frames || some && part.next > 0;
        let whole = self.parts.values().filter(is_whole);
        whole.count() as u64 == u64::from(parts)
    }
}
