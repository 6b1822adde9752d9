//! The books of the rounds under way: who was asked, what has arrived, what it came to. Bounded in all
//! that a peer can make grow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sync_core::message::{Scope, Spot};
use sync_core::{
    AgentId, Key, Priority, Revision, SessionId,
    planted::{self, Planted},
};

use super::KEYS_PER_PART;
use super::batch::Batch;
use super::gather::Gathered;
use super::heard::{Frame, Heard};
use crate::hub::commit::Committed;
use crate::hub::{Asker, ReplyTo};

/// What a member takes in the books of a round, in bytes: its name, its connection.
const BYTES_PER_MEMBER: usize = 128;

/// What a part of a member's answer takes, in bytes.
const BYTES_PER_PART: usize = 64;

/// What a round takes beside its keys and members, in bytes.
const BYTES_PER_ROUND: usize = 512;

/// What a key takes beside its text, in bytes: in its round, and in what that is a part of.
const BYTES_PER_KEY: usize = 64;

/// All rounds under way, and what they were asked for.
#[derive(Debug, Default)]
pub(in crate::hub) struct Rounds {
    open: BTreeMap<u64, Round>,
    batches: BTreeMap<u64, Batch>,
    last: u64,
    last_batch: u64,
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

    /// What it is a part of holds its keys on, as long as another part is open.
    pub(super) fn close(&mut self, number: u64) -> Option<Round> {
        let round = self.open.remove(&number)?;
        self.bytes -= round.weight();
        if let Some(batch) = self.batches.get_mut(&round.batch) {
            batch.open.remove(&number);
            let kept = named(&round.keys) * usize::from(!batch.open.is_empty());
            batch.kept += kept;
            self.bytes += kept;
        }
        Some(round)
    }

    /// Numbers a synchronization.
    pub(super) fn next_batch(&mut self) -> u64 {
        self.last_batch += 1;
        self.last_batch
    }

    pub(super) fn open_batch(&mut self, id: u64, batch: Batch) {
        self.batches.insert(id, batch);
    }

    pub(super) fn batch_mut(&mut self, id: u64) -> Option<&mut Batch> {
        self.batches.get_mut(&id)
    }

    pub(super) fn close_batch(&mut self, id: u64) -> Option<Batch> {
        let batch = self.batches.remove(&id)?;
        self.bytes -= batch.kept;
        Some(batch)
    }

    /// Those whose asker is as `is_void` has it, with their rounds that have not ended.
    pub(in crate::hub) fn batches_of(
        &self,
        is_void: impl Fn(Asker) -> bool,
    ) -> Vec<(u64, Vec<u64>)> {
        let batches = self.batches.iter();
        let void = batches.filter(|(_, batch)| is_void(batch.asker));
        void.map(|(id, batch)| (*id, batch.open.iter().copied().collect()))
            .collect()
    }

    /// Those that may end for more urgent ones: what the program that runs the hub waits for may not.
    pub(super) fn batches_to_shed(&self) -> impl Iterator<Item = (u64, &BTreeSet<u64>)> {
        let batches = self.batches.iter();
        let may_end = batches.filter(|(_, batch)| !batch.asker.is_local());
        may_end.map(|(id, batch)| (*id, &batch.open))
    }

    /// Bytes that the open rounds hold, without the page each may be gathering.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that the end of a round frees, at least.
    pub(super) fn frees(&self, number: u64) -> usize {
        let Some(round) = self.open.get(&number) else {
            return 0;
        };
        let batch = self.batches.get(&round.batch);
        let is_last = batch.is_none_or(|batch| batch.open.len() == 1);
        round.weight() - named(&round.keys) * usize::from(!is_last)
    }

