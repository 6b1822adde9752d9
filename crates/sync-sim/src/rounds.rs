//! Rounds, against the answers that have come: whoever is said to have answered has, in that very round.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{AgentId, Body, Message, RoundId, SessionId};
use sync_protocol::{Hub, RoundEnded, RoundOutcome};

use crate::world::World;

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
    /// The roster when a round was said to have begun: nobody has answered by then.
    rosters: BTreeMap<u64, Vec<AgentId>>,
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
        self.rounds.rosters.insert(number, roster);
    }

    /// All have answered only if each of them has.
    pub(crate) fn round_ended(&mut self, ended: &RoundEnded) {
        let roster = self.rounds.rosters.remove(&ended.number);
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
