//! The first half of a round: answers come in, and what they brought is committed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sync_core::{AgentId, Entry, Key, Now, RequestError, RoundId, Segment, SessionId};

use super::Outcome;
use crate::hub::Hub;
use crate::hub::commit::{Commit, Source};

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
    /// One frame of an answer. It counts once, only in its own round and from a member that was
    /// asked; a late one is joined with the next commit.
    pub(in crate::hub) fn handle_state_response(
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

    /// The gathering is over: commit what it brought.
    pub(super) fn close_gathering(&mut self, now: Now, number: u64) {
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
}
