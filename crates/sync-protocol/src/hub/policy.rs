//! The table of policies: in force here, and agents learn it from here.

use std::sync::Arc;

use sync_core::{Answer, Body, Key, Now, Policies, RequestError, Role, SessionId};

use super::{Hub, HubOutput, ReplyTo};
use crate::keyspace::KeyState;

/// Callers that may wait for one reading of the policies: more than there are people to ask, and what a
/// file that is never read to its end can make grow.
const RELOADS_MAX: usize = 1_024;

impl Hub {
    /// The policies in force.
    pub fn policies(&self) -> &Arc<Policies> {
        self.resolvers.policies()
    }

    /// Puts another table in force and tells every agent. O(keys): values that end now have an end,
    /// concurrent ones that nothing keeps any more are decided.
    pub fn set_policies(&mut self, now: Now, policies: Arc<Policies>) {
        if *self.policies() == policies || self.failed.is_some() {
            return;
        }
        self.resolvers = self.resolvers.clone().with_policies(policies);
        self.table_is_new = true;
        self.apply_table(now);
        let members = self.sessions.iter();
        let members = members.filter(|(_, s)| s.role == Role::Member);
        let members: Vec<SessionId> = members.map(|(id, _)| *id).collect();
        for session in members {
            self.send_policies(session);
        }
    }

    /// Brings the state in line with the table in force, once. O(keys).
    pub(super) fn apply_table(&mut self, now: Now) {
        if !std::mem::take(&mut self.table_is_new) {
            return;
        }
        let rows = self.regroup_receipts();
        if !rows.is_empty() {
            self.persist(rows);
        }
        let lifetimes = self.reschedule(now);
        self.take_on_table(now, lifetimes, self.contested());
        self.request_all_merges();
    }

    /// The table is read anew; everybody who waits for that is told of the one reading.
    pub(super) fn load_policies(&mut self, to: ReplyTo) {
        if self.reloading.len() >= RELOADS_MAX {
            let reason = format!(
                "{RELOADS_MAX} callers wait for the policies to be read, the limit: ask again later"
            );
            return self.reply(to, Err(RequestError::Invalid { reason }));
        }
        self.reloading.push(to);
        self.gate.push(HubOutput::LoadPolicies);
    }

    /// The table that was read, or why none was: then nothing changes.
    pub fn handle_policies(&mut self, now: Now, read: Result<Arc<Policies>, String>) {
        let answer = match read {
            Ok(policies) => {
                let list = policies.to_list();
                self.set_policies(now, policies);
                Ok(Answer::Policies(list))
            }
            Err(reason) => Err(RequestError::Invalid { reason }),
        };
        for to in std::mem::take(&mut self.reloading) {
            self.reply(to, answer.clone());
        }
    }

    /// Sends the table to whoever knows another one.
    pub(super) fn tell_policies(&mut self, session: SessionId, known: u64) {
        if known != self.policies().fingerprint() {
            self.send_policies(session);
        }
    }

    pub(super) fn send_policies(&mut self, session: SessionId) {
        let policies = self.policies().to_list();
        self.send(session, Body::Policies { policies });
    }

    /// Asks for every merge that is due; what the table ends meanwhile, a commit at a time, asks for its
    /// own. O(keys).
    fn request_all_merges(&mut self) {
        let several = self.space.iter_after(None);
        let several = several.filter(|(_, s)| s.entry().live_count() > 1);
        let keys: Vec<Key> = several.map(|(key, _)| key.clone()).collect();
        self.request_merges(&keys);
    }

    /// Keys on which the rule in force would end writes.
    fn contested(&self) -> Vec<Key> {
        let keys = self.space.iter_after(None).map(|(key, _)| key);
        keys.filter(|key| self.is_contested(key)).cloned().collect()
    }

    /// Whether the rule in force would end writes of a key.
    pub(super) fn is_contested(&self, key: &Key) -> bool {
        let Some(entry) = self.space.get(key).map(KeyState::entry) else {
            return false;
        };
        let rule = self.resolvers.of_entry(key, entry, |_| true);
        rule.is_some_and(|r| !r.losses(entry).is_empty())
    }
}
