//! Who belongs to the swarm: an agent from its first connection, until it is taken off.

use sync_core::{AgentId, Answer};

use super::{Hub, HubOutput, Member, ReplyTo};
use crate::rows;

impl Hub {
    /// Puts an agent on the roster that has not connected yet. The answer to whatever is asked next says
    /// whether that is durable.
    pub fn register(&mut self, agent: &AgentId) {
        if !self.roster.contains_key(agent) {
            self.roster.insert(agent.clone(), Member::default());
            self.persist(vec![rows::put_member(agent)]);
        }
    }

    /// Takes an agent off the roster. Its writes stay.
    pub(super) fn unregister(&mut self, to: ReplyTo, agent: AgentId) {
        let gone = self.take_off(&agent);
        // Before its connection ends: the asker may be the one.
        self.reply(to, Ok(Answer::Unregistered(gone.is_some())));
        if gone.is_some() {
            self.gate.push(HubOutput::Unregistered(agent));
        }
        if let Some(session) = gone.and_then(|member| member.session) {
            self.disconnect(session, "the agent was taken off the roster");
        }
    }

    fn take_off(&mut self, agent: &AgentId) -> Option<Member> {
        let gone = self.roster.remove(agent)?;
        self.persist(vec![rows::delete_member(agent)]);
        self.note_not_held(agent, gone.acked);
        Some(gone)
    }
}
