//! Who belongs to the swarm: an agent from its first connection, until it is taken off.

use sync_core::{AgentId, Answer};

use super::{Hub, HubOutput, Member, ReplyTo};
use crate::rows;

impl Hub {
    /// Puts an agent on the roster that has not connected yet.
    pub fn register(&mut self, agent: &AgentId) {
        if !self.roster.contains_key(agent) {
            self.roster.insert(agent.clone(), Member::default());
            self.persist(vec![rows::put_member(agent)]);
        }
    }

    /// Takes an agent off the roster; false if it was not on it. Its writes stay.
    pub fn unregister(&mut self, agent: &AgentId) -> bool {
        let gone = self.take_off(agent);
        let was_on = gone.is_some();
        self.dismiss(gone);
        was_on
    }

    /// The same for whoever asks.
    pub(super) fn unregister_for(&mut self, to: ReplyTo, agent: AgentId) {
        let gone = self.take_off(&agent);
        // Before its connection ends: the asker may be the one.
        self.reply(to, Ok(Answer::Unregistered(gone.is_some())));
        if gone.is_some() {
            self.gate.push(HubOutput::Unregistered(agent));
        }
        self.dismiss(gone);
    }

    fn take_off(&mut self, agent: &AgentId) -> Option<Member> {
        let gone = self.roster.remove(agent)?;
        self.persist(vec![rows::delete_member(agent)]);
        self.note_not_held(agent, gone.acked);
        Some(gone)
    }

    fn dismiss(&mut self, gone: Option<Member>) {
        if let Some(session) = gone.and_then(|member| member.session) {
            self.disconnect(session, "the agent was taken off the roster");
        }
    }
}
