//! The table of policies: agents learn it from here.

use std::sync::Arc;

use sync_core::{Body, Policies, Role, SessionId};

use super::Hub;

impl Hub {
    /// The policies in force.
    pub fn policies(&self) -> &Arc<Policies> {
        self.resolvers.policies()
    }

    /// Puts another table in force, from the next commit on, and tells every agent.
    pub fn set_policies(&mut self, policies: Arc<Policies>) {
        if *self.policies() == policies {
            return;
        }
        self.resolvers = self.resolvers.clone().with_policies(policies);
        let members = self.sessions.iter();
        let members = members.filter(|(_, s)| s.role == Role::Member);
        let members: Vec<SessionId> = members.map(|(id, _)| *id).collect();
        for session in members {
            self.send_policies(session);
        }
    }

    pub(super) fn send_policies(&mut self, session: SessionId) {
        let policies = self.policies().to_list();
        self.send(session, Body::Policies { policies });
    }
}
