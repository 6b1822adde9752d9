//! What every coordinator of this crate is inside: sessions, events, the name rule. A transport
//! adds only how bytes get in and out.

mod coordinator;
mod events;
mod peer;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sync_core::id::{AgentId, SwarmId};
use sync_core::transport::{
    AgentStatus, Compressions, CoordinatorEvent, Frame, Hello, Refusal, SessionId, TopologyInfo,
    TransportError, Welcome,
};

pub(crate) use coordinator::coordinator_by_hub;
pub(crate) use peer::Peer;

use crate::audit::{Audit, Origin};
use crate::compress::HubSide;
use crate::frame::check_sizes;
use crate::lock;
use crate::meter::Meter;
use crate::options::CoordinatorOptions;
use crate::outbox::Ending;
use crate::registry::{Claim, Place, Registry};
use crate::signal::Signal;
use events::{Events, Queue, Room, runs};

/// Why a hello led to no session.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// The peer is told.
    Refused(Refusal),
    /// The coordinator shuts down; there is nobody to say so.
    ShutDown,
}

/// Sessions and events under one lock, so that the owner sees them change in one order.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) options: CoordinatorOptions,
    pub(crate) meter: Meter,
    audit: Arc<Audit>,
    pub(crate) compress: HubSide,
    /// Units that a peer may have in line for the owner.
    inbox: usize,
    state: Mutex<State>,
    events: Events,
    shut: Signal,
}

#[derive(Debug)]
struct State {
    registry: Registry<Arc<Peer>>,
    queue: Queue,
}

impl Hub {
    pub(crate) fn new(options: CoordinatorOptions, inbox: usize) -> Self {
        let options = options.bounded();
        let registry = Registry::new(options.swarms.clone(), options.connections_max);
        Self {
            meter: Meter::default(),
            audit: Arc::default(),
            compress: HubSide::default(),
            inbox,
            state: Mutex::new(State {
                registry,
                queue: Queue::default(),
            }),
            events: Events::new(options.connections_max),
            shut: Signal::default(),
            options,
        }
    }

    /// Admits a peer or says why not; waits for the probe of a held name and for room among the
    /// events. Cancel-safe: a dropped call has changed nothing.
    pub(crate) async fn admit(&self, hello: &Hello, from: Origin) -> Result<Arc<Peer>, Rejection> {
        let mute = self.probe(hello).await?;
        // The end of a session must never wait for room, so it is reserved with its beginning.
        let room = tokio::select! {
            biased;
            () = self.shut.wait() => return Err(Rejection::ShutDown),
            room = self.events.reserve_session() => room,
        };
        let mut state = lock(&self.state);
        if self.shut.is_set() {
            return Err(Rejection::ShutDown);
        }
        match state.registry.claim(hello, mute) {
            Claim::Admit => {}
            Claim::Replace(old) => {
                let reason = "replaced by a new connection of the same agent; it did not answer";
                self.end_in(&mut state, old, Ending::Abort, reason);
            }
            // Taken since the probe, by somebody who has just said hello: that is an answer.
            Claim::Probe(_) => {
                let agent = hello.agent.clone();
                return Err(Rejection::Refused(Refusal::NameTaken { agent }));
            }
            Claim::Refuse(refusal) => return Err(Rejection::Refused(refusal)),
        }
        let mut admitted = None;
        let session = state.registry.insert(hello, |session| {
            let peer = Arc::new(Peer::new(session, from, &self.options, self.inbox));
            Arc::clone(admitted.insert(peer))
        });
        room.keep();
        self.emit(
            &mut state,
            CoordinatorEvent::Connected {
                session,
                hello: hello.clone(),
            },
        );
        // `insert` called the closure.
        admitted.ok_or(Rejection::ShutDown)
    }

    /// What an admitted peer is told. `hello` was admitted, so a version was found. Compressed is what
    /// `wire` can carry so.
    pub(crate) fn welcome(&self, hello: &Hello, wire: Compressions) -> Welcome {
        let millis = self.options.silence.as_millis();
        Welcome {
            protocol: hello.negotiate().unwrap_or(hello.protocol_max),
            silence_ms_max: u32::try_from(millis).unwrap_or(u32::MAX),
            // Bounded by 16 MiB.
            frame_bytes_max: u32::try_from(self.options.frame_bytes_max).unwrap_or(u32::MAX),
            compressions: hello.compressions.common(wire),
        }
    }

