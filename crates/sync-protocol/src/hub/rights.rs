//! What a peer may ask for and bring, where the hub keeps rights.
//!
//! What is refused depends on the rights alone, never on what there is: so nobody learns from a refusal
//! whether a key exists. To read one key without the right to is answered as if it did not.

use std::sync::Arc;

use sync_core::{
    Activity, AgentId, Allowed, Answer, Ask, AuthorityAsk, Digest, Expectation, HubStatus, Key,
    MemoryAnswer, MemoryAsk, Namespace, PastAsk, Reply, RequestError, Right, Rights, Role,
    SessionId, SyncReport,
};

use super::session::Session;
use super::{Hub, HubOutput, ReplyTo};

impl Hub {
    /// Puts other rights in force, or none: then everybody may do everything. Members that may not read
    /// the whole swarm any more are disconnected, as a replica holds all of it; clients if anything has
    /// changed for them, as they may wait for answers that were allowed before.
    pub fn set_rights(&mut self, rights: Option<Arc<Rights>>) {
        self.rights = rights;
        let mut gone = Vec::new();
        for (id, session) in &mut self.sessions {
            let rights = self.rights.as_ref();
            let allowed = rights.map(|r| r.of(&self.config.swarm, &session.agent));
            let changed = session.allowed != allowed;
            session.allowed = allowed;
            match session.role {
                Role::Member if !session.may_hold_a_replica() => gone.push((*id, NO_REPLICA)),
                Role::Client if changed => gone.push((*id, CHANGED)),
                Role::Member | Role::Client => {}
            }
        }
        for (session, reason) in gone {
            self.send_away(session, reason);
        }
    }

    /// Closes a connection by what the rights say.
    pub(super) fn send_away(&mut self, session: SessionId, reason: &str) {
        self.forget_session(session);
        self.gate.push(HubOutput::Refuse {
            session,
            reason: reason.to_owned(),
        });
    }

    /// What a name may do here; none if it may do everything.
    pub(super) fn allowed(&self, agent: &AgentId) -> Option<Allowed> {
        let rights = self.rights.as_ref()?;
        Some(rights.of(&self.config.swarm, agent))
    }

    /// The answer to what a peer has no right to ask; none if it has.
    pub(super) fn forbidden(&self, to: ReplyTo, ask: &Ask) -> Option<Reply> {
        let peer = self.peer(to)?;
        let allowed = peer.allowed.as_ref()?;
        refusal(allowed, &peer.agent, ask)
    }

    /// Whether a peer has a right to the whole swarm.
    fn has_all(&self, to: ReplyTo, right: Right) -> bool {
        let allowed = self.peer(to).and_then(|peer| peer.allowed.as_ref());
        allowed.is_none_or(|allowed| allowed.all(right))
    }

    /// Whether a peer may know that there is such a key.
    pub(super) fn may_know(&self, to: ReplyTo, key: &Key) -> bool {
        let allowed = self.peer(to).and_then(|peer| peer.allowed.as_ref());
        allowed.is_none_or(|allowed| allowed.may(Right::Read, key.as_str()))
    }

    /// What is left of a status for who may not read the whole swarm: where the hub is, which every answer
    /// tells. Who administers it sees who there is and how the hub does, and nothing of the keys.
    pub(super) fn status_for(&self, to: ReplyTo, status: HubStatus) -> HubStatus {
        if self.has_all(to, Right::Read) {
            return status;
        }
        let without_keys = HubStatus {
            digest: Digest::default(),
            keys: 0,
            state_bytes: 0,
            periodic: Vec::new(),
            ..status
        };
        if self.has_all(to, Right::Admin) {
            return without_keys;
        }
        HubStatus {
            members: Vec::new(),
            id_alarms: 0,
            consensus: Vec::new(),
            activity: Activity::default(),
            store_bytes: None,
            free_bytes: None,
            ..without_keys
        }
    }

    /// What is left of a report for who may not read the whole swarm: nobody's name.
    pub(super) fn report_for(&self, to: ReplyTo, report: SyncReport) -> SyncReport {
        if self.has_all(to, Right::Read) {
            return report;
        }
        SyncReport {
            responded: Vec::new(),
            missing: Vec::new(),
            in_step: Vec::new(),
            ..report
        }
    }

    /// Whether a peer may write a key.
    pub(super) fn may_write(&self, session: SessionId, key: &Key) -> bool {
        let allowed = self.sessions.get(&session).and_then(|s| s.allowed.as_ref());
        allowed.is_none_or(|allowed| allowed.may(Right::Write, key.as_str()))
    }

    /// Why what a name has proposed may not be written any more; none if it may. The hub's own name needs
    /// no right.
    pub(super) fn no_longer_allowed(&self, name: &AgentId, key: &Key) -> Option<String> {
        let allowed = self.allowed(name).filter(|_| !name.is_hub())?;
        let refused = || {
            format!(
                "{name}, which has proposed it, has no right to write the key {key} any more: have it granted, and propose it again"
            )
        };
        (!allowed.may(Right::Write, key.as_str())).then(refused)
    }
}

impl Session {
    /// A replica holds the whole swarm.
    pub(super) fn may_hold_a_replica(&self) -> bool {
        let allowed = self.allowed.as_ref();
        allowed.is_none_or(|allowed| allowed.all(Right::Read))
    }
}