    /// Bytes that the end of a synchronization frees.
    pub(super) fn frees_in_all(&self, id: u64) -> usize {
        let Some(batch) = self.batches.get(&id) else {
            return 0;
        };
        let rounds = batch.open.iter().filter_map(|number| self.open.get(number));
        batch.kept + rounds.map(Round::weight).sum::<usize>()
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

    /// How many synchronizations are under way that the hub's program does not wait for, and how many of
    /// these are `asker`'s.
    pub(super) fn of_peers(&self, asker: SessionId) -> (usize, usize) {
        let askers = self.batches.values().map(|batch| batch.asker);
        let peers = askers.filter(|asker| !asker.is_local());
        peers.fold((0, 0), |(all, own), peer| {
            (all + 1, own + usize::from(peer.session() == Some(asker)))
        })
    }

    pub(in crate::hub) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// When the next one ends at the latest.
    pub(in crate::hub) fn deadline(&self) -> Option<Duration> {
        let ends = !planted::is(Planted::RoundNeverEnds);
        let open = self.open.values().filter(|_| ends);
        open.map(|round| round.deadline).min()
    }

    /// Closes all; returns who waits for them.
    pub(in crate::hub) fn drain(&mut self) -> impl Iterator<Item = ReplyTo> {
        self.bytes = 0;
        self.open.clear();
        let batches = std::mem::take(&mut self.batches);
        batches
            .into_values()
            .filter_map(|batch| batch.asker.caller())
    }
}

/// A round under way.
#[derive(Debug)]
pub(in crate::hub) struct Round {
    /// What it is a part of.
    pub(super) batch: u64,
    /// That of its keys.
    pub(super) priority: Priority,
    pub(super) keys: Vec<Key>,
    /// What it is about if it is a sweep, which names no keys.
    pub(super) scope: Option<Arc<Scope>>,
    /// How many messages it takes to name the keys.
    pub(super) parts: u32,
    /// Per part about how many bytes the writes of its keys took when it was last asked.
    pub(super) weights: Vec<u64>,
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
    /// Whether a sweep has brought anything. Which keys is not kept: nobody has named them, so that
    /// nothing bounds them.
    pub(super) changed: bool,
    /// The revision at which the gathering was over: what is left is to see the update confirmed.
    pub(super) committed: Option<Revision>,
}

impl Round {
    /// A round that nobody was asked in yet.
    pub(super) fn new(
        batch: u64,
        priority: Priority,
        keys: Vec<Key>,
        started: Duration,
        deadline: Duration,
    ) -> Self {
        Self {
            batch,
            priority,
            parts: u32::try_from(parts_of(&keys)).unwrap_or(u32::MAX),
            weights: Vec::new(),
            keys,
            scope: None,
            started,
            deadline,
            asked: BTreeMap::new(),
            waits_for: BTreeSet::new(),
            gathered: Vec::new(),
            gathered_bytes: 0,
            bytes: 0,
            brought: Committed::default(),
            changed: false,
            committed: None,
        }
    }

    pub(super) fn responded(&self) -> impl Iterator<Item = &AgentId> {
        self.asked
            .iter()
            .filter(|(_, h)| h.complete(self.parts))
            .map(|(agent, _)| agent)
    }

    /// When it began.
    pub(in crate::hub) fn started(&self) -> Duration {
        self.started
    }

    /// Whether an agent has answered in full.
    pub(in crate::hub) fn was_answered_by(&self, agent: &AgentId) -> bool {
        let heard = self.asked.get(agent);
        heard.is_some_and(|heard| heard.complete(self.parts))
    }

    /// About how many bytes the writes of a part's keys take.
    pub(super) fn weight_of_part(&self, part: u32) -> u64 {
        let part = usize::try_from(part).unwrap_or(usize::MAX);
        self.weights.get(part).copied().unwrap_or_default()
    }

    /// Whether `agent` is asked through `session`.
    pub(super) fn asks(&self, agent: &AgentId, session: SessionId) -> bool {
        self.asked.get(agent).is_some_and(|h| h.session == session)
    }

    /// Notes a frame of an answer; false if it does not count.
    pub(super) fn hear(&mut self, agent: &AgentId, frame: Frame) -> Result<bool, String> {
        self.note(agent, self.scope.is_none(), |heard, parts| {
            heard.hear(parts, frame)
        })
    }

    /// Notes a page of the answer to a sweep; false if it does not count.
    pub(super) fn hear_page(
        &mut self,
        agent: &AgentId,
        part: u32,
        next: Option<Spot>,
    ) -> Result<bool, String> {
        self.note(agent, self.scope.is_some(), |heard, _| {
            heard.hear_page(part, next)
        })
    }

    fn note(
        &mut self,
        agent: &AgentId,
        fits: bool,
        hear: impl FnOnce(&mut Heard, u32) -> Result<bool, String>,
    ) -> Result<bool, String> {
        if !fits {
            return Err("an answer does not fit its round".to_owned());
        }
        let Some(heard) = self.asked.get_mut(agent) else {
            return Ok(false);
        };
        let counts = hear(heard, self.parts)?;
        if heard.complete(self.parts) {
            self.waits_for.remove(agent);
        }
        Ok(counts)
    }

    /// Takes in what was committed of it.
    pub(super) fn bring(&mut self, page: Committed) {
        if self.scope.is_some() {
            self.changed |= !page.changed.is_empty();
        } else {
            self.brought.add(page);
        }
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
    let member = BYTES_PER_MEMBER + parts_of(keys) * BYTES_PER_PART;
    BYTES_PER_ROUND + named(keys) + members * member
}

/// Bytes of the keys that are named. A text is held once, however often.
fn named(keys: &[Key]) -> usize {
    keys.iter().map(|k| k.as_str().len() + BYTES_PER_KEY).sum()
}

/// How many messages it takes to name `keys`.
fn parts_of(keys: &[Key]) -> usize {
    keys.len().div_ceil(KEYS_PER_PART).max(1)
}