    /// Hands messages of a peer to the owner, waiting while the owner is behind or the peer has
    /// enough in line. False once the session has ended: nothing of it is delivered any more.
    pub(crate) async fn deliver(&self, peer: &Peer, frames: Vec<Bytes>) -> bool {
        for run in runs(frames) {
            let room = match self.events.try_reserve(&peer.inbox, &run) {
                Ok(room) => room,
                Err(_) => {
                    let _waiting = peer.wait_for_owner();
                    tokio::select! {
                        biased;
                        () = peer.outbox.ended() => return false,
                        room = self.events.reserve(&peer.inbox, &run) => room,
                    }
                }
            };
            if !self.receive(peer, run, room) {
                return false;
            }
        }
        true
    }

    /// Ends a session; its last event carries `reason`. Does nothing if it has ended.
    pub(crate) fn end(&self, session: SessionId, ending: Ending, reason: &str) {
        self.end_in(&mut lock(&self.state), session, ending, reason);
    }

    /// Ends a session whose peer may not be here, and tells it so.
    pub(crate) fn refuse(&self, session: SessionId, reason: &str) {
        let mut state = lock(&self.state);
        let Some((who, peer)) = state.registry.holder(session) else {
            return;
        };
        self.note_refused(peer.from, Some(who), reason);
        self.end_in(&mut state, session, Ending::Refuse, reason);
    }

    /// Counts a connection that came to nothing because of what it showed or said, or of what its
    /// name may not, and has the audit note it.
    pub(crate) fn note_refused(
        &self,
        from: Origin,
        who: Option<(&SwarmId, &AgentId)>,
        reason: &str,
    ) {
        self.meter.add_refused();
        self.audit.note(from, who, reason);
    }

    /// Ends every session and the events. Idempotent.
    pub(crate) fn shut_down(&self) {
        let mut state = lock(&self.state);
        self.shut.set();
        for session in state.registry.sessions() {
            self.end_in(&mut state, session, Ending::Flush, "the hub shuts down");
        }
        drop(state);
        self.events.wake();
        self.audit.sum_up();
    }

    /// Returns once [`Hub::shut_down`] was called.
    pub(crate) async fn shut(&self) {
        self.shut.wait().await;
    }

    /// Peers connected now, clients included.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.state).registry.len()
    }

    /// Asks the holder of a wanted name for a sign of life: the session that gave none, if any.
    async fn probe(&self, hello: &Hello) -> Result<Option<SessionId>, Rejection> {
        let holder = {
            let state = lock(&self.state);
            match state.registry.claim(hello, None) {
                Claim::Refuse(refusal) => return Err(Rejection::Refused(refusal)),
                Claim::Probe(old) => state.registry.peer(old).cloned(),
                Claim::Admit | Claim::Replace(_) => None,
            }
        };
        let Some(holder) = holder else {
            return Ok(None);
        };
        if holder.answers(self.options.probe).await {
            let agent = hello.agent.clone();
            return Err(Rejection::Refused(Refusal::NameTaken { agent }));
        }
        Ok(Some(holder.session))
    }

    fn receive(&self, peer: &Peer, frames: Vec<Bytes>, room: Room<'_>) -> bool {
        let session = peer.session;
        let mut state = lock(&self.state);
        if state.registry.peer(session).is_none() {
            return false;
        }
        room.keep();
        for frame in frames {
            self.emit(&mut state, CoordinatorEvent::Received { session, frame });
        }
        true
    }

    fn end_in(&self, state: &mut State, session: SessionId, ending: Ending, reason: &str) {
        if let Some(peer) = state.registry.remove(session) {
            tracing::debug!(session = session.0, reason, "ended");
            peer.outbox.end(ending, reason);
            self.emit(
                state,
                CoordinatorEvent::Disconnected {
                    session,
                    reason: reason.to_owned(),
                },
            );
        }
    }

    fn emit(&self, state: &mut State, event: CoordinatorEvent) {
        state.queue.push(event);
        self.events.wake();
    }
}

