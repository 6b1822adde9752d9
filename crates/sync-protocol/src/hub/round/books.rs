//! The books of the rounds under way: who was asked, what has arrived, what it came to. Bounded in all
//! that a peer can make grow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::{AgentId, Key, Revision, SessionId};

use super::KEYS_PER_PART;
use super::gather::Gathered;
use crate::hub::ReplyTo;
use crate::hub::commit::Committed;

/// What a member takes in the books of a round, in bytes: its name, its connection.
const BYTES_PER_MEMBER: usize = 128;

/// What a part of a member's answer takes, in bytes.
const BYTES_PER_PART: usize = 64;

/// What a round takes beside its keys and members, in bytes.
const BYTES_PER_ROUND: usize = 512;

/// What a key takes beside its text, in bytes.
const BYTES_PER_KEY: usize = 32;

/// Frames of one answer that may come before their turn and count all the same.
const EARLY_FRAMES_MAX: usize = 64;

/// All rounds under way.
#[derive(Debug, Default)]
pub(in crate::hub) struct Rounds {
    open: BTreeMap<u64, Round>,
    last: u64,
    bytes: usize,
}

impl Rounds {
    /// Opens a round and returns its number.
    pub(super) fn open(&mut self, round: Round) -> u64 {
        self.last += 1;
        self.bytes += round.weight();
        self.open.insert(self.last, round);
        self.last
    }

    pub(super) fn close(&mut self, number: u64) -> Option<Round> {
        let round = self.open.remove(&number)?;
        self.bytes -= round.weight();
        Some(round)
    }

    /// Bytes that the open rounds hold, without the page each may be gathering.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, number: u64) -> Option<&Round> {
        self.open.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Round> {
        self.open.get_mut(&number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Round)> {
        self.open.iter().map(|(number, round)| (*number, round))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Round)> {
        self.open.iter_mut().map(|(number, round)| (*number, round))
    }

    /// How many a peer has asked for that are not its hub's own, and how many of these are `asker`'s.
    pub(super) fn of_peers(&self, asker: SessionId) -> (usize, usize) {
        let peers = self.open.values().filter_map(|round| match round.reply_to {
            ReplyTo::Remote(session, _) => Some(session),
            ReplyTo::Local(_) => None,
        });
        peers.fold((0, 0), |(all, own), session| {
            (all + 1, own + usize::from(session == asker))
        })
    }

    pub(in crate::hub) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// When the next one ends at the latest.
    pub(in crate::hub) fn deadline(&self) -> Option<Duration> {
        self.open.values().map(|round| round.deadline).min()
    }

    /// Closes all; returns who waits for them.
    pub(in crate::hub) fn drain(&mut self) -> impl Iterator<Item = ReplyTo> {
        self.bytes = 0;
        let open = std::mem::take(&mut self.open);
        open.into_values().map(|round| round.reply_to)
    }
}

/// A round under way.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) reply_to: ReplyTo,
    pub(super) keys: Vec<Key>,
    /// How many messages it takes to name the keys.
    pub(super) parts: u32,
    pub(super) started: Duration,
    pub(super) deadline: Duration,
    /// The members asked, each with what of its answer has arrived.
    pub(super) asked: BTreeMap<AgentId, Heard>,
    /// Who is not through with the half under way: has not answered in full, or, once the gathering is
    /// over, has not confirmed the update. The half ends when nobody is left.
    pub(super) waits_for: BTreeSet<AgentId>,
    /// What has arrived and is not committed yet: about a page at most.
    pub(super) gathered: Vec<Gathered>,
    /// Bytes of segments in it.
    pub(super) gathered_bytes: usize,
    /// Bytes of answers.
    pub(super) bytes: u64,
    /// What the answers have come to.
    pub(super) brought: Committed,
    /// The revision at which the gathering was over: what is left is to see the update confirmed.
    pub(super) committed: Option<Revision>,
}

impl Round {
    pub(super) fn responded(&self) -> impl Iterator<Item = &AgentId> {
        self.asked
            .iter()
            .filter(|(_, h)| h.complete(self.parts))
            .map(|(agent, _)| agent)
    }

    /// Whether `agent` is asked through `session`.
    pub(super) fn asks(&self, agent: &AgentId, session: SessionId) -> bool {
        self.asked.get(agent).is_some_and(|h| h.session == session)
    }

    /// Notes a frame of an answer; false if it does not count.
    pub(super) fn hear(&mut self, agent: &AgentId, frame: Frame) -> Result<bool, String> {
        let Some(heard) = self.asked.get_mut(agent) else {
            return Ok(false);
        };
        let counts = heard.hear(self.parts, frame)?;
        if heard.complete(self.parts) {
            self.waits_for.remove(agent);
        }
        Ok(counts)
    }

    /// What a member has answered counts no longer: it will be asked again.
    pub(super) fn forget(&mut self, agent: &AgentId, session: SessionId) {
        self.asked
            .insert(agent.clone(), Heard::nothing(session, false));
        self.waits_for.insert(agent.clone());
    }

    /// The connection that a member was asked through is gone.
    pub(super) fn lose(&mut self, agent: &AgentId) {
        if let Some(heard) = self.asked.get_mut(agent) {
            heard.lost = true;
        }
        self.waits_for.remove(agent);
    }

    /// The gathering is over at `revision`; `has_confirmed` tells who is through already.
    pub(super) fn commit(&mut self, revision: Revision, has_confirmed: impl Fn(&AgentId) -> bool) {
        self.committed = Some(revision);
        let there = |agent: &&AgentId| !self.asked[*agent].lost && !has_confirmed(agent);
        self.waits_for = self.responded().filter(there).cloned().collect();
    }

    /// Bytes of its books.
    pub(super) fn weight(&self) -> usize {
        weight_of(&self.keys, self.asked.len())
    }
}

/// Bytes that a round over `keys` among so many members holds.
pub(super) fn weight_of(keys: &[Key], members: usize) -> usize {
    let named: usize = keys.iter().map(|k| k.as_str().len() + BYTES_PER_KEY).sum();
    let member = BYTES_PER_MEMBER + parts_of(keys) * BYTES_PER_PART;
    BYTES_PER_ROUND + named + members * member
}

/// How many messages it takes to name `keys`.
pub(super) fn parts_of(keys: &[Key]) -> usize {
    keys.len().div_ceil(KEYS_PER_PART).max(1)
}

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
        }
    }

    /// Notes a frame of a round of `parts` parts; false if it does not count, as one of an answer that
    /// was asked for before the connection lost its position.
    fn hear(&mut self, parts: u32, frame: Frame) -> Result<bool, String> {
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

    fn complete(&self, parts: u32) -> bool {
        let whole = self.parts.values().filter(|part| part.next == part.frames);
        whole.count() as u64 == u64::from(parts)
    }
}
