//! Rounds, against the answers that have come: whoever is said to have answered has, in that very round.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{AgentId, Body, Message, RoundId, SessionId};
use sync_protocol::{Hub, RoundEnded, RoundOutcome};

use crate::world::World;

/// Longer than any deadline of a round, in microseconds.
const ROUND_US_MAX: u64 = 1_000_000;

/// What an agent has sent in a round.
#[derive(Debug, Default)]
struct Heard {
    /// Of each part how many frames it has, and which of them have come.
    parts: BTreeMap<u32, (u32, BTreeSet<u32>)>,
    /// Whether the last page of a sweep has come.
    is_swept: bool,
}

impl Heard {
    fn is_whole(&self) -> bool {
        let mut parts = self.parts.values();
        let is_whole =
            |(frames, come): &(u32, BTreeSet<u32>)| come.len() as u64 == u64::from(*frames);
        self.is_swept || !self.parts.is_empty() && parts.all(is_whole)
    }
}

/// The rounds of one run of the hub.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    /// Whose connection is whose.
    sessions: BTreeMap<SessionId, AgentId>,
    /// When a round that is under way was said to have begun, and the roster then: nobody has answered by
    /// that time.
    open: BTreeMap<u64, (u64, Vec<AgentId>)>,
    heard: BTreeMap<(u64, AgentId), Heard>,
}

impl Rounds {
    pub(crate) fn connected(&mut self, session: SessionId, agent: AgentId) {
        self.sessions.insert(session, agent);
    }
}

impl World {
    /// A message is about to be given to the hub.
    pub(crate) fn note_answer(&mut self, session: SessionId, message: &Message) {
        let (Body::StateResponse { round, .. } | Body::Swept { round, .. }) = &message.body else {
            return;
        };
        let RoundId { epoch, number } = *round;
        let epoch_now = self.hub.machine.as_ref().map(Hub::epoch);
        let Some(agent) = self
            .rounds
            .sessions
            .get(&session)
            .filter(|_| epoch_now == Some(epoch))
        else {
            return;
        };
        let heard = self.rounds.heard.entry((number, agent.clone()));
        let heard = heard.or_default();
        match message.body {
            Body::StateResponse {
                part,
                index,
                frames,
                ..
            } => {
                let (count, come) = heard.parts.entry(part).or_default();
                *count = frames;
                come.insert(index);
            }
            Body::Swept { ref next, .. } => heard.is_swept |= next.is_none(),
            _ => {}
        }
    }

    pub(crate) fn round_began(&mut self, number: u64) {
        let roster = self.hub.machine.iter().flat_map(Hub::roster);
        let roster = roster.cloned().collect();
        self.rounds.open.insert(number, (self.now_us, roster));
    }

    /// Once healed: every round has ended at its deadline.
    pub(crate) fn check_rounds_end(&mut self) {
        let since = self.now_us.saturating_sub(ROUND_US_MAX);
        let mut open = self.rounds.open.iter();
        let late = open.find(|(_, (began, _))| *began < since);
        let late = late.map(|(number, (began, _))| format!("round {number} goes on since {began}"));
        self.require(late.is_none(), || late.unwrap_or_default());
    }

    /// All have answered only if each of them has.
    pub(crate) fn round_ended(&mut self, ended: &RoundEnded) {
        let open = self.rounds.open.remove(&ended.number);
        let roster = open.map(|(_, roster)| roster);
        if ended.outcome != RoundOutcome::Complete {
            return;
        }
        let has_answered = |agent: &AgentId| {
            let heard = self.rounds.heard.get(&(ended.number, agent.clone()));
            heard.is_some_and(Heard::is_whole)
        };
        let silent = roster
            .into_iter()
            .flatten()
            .find(|agent| !has_answered(agent));
        self.require(silent.is_none(), || {
            format!("{silent:?} has not answered in {ended:?}")
        });
    }
}