/// Why a member is not let in.
pub(super) const NO_REPLICA: &str = "an agent holds the whole swarm, and this name has no right to read all of it: use commands, or have \
     it granted";

/// Why a client has to connect again.
const CHANGED: &str = "the rights of this name have changed: connect again";

fn refusal(allowed: &Allowed, own: &AgentId, ask: &Ask) -> Option<Reply> {
    let key = |right, key: &Key| of_key(allowed, right, key.as_str());
    let swarm = |right, doing: &str| unless(allowed.all(right), || doing.to_owned());
    match ask {
        Ask::Version(k) => key(Right::Read, k).map(|_| Ok(Answer::Version(None))),
        Ask::Get(k) => key(Right::Read, k).map(|_| Ok(Answer::State(None))),
        Ask::Keys { pattern, .. } | Ask::Watch { pattern, .. } => {
            unless(allowed.covers(Right::Read, pattern.as_str()), || {
                format!("read all of {:?}", pattern.as_str())
            })
        }
        Ask::Delta(_) => swarm(Right::Read, "read the whole swarm"),
        Ask::Past(PastAsk::Diff { .. } | PastAsk::Knew { .. }) => {
            swarm(Right::Read, "read the whole swarm")
        }
        Ask::Past(
            PastAsk::History { key: k, .. } | PastAsk::Explain(k) | PastAsk::StateAt { key: k, .. },
        ) => key(Right::Read, k),
        Ask::Write { key: k, .. } | Ask::Clear(Some(k)) => key(Right::Write, k),
        // It is about nothing but who is there.
        Ask::Sync { keys, .. } if keys.is_empty() => swarm(Right::Read, "read the whole swarm"),
        Ask::Sync { keys, .. } => keys.iter().find_map(|k| key(Right::Read, k)),
        Ask::Clear(None) => swarm(Right::Admin, "clear the swarm"),
        Ask::ReloadPolicies => swarm(Right::Admin, "have the policies read anew"),
        Ask::Unregister(_) => swarm(Right::Admin, "take agents off the roster"),
        Ask::Propose(proposal) => match &proposal.effect {
            Some(effect) => key(Right::Write, &effect.key),
            None => unless(!allowed.is_empty(), || "have the roster vote".to_owned()),
        },
        Ask::Memory(ask) => of_memory(allowed, ask),
        Ask::Authority { ask, .. } => of_authority(allowed, ask),
        Ask::Receipts { agent, .. } if agent == own => None,
        Ask::Receipts { .. } => swarm(Right::Read, "see the receipts of others"),
        // Each is of the asker alone, or tells what every answer does.
        Ask::TakeReceipts(_) | Ask::Held { .. } | Ask::Status | Ask::Policies | Ask::About => None,
    }
}

fn of_key(allowed: &Allowed, right: Right, key: &str) -> Option<Reply> {
    unless(allowed.may(right, key), || format!("{right} {key:?}"))
}

/// Each answer may tell of every key that is named, how it is or who holds it, so all of them need `read`;
/// and each that is to be changed, or whose claim is used, `write`.
fn of_authority(allowed: &Allowed, ask: &AuthorityAsk) -> Option<Reply> {
    let read = |key: &Key| of_key(allowed, Right::Read, key.as_str());
    let both = |key: &Key| read(key).or_else(|| of_key(allowed, Right::Write, key.as_str()));
    match ask {
        AuthorityAsk::Commit { expect, assign, .. } => {
            let expected = |expectation: &Expectation| match expectation {
                Expectation::Version { key, .. } => read(key),
                Expectation::Claim { key, .. } => both(key),
            };
            let assigned = || assign.iter().find_map(|a| both(&a.key));
            expect.iter().find_map(expected).or_else(assigned)
        }
        AuthorityAsk::Claim { key, .. }
        | AuthorityAsk::Renew { key, .. }
        | AuthorityAsk::Release { key, .. } => both(key),
    }
}

fn of_memory(allowed: &Allowed, ask: &MemoryAsk) -> Option<Reply> {
    let of = |right, namespace: &Namespace, key: &Key| {
        of_key(allowed, right, &format!("memory/{namespace}/{key}"))
    };
    match ask {
        MemoryAsk::Store { namespace, key, .. } | MemoryAsk::Delete { namespace, key } => {
            of(Right::Write, namespace, key)
        }
        MemoryAsk::Retrieve { namespace, key } => {
            let absent = Ok(Answer::Memory(MemoryAnswer::Value(None)));
            of(Right::Read, namespace, key).map(|_| absent)
        }
        MemoryAsk::ListKeys { namespace, .. } => {
            let all = format!("memory/{namespace}/*");
            unless(allowed.covers(Right::Read, &all), || {
                format!("read all of {all:?}")
            })
        }
        MemoryAsk::ClearNamespace(namespace) => {
            let all = format!("memory/{namespace}/*");
            unless(allowed.covers(Right::Write, &all), || {
                format!("write all of {all:?}")
            })
        }
        MemoryAsk::Stats { .. } => unless(allowed.all(Right::Read), || {
            "see what the memory holds".to_owned()
        }),
    }
}

/// What is said to one who lacks the right to do it.
fn unless(granted: bool, doing: impl FnOnce() -> String) -> Option<Reply> {
    (!granted).then(|| Err(RequestError::Forbidden { doing: doing() }))
}
