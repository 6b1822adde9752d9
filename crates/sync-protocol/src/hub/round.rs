//! Full synchronization: ask everyone, gather until complete or the deadline, commit, send the update,
//! wait until it is confirmed.

mod books;
mod confirm;
mod gather;

use std::time::Duration;

use sync_core::codec::List;
use sync_core::message::distinct;
use sync_core::{AgentId, Body, Digest, Key, Now, RequestError, RoundId, SessionId};

pub(super) use self::books::Rounds;
pub(super) use self::gather::ResponseFrame;

use self::books::{Heard, Round, parts_of, weight_of};
use super::commit::Committed;
use super::{Hub, ReplyTo};

/// Keys asked for in one message, so that the request fits a frame: a key takes up to 1 KiB.
const KEYS_PER_PART: usize = 512;

/// Rounds that one connection may have under way: more than any caller waits for at once, and far from
/// all there may be, so that nobody keeps the others from asking.
const ROUNDS_PER_PEER: usize = 16;

impl Hub {
    /// Starts a round over `keys`.
    pub(super) fn start_round(
        &mut self,
        now: Now,
        reply_to: ReplyTo,
        keys: Vec<Key>,
        timeout: Option<Duration>,
    ) {
        let keys = distinct(keys);
        let connected: Vec<(AgentId, SessionId)> = self.connected_members();
        let timeout = timeout.unwrap_or(self.config.round_deadline);
        let checked = self.check_round(reply_to, &keys, connected.len(), timeout);
        if let Err(error) = checked {
            return self.reply(reply_to, Err(error));
        }
        let parts = parts_of(&keys);
        let is_settled = |session: &SessionId| self.has_settled(*session);
        let asked = connected.iter().map(|(agent, session)| {
            let heard = Heard::nothing(*session, is_settled(session));
            (agent.clone(), heard)
        });
        let asked = asked.collect();
        let number = self.rounds.open(Round {
            reply_to,
            keys,
            parts: u32::try_from(parts).unwrap_or(u32::MAX),
            started: now.mono,
            deadline: now.mono + timeout,
            asked,
            waits_for: connected.iter().map(|(agent, _)| agent.clone()).collect(),
            gathered: Vec::new(),
            gathered_bytes: 0,
            bytes: 0,
            brought: Committed::default(),
            committed: None,
        });
        let settled = connected.into_iter().map(|(_, session)| session);
        let settled: Vec<_> = settled.filter(|s| self.has_settled(*s)).collect();
        self.ask_in(number, &settled);
    }

    /// Everything that can be refused is refused before anybody is asked.
    fn check_round(
        &self,
        reply_to: ReplyTo,
        keys: &[Key],
        members: usize,
        timeout: Duration,
    ) -> Result<(), RequestError> {
        let limits = &self.config.limits;
        if keys.len() > limits.request_keys_max {
            return Err(RequestError::TooManyKeys {
                keys: keys.len() as u64,
                limit: limits.request_keys_max as u64,
            });
        }
        if timeout > limits.round_deadline_max {
            let longest = limits.round_deadline_max.as_secs();
            let reason = format!(
                "a round waits {longest} s at most: name a shorter time, and ask again if agents were missing"
            );
            return Err(RequestError::Invalid { reason });
        }
        if members == 0 {
            let roster = u32::try_from(self.roster.len()).unwrap_or(u32::MAX);
            return Err(RequestError::NobodyConnected { roster });
        }
        let ReplyTo::Remote(asker, _) = reply_to else {
            // The program that runs the hub bounds itself, and no peer may keep it from asking.
            return Ok(());
        };
        let (open, own) = self.rounds.of_peers(asker);
        let full = self.rounds.bytes() + weight_of(keys, members) > limits.round_bytes_max;
        let is_own = own >= ROUNDS_PER_PEER;
        if open >= limits.rounds_max || is_own || full {
            let open = if is_own { own } else { open } as u64;
            return Err(RequestError::TooManyRounds { open });
        }
        Ok(())
    }

    /// Asks connections that have settled. A member is not asked before, as it may not push before
    /// either: until it has offered all it holds, nobody knows which ends its writes take for granted.
    fn ask_in(&mut self, number: u64, sessions: &[SessionId]) {
        let epoch = self.epoch();
        let Some(round) = self.rounds.get(number) else {
            return;
        };
        let digests = round.keys.iter();
        let digests: Vec<(Key, Digest)> = digests
            .map(|k| (k.clone(), self.space.entry_digest(k)))
            .collect();
        let mut parts: Vec<&[(Key, Digest)]> = digests.chunks(KEYS_PER_PART).collect();
        if parts.is_empty() {
            parts.push(&[]);
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
        let (mut through, mut ownerless) = (Vec::new(), Vec::new());
        for (number, round) in self.rounds.iter_mut() {
            let gone = round.asked.iter().filter(|(agent, heard)| {
                let session = self.roster.get(*agent).and_then(|m| m.session);
                session != Some(heard.session)
            });
            let gone: Vec<AgentId> = gone.map(|(agent, _)| agent.clone()).collect();
            for agent in &gone {
                round.lose(agent);
            }
            match round.reply_to {
                ReplyTo::Remote(asker, _) if !self.sessions.contains_key(&asker) => {
                    ownerless.push(number);
                }
                _ if round.waits_for.is_empty() => through.push(number),
                _ => {}
            }
        }
        for number in ownerless {
            self.commit_page(now, number);
            self.rounds.close(number);
        }
        for number in through {
            self.end_half(now, number);
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
        let due = self.rounds.iter().filter(|(_, r)| r.deadline <= now.mono);
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
