//! Who is connected, who belongs to which swarm, and who may come in. Pure: no clock, no I/O.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sync_core::id::{AgentId, SwarmId};
use sync_core::transport::{
    AgentStatus, Hello, PROTOCOL_MAX, PROTOCOL_MIN, Refusal, Role, SessionId, Topology,
    TopologyInfo,
};

/// Names on all rosters together. A roster outlives its connections, so without a bound a peer
/// that invents names would fill the memory.
const ROSTER_MAX: usize = 100_000;

/// What becomes of a hello.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nothing stands against it.
    Admit,
    /// The holder of the name was probed and is to be removed first.
    Replace(SessionId),
    /// The holder of the name must be probed, then the claim repeated.
    Probe(SessionId),
    /// No.
    Refuse(Refusal),
}

/// Where a name stands on a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not on it.
    Unknown,
    /// On it, not connected.
    Away,
    /// Connected.
    Held(SessionId),
}

/// Sessions and rosters. `P` is whatever the transport needs to reach a peer.
#[derive(Debug)]
pub(crate) struct Registry<P> {
    swarms: Option<BTreeSet<SwarmId>>,
    connections_max: usize,
    roster_max: usize,
    last: u64,
    sessions: HashMap<SessionId, Session<P>>,
    rosters: BTreeMap<SwarmId, BTreeMap<AgentId, Place>>,
    roster_len: usize,
}

#[derive(Debug)]
struct Session<P> {
    swarm: SwarmId,
    agent: AgentId,
    role: Role,
    peer: P,
}

impl<P> Registry<P> {
    pub(crate) fn new(swarms: Option<BTreeSet<SwarmId>>, connections_max: usize) -> Self {
        Self {
            swarms,
            connections_max,
            roster_max: ROSTER_MAX,
            last: 0,
            sessions: HashMap::new(),
            rosters: BTreeMap::new(),
            roster_len: 0,
        }
    }

    /// Decides about a hello. `mute` names a session that was probed on its behalf and stayed
    /// silent: only that one may be replaced, so of two newcomers one wins.
    pub(crate) fn claim(&self, hello: &Hello, mute: Option<SessionId>) -> Claim {
        if hello.negotiate().is_none() {
            return Claim::Refuse(Refusal::Protocol {
                hub_min: PROTOCOL_MIN,
                hub_max: PROTOCOL_MAX,
                peer_min: hello.protocol_min,
                peer_max: hello.protocol_max,
            });
        }
        if self
            .swarms
            .as_ref()
            .is_some_and(|served| !served.contains(&hello.swarm))
        {
            return Claim::Refuse(Refusal::Swarm {
                swarm: hello.swarm.clone(),
            });
        }
        if hello.agent.is_hub() {
            return Claim::Refuse(Refusal::NameReserved {
                agent: hello.agent.clone(),
            });
        }
        let member = hello.role == Role::Member;
        let place = self.place(&hello.swarm, &hello.agent);
        if let Place::Held(holder) = place
            && member
        {
            return match mute {
                None => Claim::Probe(holder),
                Some(mute) if mute == holder => Claim::Replace(holder),
                Some(_) => Claim::Refuse(Refusal::NameTaken {
                    agent: hello.agent.clone(),
                }),
            };
        }
        let no_place = member && place == Place::Unknown && self.roster_len >= self.roster_max;
        if no_place || self.sessions.len() >= self.connections_max {
            return Claim::Refuse(self.full());
        }
        Claim::Admit
    }

    /// Enters a peer whose claim was admitted, and whose predecessor, if any, was removed.
    pub(crate) fn insert(&mut self, hello: &Hello, peer: impl FnOnce(SessionId) -> P) -> SessionId {
        self.last += 1;
        let session = SessionId(self.last);
        if hello.role == Role::Member {
            let roster = self.rosters.entry(hello.swarm.clone()).or_default();
            let before = roster.insert(hello.agent.clone(), Place::Held(session));
            self.roster_len += usize::from(before.is_none());
        }
        let entry = Session {
            swarm: hello.swarm.clone(),
            agent: hello.agent.clone(),
            role: hello.role,
            peer: peer(session),
        };
        self.sessions.insert(session, entry);
        session
    }

