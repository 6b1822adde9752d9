//! Full synchronization: ask everyone, gather until complete or the deadline, join, resolve, commit,
//! send the update, wait until it is confirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use sync_core::codec::List;
use sync_core::message::distinct;
use sync_core::{
    AgentId, Answer, Body, Digest, Entry, Key, KeyReport, Now, RequestError, Revision, RoundId,
    Segment, SessionId, SyncReport,
};

use super::commit::{Commit, Source};
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

/// One segment of an answer.
#[derive(Debug)]
struct Gathered {
    key: Key,
    delta: Entry,
    source: Source,
}

/// Writes and removals that their writer has not pushed yet: they may be refused like a push. What is
/// anything else is state that somebody held.
fn gather(segments: Vec<Segment>, agent: &AgentId) -> Vec<Gathered> {
    let source = |delta: &Entry| {
        let mut writes = delta.writes();
        let own = writes.next().is_none_or(|(id, write)| {
            id.writer.agent() == agent && write.closure(id) == *delta.context()
        });
        if own && writes.next().is_none() {
            Source::Writer
        } else {
            Source::Held
        }
    };
    let gathered = segments.into_iter().map(|segment| Gathered {
        source: source(&segment.entry),
        key: segment.key,
        delta: segment.entry,
    });
    gathered.collect()
}

#[derive(Debug)]
struct Outcome {
    revision: Revision,
    changed: BTreeSet<Key>,
    conflicts: BTreeMap<Key, u32>,
}

/// Which frame of which answer arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResponseFrame {
    pub(super) round: RoundId,
    pub(super) part: u32,
    pub(super) index: u32,
    pub(super) frames: u32,
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

    /// One frame of an answer. It counts once, only in its own round and from a member that was
    /// asked; a late one is joined with the next commit.
    pub(super) fn handle_state_response(
        &mut self,
        now: Now,
        session: SessionId,
        frame: ResponseFrame,
        segments: &[Bytes],
    ) -> Result<(), String> {
        let decoded: Result<Vec<_>, _> = segments.iter().map(|s| Segment::decode(s)).collect();
        let decoded = decoded.map_err(|e| e.to_string())?;
        let Some(peer) = self.sessions.get(&session) else {
            return Ok(());
        };
        let (agent, settled) = (peer.agent.clone(), peer.settled);
        let number = frame.round.number;
        let of_this_run = frame.round.epoch == self.epoch();
        let round = self
            .rounds
            .get_mut(&number)
            .filter(|r| of_this_run && r.committed.is_none());
        let Some(round) = round else {
            // State is joined whenever it comes, once the sender's position is known to be ours.
            if settled && of_this_run {
                self.commit_gathered(now, gather(decoded, &agent));
            }
            return Ok(());
        };
        let parts = round.parts;
        let Some(heard) = round.asked.get_mut(&agent) else {
            return Ok(());
        };
        if frame.part >= parts || frame.index >= frame.frames {
            return Err("an answer does not fit its round".to_owned());
        }
        if !heard.frames.insert((frame.part, frame.index)) {
            return Ok(());
        }
        heard.sizes.insert(frame.part, frame.frames);
        round.bytes += segments.iter().map(|s| s.len() as u64).sum::<u64>();
        round.gathered.extend(gather(decoded, &agent));
        if round.gathered_all() {
            self.close_gathering(now, number);
        }
        Ok(())
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

    /// The gathering is over: commit what it brought.
    fn close_gathering(&mut self, now: Now, number: u64) {
        let Some(round) = self.rounds.get_mut(&number) else {
            return;
        };
        if round.responded().next().is_none() {
            let asked = u32::try_from(round.asked.len()).unwrap_or(u32::MAX);
            let waited = round.deadline.saturating_sub(round.started);
            let deadline_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            let reply_to = round.reply_to;
            let gathered = std::mem::take(&mut round.gathered);
            self.rounds.remove(&number);
            self.commit_gathered(now, gathered);
            let error = RequestError::NobodyAnswered { asked, deadline_ms };
            return self.reply(reply_to, Err(error));
        }
        let gathered = std::mem::take(&mut round.gathered);
        let (changed, conflicts) = self.commit_gathered(now, gathered);
        let revision = self.revision;
        if let Some(round) = self.rounds.get_mut(&number) {
            round.committed = Some(Outcome {
                revision,
                changed,
                conflicts,
            });
        }
        self.rounds_acked(now);
    }

    /// Commits gathered state, in as many commits as keep each within a page.
    fn commit_gathered(
        &mut self,
        now: Now,
        gathered: Vec<Gathered>,
    ) -> (BTreeSet<Key>, BTreeMap<Key, u32>) {
        let (mut changed, mut conflicts) = (BTreeSet::new(), BTreeMap::new());
        let page = self.config.limits.page_bytes;
        let (mut commit, mut weight) = (Commit::default(), 0);
        for Gathered { key, delta, source } in gathered {
            weight += delta.writes().map(|(_, w)| w.weight()).sum::<usize>();
            self.admit(&mut commit, now, &key, delta, source);
            if weight >= page {
                let done = self.finish(std::mem::take(&mut commit), now);
                changed.extend(done.changed);
                conflicts.extend(done.conflicts);
                weight = 0;
            }
        }
        let done = self.finish(commit, now);
        changed.extend(done.changed);
        conflicts.extend(done.conflicts);
        (changed, conflicts)
    }

    /// Ends the rounds whose update everyone who answered has confirmed.
    pub(super) fn rounds_acked(&mut self, now: Now) {
        let done: Vec<u64> = self
            .rounds
            .iter()
            .filter(|(_, round)| {
                round.committed.as_ref().is_some_and(|outcome| {
                    let mut waiting = round.responded().filter(|a| !round.asked[*a].lost);
                    waiting.all(|agent| self.has_acked(agent, outcome.revision))
                })
            })
            .map(|(number, _)| *number)
            .collect();
        for number in done {
            self.end_round(now, number);
        }
    }

    fn has_acked(&self, agent: &AgentId, revision: Revision) -> bool {
        // Nothing was ever committed: there is nothing to confirm.
        revision == Revision::default()
            || self
                .roster
                .get(agent)
                .and_then(|m| m.acked)
                .is_some_and(|acked| acked >= revision)
    }

    fn end_round(&mut self, now: Now, number: u64) {
        let Some(round) = self.rounds.remove(&number) else {
            return;
        };
        let Some(outcome) = &round.committed else {
            return;
        };
        let responded: BTreeSet<AgentId> = round.responded().cloned().collect();
        let missing = self
            .roster
            .keys()
            .filter(|a| !responded.contains(*a))
            .cloned()
            .collect();
        let in_step = responded
            .iter()
            .filter(|a| self.has_acked(a, outcome.revision));
        let elapsed = now.mono.saturating_sub(round.started);
        let report = SyncReport {
            epoch: self.epoch(),
            revision: outcome.revision,
            keys: round
                .keys
                .iter()
                .map(|key| self.key_report(key, outcome))
                .collect(),
            in_step: in_step.cloned().collect(),
            responded: responded.into_iter().collect(),
            missing,
            conflicts: outcome.conflicts.values().sum(),
            bytes: round.bytes,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        };
        self.reply(round.reply_to, Ok(Answer::Synced(report)));
    }

    fn key_report(&self, key: &Key, outcome: &Outcome) -> KeyReport {
        KeyReport {
            key: key.clone(),
            version: self.version_of(key),
            changed: outcome.changed.contains(key),
            conflicts: outcome.conflicts.get(key).copied().unwrap_or_default(),
        }
    }
}
