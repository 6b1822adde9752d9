//! Full synchronization: ask everyone, gather until complete or the deadline, commit, send the update,
//! wait until it is confirmed.

mod batch;
mod books;
mod confirm;
mod gather;
mod heard;
mod owes;
mod room;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::codec::List;
use sync_core::message::distinct;
use sync_core::{
    AgentId, Body, Digest, Key, Now, Priority, RequestError, RoundId, SessionId,
    planted::{self, Planted},
};

pub(super) use self::books::{Round, Rounds};
pub(super) use self::gather::ResponseFrame;
pub(super) use self::owes::Owes;
pub(super) use self::sweep::{Swept, SweptPage};

use self::batch::{Batch, Sum, Wanted};
use self::books::weight_of;
use self::heard::Heard;
use self::sweep::scope;
use super::{Asker, Hub, HubOutput, ReplyTo};

/// Keys asked for in one message, so that the request fits a frame: a key takes up to 1 KiB.
const KEYS_PER_PART: usize = 512;

impl Hub {
    /// Starts a round for each priority among `keys`, the most urgent first.
    pub(super) fn start_batch(
        &mut self,
        now: Now,
        to: ReplyTo,
        keys: Vec<Key>,
        timeout: Option<Duration>,
    ) {
        let keys = distinct(keys).into_iter();
        let keys = keys.map(|key| (self.policies().priority_of(&key), key));
        let keys: Vec<(Priority, Key)> = keys.collect();
        let wanted = Wanted {
            asker: Asker::Caller(to),
            classes: classes(&keys),
            keys: keys.into_iter().map(|(of, key)| (key, of)).collect(),
            patterns: None,
            timeout,
        };
        self.start(now, wanted);
    }

    /// Starts a round for each class of what is wanted.
    fn start(&mut self, now: Now, wanted: Wanted) {
        let Wanted { asker, timeout, .. } = wanted;
        let members = self.connected_members();
        let deadlines = self.config.deadlines;
        let wait = |priority: Priority| timeout.unwrap_or_else(|| deadlines.of(priority));
        let longest = wanted.classes.keys().map(|priority| wait(*priority)).max();
        let checked = self.check_batch(wanted.keys.len(), longest.unwrap_or_default());
        if let Err(error) = checked {
            return self.refuse_round(now, asker, error);
        }
        let id = self.rounds.next_batch();
        let mut batch = Batch {
            asker,
            keys: wanted.keys,
            started: now.mono,
            open: BTreeSet::new(),
            kept: 0,
            sum: Sum::default(),
        };
        for (priority, keys) in wanted.classes {
            let bytes = weight_of(&keys, members.len());
            let room = self.make_room(now, asker, priority, bytes, batch.open.is_empty());
            match room {
                Ok(()) => {
                    let deadline = now.mono + wait(priority);
                    let mut round = Round::new(id, priority, keys, now.mono, deadline);
                    round.scope = wanted.patterns.as_ref().map(|of| scope(of, priority));
                    batch.open.insert(self.open_round(round, &members));
                }
                Err(error) => batch.sum.fail(priority, error),
            }
        }
        if batch.open.is_empty() {
            return self.conclude(now, batch);
        }
        let numbers: Vec<u64> = batch.open.iter().copied().collect();
        self.rounds.open_batch(id, batch);
        let settled = members.into_iter().map(|(_, session)| session);
        let settled: Vec<_> = settled.filter(|s| self.has_settled(*s)).collect();
        for number in numbers {
            self.ask_in(number, &settled);
        }
    }

    /// Enters a round in the books, with everybody who is to answer.
    fn open_round(&mut self, mut round: Round, members: &[(AgentId, SessionId)]) -> u64 {
        let asked = members.iter().map(|(agent, session)| {
            let heard = Heard::nothing(*session, self.has_settled(*session));
            (agent.clone(), heard)
        });
        round.asked = asked.collect();
        round.waits_for = members.iter().map(|(agent, _)| agent.clone()).collect();
        let priority = round.priority;
        let number = self.rounds.open(round);
        self.gate.push(HubOutput::RoundBegan { number, priority });
        number
    }

    /// Tells who has asked that nothing comes of it.
    fn refuse_round(&mut self, now: Now, asker: Asker, error: RequestError) {
        match asker {
            Asker::Caller(to) => self.reply(to, Err(error)),
            Asker::Plan(plan) => self.plan_was_told(now, plan, Err(error)),
        }
    }

