//! The first half of a round: answers come in, and what they brought is committed.

use bytes::Bytes;
use sync_core::{
    AgentId, Entry, Key, Now, RequestError, RoundId, Segment, SessionId,
    planted::{self, Planted},
};

use super::books::Round;
use super::confirm::has_confirmed;
use super::heard::Frame;
use crate::hub::Hub;
use crate::hub::admit::Source;
use crate::hub::commit::{Commit, Committed};
use crate::millis::millis;

/// One segment of an answer.
#[derive(Debug)]
pub(super) struct Gathered {
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

/// Which frame of which answer arrived.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) struct ResponseFrame {
    pub(in crate::hub) round: RoundId,
    pub(in crate::hub) part: u32,
    pub(in crate::hub) index: u32,
    pub(in crate::hub) frames: u32,
}

impl Hub {
    /// One frame of an answer.
    pub(in crate::hub) fn handle_state_response(
        &mut self,
        now: Now,
        session: SessionId,
        frame: ResponseFrame,
        segments: &[Bytes],
    ) -> Result<(), String> {
        let ResponseFrame {
            round,
            part,
            index,
            frames,
        } = frame;
        let frame = Frame {
            part,
            index,
            frames,
        };
        let brings_nothing = frames == 1 && segments.is_empty();
        let mut spared = None;
        let hear = |round: &mut Round, agent: &AgentId| {
            let counts = round.hear(agent, frame)?;
            spared = (counts && brings_nothing).then(|| round.weight_of_part(part));
            Ok(counts)
        };
        self.take_answer(now, session, round, segments, hear)?;
        if let Some(bytes) = spared {
            self.count_same(bytes);
        }
        Ok(())
    }

    /// What an answer carries. It counts once, only in its own round and through the connection that
    /// was asked; any other is state all the same, and committed at once. Whether it has counted and
    /// its round goes on.
    pub(super) fn take_answer(
        &mut self,
        now: Now,
        session: SessionId,
        round: RoundId,
        segments: &[Bytes],
        hear: impl FnOnce(&mut Round, &AgentId) -> Result<bool, String>,
    ) -> Result<bool, String> {
        let decoded = Segment::decode_all(segments).map_err(|e| e.to_string())?;
        let decoded = self.only_allowed(session, decoded);
        if !self.has_settled(session) || round.epoch != self.epoch() {
            return Ok(false);
        }
        // Who brings what there is no room for has not answered, and is told to be missing.
        if self.has_no_space_for(&decoded) {
            return Ok(false);
        }
        let Some(agent) = self.sessions.get(&session).map(|peer| peer.agent.clone()) else {
            return Ok(false);
        };
        let latest = || self.rounds.iter().last().map(|(number, _)| number);
        let other = planted::is(Planted::AnswerOfAnotherRound).then(latest);
        let number = other.flatten().unwrap_or(round.number);
        let round = self.rounds.get_mut(number);
        let round = round.filter(|r| r.committed.is_none() && r.asks(&agent, session));
        let Some(round) = round else {
            self.commit_gathered(now, Some(session), gather(decoded, &agent));
            return Ok(false);
        };
        if !hear(round, &agent)? {
            return Ok(false);
        }
        round.bytes += segments.iter().map(|s| s.len() as u64).sum::<u64>();
        round.gathered_bytes += segments.iter().map(Bytes::len).sum::<usize>();
        round.gathered.extend(gather(decoded, &agent));
        let full = round.gathered_bytes >= self.config.limits.page_bytes;
        if round.waits_for.is_empty() {
            self.close_gathering(now, number);
            return Ok(false);
        }
        if full {
            self.commit_page(now, number);
        }
        Ok(true)
    }

    /// Commits what a round has gathered so far: its answers may come to more than may be held.
    pub(super) fn commit_page(&mut self, now: Now, number: u64) {
        let Some(round) = self.rounds.get_mut(number) else {
            return;
        };
        let gathered = std::mem::take(&mut round.gathered);
        round.gathered_bytes = 0;
        let page = self.commit_gathered(now, None, gathered);
        if let Some(round) = self.rounds.get_mut(number) {
            round.bring(page);
        }
    }

    /// The gathering is over: commit what it brought.
    pub(super) fn close_gathering(&mut self, now: Now, number: u64) {
        self.commit_page(now, number);
        let revision = self.revision;
        let roster = &self.roster;
        let Some(round) = self.rounds.get_mut(number) else {
            return;
        };
        if round.responded().next().is_some() {
            let confirmed = |agent: &AgentId| has_confirmed(roster, agent, revision);
            round.commit(revision, confirmed);
            if round.waits_for.is_empty() {
                self.end_round(now, number);
            }
            return;
        }
        let asked = u32::try_from(round.asked.len()).unwrap_or(u32::MAX);
        let waited = round.deadline.saturating_sub(round.started);
        let deadline_ms = millis(waited);
        let error = RequestError::NobodyAnswered { asked, deadline_ms };
        self.end_class(now, number, Err(error));
    }

    /// Commits what a member holds, outside of any round.
    pub(in crate::hub) fn take_held(&mut self, now: Now, session: SessionId, held: Vec<Segment>) {
        let agent = self.sessions.get(&session).map(|peer| peer.agent.clone());
        if let Some(agent) = agent {
            self.commit_gathered(now, Some(session), gather(held, &agent));
        }
    }

    /// Commits gathered state, in as many commits as keep each within a page. What one connection has
    /// brought, `origin`, does not go back through it.
    fn commit_gathered(
        &mut self,
        now: Now,
        origin: Option<SessionId>,
        gathered: Vec<Gathered>,
    ) -> Committed {
        let new = || origin.map_or_else(Commit::default, Commit::from);
        let mut brought = Committed::default();
        let page = self.config.limits.page_bytes;
        let (mut commit, mut weight) = (new(), 0);
        for Gathered { key, delta, source } in gathered {
            weight += delta.weight();
            self.admit(&mut commit, now, &key, delta, source);
            if weight >= page {
                brought.add(self.finish(std::mem::replace(&mut commit, new()), now));
                weight = 0;
            }
        }
        brought.add(self.finish(commit, now));
        brought
    }
}