/// The methods of `Coordinator`, as one transport after the other offers them.
impl Hub {
    pub(crate) fn register(&self, swarm: &SwarmId, agent: &AgentId) -> Result<(), TransportError> {
        let registered = lock(&self.state).registry.register(swarm, agent);
        registered.map_err(|refusal| TransportError::Refused {
            address: "the roster".into(),
            refusal,
        })
    }

    pub(crate) fn unregister(&self, swarm: &SwarmId, agent: &AgentId) -> bool {
        let mut state = lock(&self.state);
        let place = state.registry.unregister(swarm, agent);
        if let Place::Held(session) = place {
            let reason = "the agent was taken off the roster";
            self.end_in(&mut state, session, Ending::Flush, reason);
        }
        place != Place::Unknown
    }

    pub(crate) fn send(
        &self,
        session: SessionId,
        frames: Vec<Frame>,
    ) -> Result<(), TransportError> {
        let peer = lock(&self.state).registry.peer(session).cloned();
        let peer = peer.ok_or(TransportError::NotConnected)?;
        check_sizes(&frames, self.options.frame_bytes_max)?;
        let sent = peer.outbox.try_push(frames);
        match sent {
            Err(slow @ TransportError::SlowPeer { .. }) => {
                self.end(session, Ending::Abort, &slow.to_string());
                Err(slow)
            }
            // It ended between the two locks.
            Err(TransportError::Closed { .. }) => Err(TransportError::NotConnected),
            other => other,
        }
    }

    pub(crate) fn broadcast(&self, swarm: &SwarmId, frame: &Frame) -> usize {
        if let Err(error) = check_sizes(std::slice::from_ref(frame), self.options.frame_bytes_max) {
            tracing::error!(%swarm, %error, "a broadcast reaches nobody");
            return 0;
        }
        let mut state = lock(&self.state);
        let mut reached = 0;
        let mut slow = Vec::new();
        for peer in state.registry.members(swarm) {
            match peer.outbox.try_push(vec![frame.clone()]) {
                Ok(()) => reached += 1,
                Err(error) => slow.push((peer.session, error)),
            }
        }
        for (session, error) in slow {
            self.end_in(&mut state, session, Ending::Abort, &error.to_string());
        }
        reached
    }

    pub(crate) fn status(&self, swarm: &SwarmId, agent: &AgentId) -> AgentStatus {
        lock(&self.state).registry.status(swarm, agent)
    }

    pub(crate) fn topology(&self, swarm: &SwarmId) -> TopologyInfo {
        lock(&self.state).registry.topology(swarm)
    }

    pub(crate) async fn recv(&self, limit: usize) -> Vec<CoordinatorEvent> {
        let events = self.take(limit).await;
        self.handled(&events);
        events
    }

    /// What is taken keeps its room until it was handled.
    pub(crate) async fn take(&self, limit: usize) -> Vec<CoordinatorEvent> {
        loop {
            if let Some(events) = self.take_now(limit.max(1)) {
                return events;
            }
            self.events.wait().await;
        }
    }

    pub(crate) fn handled(&self, events: &[CoordinatorEvent]) {
        let state = lock(&self.state);
        for event in events {
            if let CoordinatorEvent::Received { session, frame } = event
                && let Some(peer) = state.registry.peer(*session)
            {
                peer.inbox.release(frame);
            }
        }
        drop(state);
        self.events.release(events);
    }

    fn take_now(&self, limit: usize) -> Option<Vec<CoordinatorEvent>> {
        let mut state = lock(&self.state);
        let events = state.queue.drain(limit);
        let more = !state.queue.is_empty();
        drop(state);
        // Whoever else waits must be told in turn: one wake-up wakes one.
        if more || self.shut.is_set() {
            self.events.wake();
        }
        (!events.is_empty() || self.shut.is_set()).then_some(events)
    }
}
