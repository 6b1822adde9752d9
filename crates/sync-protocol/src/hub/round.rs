//! Full synchronization: ask everyone, gather until complete or the deadline, commit, send the update,
//! wait until it is confirmed.

mod confirm;
mod gather;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::codec::List;
use sync_core::message::distinct;
use sync_core::{AgentId, Body, Digest, Key, Now, RequestError, Revision, RoundId, SessionId};

pub(super) use self::gather::ResponseFrame;

use self::gather::Gathered;
use super::{Hub, ReplyTo};

/// Keys asked for in one message, so that the request fits a frame: a key takes up to 1 KiB.
const KEYS_PER_PART: usize = 512;

/// A round under way.
#[derive(Debug)]
pub(super) struct Round {
    reply_to: ReplyTo,
    keys: Vec<Key>,
    parts: u32,
    started: Duration,
    deadline: Duration,
    /// The members asked, each with what of its answer has arrived.
    asked: BTreeMap<AgentId, Heard>,
    gathered: Vec<Gathered>,
    bytes: u64,
    /// Set once the gathering is over: what is left is to see the update confirmed.
    committed: Option<Outcome>,
}

/// How far one member's answer has arrived.
#[derive(Debug)]
struct Heard {
    /// The connection it was asked through: the answer comes through no other.
    session: SessionId,
    /// Frames that count, each once.
    frames: BTreeSet<(u32, u32)>,
    /// Per part, how many frames it has.
    sizes: BTreeMap<u32, u32>,
    /// It is gone: nothing will follow.
    lost: bool,
}

impl Heard {
    fn nothing(session: SessionId) -> Self {
        Self {
            session,
            frames: BTreeSet::new(),
            sizes: BTreeMap::new(),
            lost: false,
        }
    }

    fn complete(&self, parts: u32) -> bool {
        let expected: u64 = self.sizes.values().map(|n| u64::from(*n)).sum();
        self.sizes.len() as u64 == u64::from(parts) && self.frames.len() as u64 == expected
    }
}

#[derive(Debug)]
struct Outcome {
    revision: Revision,
    changed: BTreeSet<Key>,
    conflicts: BTreeMap<Key, u32>,
}

impl Round {
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(super) fn reply_to(&self) -> ReplyTo {
        self.reply_to
    }

    fn responded(&self) -> impl Iterator<Item = &AgentId> {
        self.asked
            .iter()
            .filter(|(_, h)| h.complete(self.parts))
            .map(|(agent, _)| agent)
    }

    fn gathered_all(&self) -> bool {
        self.asked
            .values()
            .all(|h| h.lost || h.complete(self.parts))
    }
}

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
        let (count, limit) = (keys.len(), self.config.limits.request_keys_max);
        if count > limit {
            let error = RequestError::TooManyKeys {
                keys: count as u64,
                limit: limit as u64,
            };
            return self.reply(reply_to, Err(error));
        }
        let connected: Vec<(AgentId, SessionId)> = self.connected_members();
        if connected.is_empty() {
            let roster = u32::try_from(self.roster.len()).unwrap_or(u32::MAX);
            return self.reply(reply_to, Err(RequestError::NobodyConnected { roster }));
        }
        let number = self.next_round;
        self.next_round += 1;
        let round = RoundId {
            epoch: self.epoch(),
            number,
        };
        let parts = self.ask_members(round, &keys, &connected);
        self.rounds.insert(
            number,
            Round {
                reply_to,
                keys,
                parts,
                started: now.mono,
                deadline: now.mono + timeout.unwrap_or(self.config.round_deadline),
                asked: connected
                    .into_iter()
                    .map(|(agent, session)| (agent, Heard::nothing(session)))
                    .collect(),
                gathered: Vec::new(),
                bytes: 0,
                committed: None,
            },
        );
    }

    /// Sends the request to every connected member; returns in how many parts.
    fn ask_members(
        &mut self,
        round: RoundId,
        keys: &[Key],
        connected: &[(AgentId, SessionId)],
    ) -> u32 {
        let digests: Vec<(Key, Digest)> = keys
            .iter()
            .map(|k| (k.clone(), self.space.entry_digest(k)))
            .collect();
        let mut parts: Vec<&[(Key, Digest)]> = digests.chunks(KEYS_PER_PART).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        for (part, keys) in (0..).zip(&parts) {
            for (_, session) in connected {
                let keys = List(keys.to_vec());
                self.send(*session, Body::StateRequest { round, part, keys });
            }
        }
        u32::try_from(parts.len()).unwrap_or(u32::MAX)
    }

    fn connected_members(&self) -> Vec<(AgentId, SessionId)> {
        let members = self.roster.iter();
        members
            .filter_map(|(agent, m)| Some((agent.clone(), m.session?)))
            .collect()
    }

    /// A member is gone: rounds do not wait for it.
    pub(super) fn rounds_lost_member(&mut self, now: Now) {
        let mut ready = Vec::new();
        for (number, round) in &mut self.rounds {
            for (agent, heard) in &mut round.asked {
                let session = self.roster.get(agent).and_then(|m| m.session);
                heard.lost |= session != Some(heard.session);
            }
            if round.committed.is_none() && round.gathered_all() {
                ready.push(*number);
            }
        }
        for number in ready {
            self.close_gathering(now, number);
        }
        self.rounds_acked(now);
    }

    /// Rounds whose deadline has passed end with what they have.
    pub(super) fn expire_rounds(&mut self, now: Now) {
        let due = self.rounds.iter().filter(|(_, r)| r.deadline <= now.mono);
        let due: Vec<u64> = due.map(|(number, _)| *number).collect();
        for number in due {
            if self
                .rounds
                .get(&number)
                .is_some_and(|r| r.committed.is_none())
            {
                self.close_gathering(now, number);
            }
            self.end_round(now, number);
        }
    }
}