    /// Forgets a connection; the agent stays on the roster. `None` if it was not there.
    pub(crate) fn remove(&mut self, session: SessionId) -> Option<P> {
        let gone = self.sessions.remove(&session)?;
        if gone.role == Role::Member
            && let Some(place) = self
                .rosters
                .get_mut(&gone.swarm)
                .and_then(|roster| roster.get_mut(&gone.agent))
        {
            *place = Place::Away;
        }
        Some(gone.peer)
    }

    /// Puts an agent on the roster. Refused only if all rosters together are full.
    pub(crate) fn register(&mut self, swarm: &SwarmId, agent: &AgentId) -> Result<(), Refusal> {
        if self.place(swarm, agent) != Place::Unknown {
            return Ok(());
        }
        if self.roster_len >= self.roster_max {
            return Err(self.full());
        }
        let roster = self.rosters.entry(swarm.clone()).or_default();
        roster.insert(agent.clone(), Place::Away);
        self.roster_len += 1;
        Ok(())
    }

    /// Takes an agent off the roster; says where it stood. A connection it has is to be closed.
    pub(crate) fn unregister(&mut self, swarm: &SwarmId, agent: &AgentId) -> Place {
        let Some(roster) = self.rosters.get_mut(swarm) else {
            return Place::Unknown;
        };
        let Some(place) = roster.remove(agent) else {
            return Place::Unknown;
        };
        self.roster_len -= 1;
        if roster.is_empty() {
            self.rosters.remove(swarm);
        }
        place
    }

    pub(crate) fn status(&self, swarm: &SwarmId, agent: &AgentId) -> AgentStatus {
        match self.place(swarm, agent) {
            Place::Unknown => AgentStatus::Unknown,
            Place::Away => AgentStatus::Disconnected,
            Place::Held(_) => AgentStatus::Connected,
        }
    }

    pub(crate) fn topology(&self, swarm: &SwarmId) -> TopologyInfo {
        let roster = self.rosters.get(swarm).into_iter().flatten();
        let connected = roster
            .clone()
            .filter(|(_, place)| matches!(place, Place::Held(_)));
        TopologyInfo {
            kind: Topology::Star,
            connected: connected.map(|(agent, _)| agent.clone()).collect(),
            agents: roster.map(|(agent, _)| agent.clone()).collect(),
        }
    }

    pub(crate) fn peer(&self, session: SessionId) -> Option<&P> {
        self.sessions.get(&session).map(|session| &session.peer)
    }

    /// Whose a connection is.
    pub(crate) fn holder(&self, session: SessionId) -> Option<((&SwarmId, &AgentId), &P)> {
        let held = self.sessions.get(&session)?;
        Some(((&held.swarm, &held.agent), &held.peer))
    }

    /// The connected members of one swarm, by name.
    pub(crate) fn members(&self, swarm: &SwarmId) -> impl Iterator<Item = &P> {
        let roster = self.rosters.get(swarm).into_iter().flatten();
        roster.filter_map(|(_, place)| match place {
            Place::Held(session) => self.peer(*session),
            Place::Unknown | Place::Away => None,
        })
    }

    /// Every session, oldest first.
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        let mut all: Vec<_> = self.sessions.keys().copied().collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    fn place(&self, swarm: &SwarmId, agent: &AgentId) -> Place {
        let roster = self.rosters.get(swarm);
        let place = roster.and_then(|roster| roster.get(agent));
        place.copied().unwrap_or(Place::Unknown)
    }

    fn full(&self) -> Refusal {
        Refusal::Full {
            connections: u32::try_from(self.sessions.len()).unwrap_or(u32::MAX),
        }
    }
}