    /// Asks connections that have settled. A member is not asked before, as it may not push before
    /// either: until it has offered all it holds, nobody knows which ends its writes take for granted.
    fn ask_in(&mut self, number: u64, sessions: &[SessionId]) {
        let epoch = self.epoch();
        let Some(round) = self.rounds.get(number) else {
            return;
        };
        if round.scope.is_some() {
            return self.sweep_in(number, sessions);
        }
        let digests = round.keys.iter();
        let digests: Vec<(Key, Digest)> = digests
            .map(|k| (k.clone(), self.space.entry_digest(k)))
            .collect();
        let named: Vec<&[Key]> = round.keys.chunks(KEYS_PER_PART).collect();
        let weights = self.weights_of(&named);
        let mut parts: Vec<&[(Key, Digest)]> = digests.chunks(KEYS_PER_PART).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        if let Some(round) = self.rounds.get_mut(number) {
            round.weights = weights;
        }
        let round = RoundId { epoch, number };
        for (part, keys) in (0..).zip(&parts) {
            for session in sessions {
                let keys = List(keys.to_vec());
                self.send(*session, Body::StateRequest { round, part, keys });
            }
        }
    }

    /// A connection has settled: it is asked in the rounds that wait for it.
    pub(super) fn ask_settled(&mut self, session: SessionId) {
        let mut waiting = Vec::new();
        for (number, round, agent) in self.rounds_that_ask(session) {
            let heard = round.asked.get_mut(agent).filter(|heard| !heard.asked);
            if let Some(heard) = heard {
                heard.asked = true;
                waiting.push(number);
            }
        }
        for number in waiting {
            self.ask_in(number, &[session]);
        }
    }

    /// A connection has lost its position: what it answers until it has settled anew is not taken, so
    /// it will be asked again.
    pub(super) fn unsettle(&mut self, session: SessionId) {
        if let Some(peer) = self.sessions.get_mut(&session) {
            peer.settled = false;
            peer.owes = Owes::default();
        }
        for (_, round, agent) in self.rounds_that_ask(session) {
            round.forget(agent, session);
        }
    }

    /// The rounds that still gather and want something of a connection, with its agent.
    fn rounds_that_ask(
        &mut self,
        session: SessionId,
    ) -> impl Iterator<Item = (u64, &mut Round, &AgentId)> {
        let agent = self.sessions.get(&session).map(|peer| &peer.agent);
        self.rounds.iter_mut().filter_map(move |(number, round)| {
            let agent = agent.filter(|agent| round.asks(agent, session))?;
            round.committed.is_none().then_some((number, round, agent))
        })
    }

    fn connected_members(&self) -> Vec<(AgentId, SessionId)> {
        let members = self.roster.iter();
        members
            .filter_map(|(agent, m)| Some((agent.clone(), m.session?)))
            .collect()
    }

    /// A connection is gone: rounds do not wait for it, and those it asked for are nobody's.
    pub(super) fn rounds_lost_session(&mut self, now: Now) {
        let mut through = Vec::new();
        for (number, round) in self.rounds.iter_mut() {
            let gone = round.asked.iter().filter(|(agent, heard)| {
                let session = self.roster.get(*agent).and_then(|m| m.session);
                session != Some(heard.session)
            });
            let gone: Vec<AgentId> = gone.map(|(agent, _)| agent.clone()).collect();
            for agent in &gone {
                round.lose(agent);
            }
            if round.waits_for.is_empty() {
                through.push(number);
            }
        }
        let gone = |session| !self.sessions.contains_key(&session);
        let ownerless = |asker: Asker| asker.session().is_some_and(gone);
        let ownerless = self.rounds.batches_of(ownerless);
        self.drop_batches(now, ownerless);
        for number in through {
            self.end_half(now, number);
        }
    }

    /// Ends what nobody waits for any more. What it has gathered stays.
    pub(super) fn drop_batches(&mut self, now: Now, void: Vec<(u64, Vec<u64>)>) {
        for (id, rounds) in void {
            for number in rounds {
                self.commit_page(now, number);
                if let Some(round) = self.rounds.close(number) {
                    self.count_round(now, number, &round, false);
                }
            }
            self.rounds.close_batch(id);
        }
    }

    /// Nobody is left to wait for in the half under way.
    fn end_half(&mut self, now: Now, number: u64) {
        match self.rounds.get(number).map(|round| round.committed) {
            Some(None) => self.close_gathering(now, number),
            Some(Some(_)) => self.end_round(now, number),
            None => {}
        }
    }

    /// Rounds whose deadline has passed end with what they have.
    pub(super) fn expire_rounds(&mut self, now: Now) {
        let ends = !planted::is(Planted::RoundNeverEnds);
        let due = self.rounds.iter();
        let due = due.filter(|(_, r)| ends && r.deadline <= now.mono);
        let due: Vec<u64> = due.map(|(number, _)| number).collect();
        for number in due {
            let round = self.rounds.get(number);
            if round.is_some_and(|r| r.committed.is_none()) {
                self.close_gathering(now, number);
            }
            self.end_round(now, number);
        }
    }
}

/// The keys of each priority, in their order. Whoever names none asks for nothing with the usual one.
fn classes(keys: &[(Priority, Key)]) -> BTreeMap<Priority, Vec<Key>> {
    let mut classes: BTreeMap<_, Vec<Key>> = BTreeMap::new();
    for (priority, key) in keys {
        classes.entry(*priority).or_default().push(key.clone());
    }
    if classes.is_empty() {
        classes.insert(Priority::default(), Vec::new());
    }
    classes
}
