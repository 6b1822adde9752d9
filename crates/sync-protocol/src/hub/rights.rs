//! What a peer may ask for and bring, where the hub keeps rights.
//!
//! What is refused depends on the rights alone, never on what there is: so nobody learns from a refusal
//! whether a key exists. To read one key without the right to is answered as if it did not.

use std::sync::Arc;

use sync_core::{
    Activity, AgentId, Allowed, Answer, Ask, AuthorityAsk, Context, Digest, Entry, Expectation,
    HubStatus, Key, MemoryAnswer, MemoryAsk, Namespace, PastAsk, Payload, Reason, Receipt, Reply,
    RequestError, Revision, Right, Rights, Role, Segment, SessionId, WriteId,
};

use super::commit::{Commit, receipt};
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
            self.refuse(session, reason);
        }
    }

    /// Closes a connection by what the rights say.
    pub(super) fn refuse(&mut self, session: SessionId, reason: &str) {
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

    /// Whether a peer may see what is of the swarm as a whole.
    pub(super) fn sees_all(&self, to: ReplyTo) -> bool {
        let allowed = self.peer(to).and_then(|peer| peer.allowed.as_ref());
        allowed.is_none_or(|a| a.all(Right::Read) || a.all(Right::Admin))
    }

    /// What is left of a status for who does not: where the hub is, which every answer tells.
    pub(super) fn status_for(&self, to: ReplyTo, status: HubStatus) -> HubStatus {
        if self.sees_all(to) {
            return status;
        }
        HubStatus {
            digest: Digest::default(),
            keys: 0,
            members: Vec::new(),
            id_alarms: 0,
            periodic: Vec::new(),
            consensus: Vec::new(),
            activity: Activity::default(),
            store_bytes: None,
            ..status
        }
    }

    /// What a peer that has no right to write a key brings of it. Its own pushes come back to it; what it
    /// holds of others is not taken from it.
    pub(super) fn only_allowed(
        &self,
        session: SessionId,
        mut brought: Vec<Segment>,
    ) -> Vec<Segment> {
        let peer = self.sessions.get(&session);
        if let Some(allowed) = peer.and_then(|peer| peer.allowed.as_ref()) {
            brought.retain(|segment| allowed.may(Right::Write, segment.key.as_str()));
        }
        brought
    }

    /// Whether a peer may write a key.
    pub(super) fn may_write(&self, session: SessionId, key: &Key) -> bool {
        let allowed = self.sessions.get(&session).and_then(|s| s.allowed.as_ref());
        allowed.is_none_or(|allowed| allowed.may(Right::Write, key.as_str()))
    }

    /// A pushed delta that may not enter: only its own number counts as seen, and what it did at its
    /// writer is undone there.
    pub(super) fn bar(&self, commit: &mut Commit, id: WriteId, key: &Key, delta: &Entry) -> Entry {
        let mut covered = Context::new();
        let reason = Reason::Forbidden;
        commit.surprises(key);
        match delta.write(&id) {
            Some(write) => {
                covered.insert(write.span(&id));
                commit.with_receipt(receipt(id, key, write, reason));
            }
            // It only takes away.
            None => {
                covered.insert_id(&id);
                commit.with_receipt(Receipt {
                    write: id,
                    key: key.clone(),
                    stamp: self.clock.high_water(),
                    discarded: Payload::absent(),
                    reason,
                    revision: Revision::default(),
                });
            }
        }
        Entry::covering(covered)
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
        Ask::Sync { keys, .. } => keys.iter().find_map(|k| key(Right::Read, k)),
        Ask::Clear(None) => swarm(Right::Admin, "clear the swarm"),
        Ask::ReloadPolicies => swarm(Right::Admin, "have the policies read anew"),
        Ask::Unregister(_) => swarm(Right::Admin, "take agents off the roster"),
        Ask::Propose(proposal) => {
            let effect = proposal.effect.as_ref();
            effect.and_then(|effect| key(Right::Write, &effect.key))
        }
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

fn of_authority(allowed: &Allowed, ask: &AuthorityAsk) -> Option<Reply> {
    let write = |key: &Key| of_key(allowed, Right::Write, key.as_str());
    match ask {
        AuthorityAsk::Commit { expect, assign, .. } => {
            let expected = |expectation: &Expectation| match expectation {
                Expectation::Version { key, .. } => of_key(allowed, Right::Read, key.as_str()),
                Expectation::Claim { key, .. } => write(key),
            };
            let assigned = || assign.iter().find_map(|a| write(&a.key));
            expect.iter().find_map(expected).or_else(assigned)
        }
        // Its answer tells the version, and who holds it.
        AuthorityAsk::Claim { key, .. } => {
            of_key(allowed, Right::Read, key.as_str()).or_else(|| write(key))
        }
        AuthorityAsk::Renew { key, .. } | AuthorityAsk::Release { key, .. } => write(key),
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
