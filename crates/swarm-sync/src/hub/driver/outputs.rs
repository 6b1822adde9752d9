//! What the machines ask for.

use std::collections::BTreeMap;

use sync_core::codec;
use sync_core::{Frame, SessionId, TransportError};
use sync_protocol::HubOutput;

use super::Driver;
use crate::meter;

impl Driver {
    /// Carries out what the machines ask for, until they ask for nothing more.
    pub(super) async fn pump(&mut self) {
        while self.carry_out().await {}
    }

    /// One pass; true if a session was found to be over, of which the machines may have to say more.
    async fn carry_out(&mut self) -> bool {
        let mut frames: BTreeMap<SessionId, Vec<Frame>> = BTreeMap::new();
        let mut closing = Vec::new();
        let mut refused = Vec::new();
        let mut gone = Vec::new();
        for (swarm, hub) in &mut self.hubs {
            let mut crowded = self.queue.is_crowded(swarm);
            while !crowded && let Some(output) = hub.poll_output() {
                match output {
                    HubOutput::Persist { token, batch } => {
                        self.queue.commit(token, batch).await;
                        crowded = self.queue.is_crowded(swarm);
                    }
                    HubOutput::Send { session, message } => {
                        frames
                            .entry(session)
                            .or_default()
                            .push(codec::encode(&message));
                    }
                    HubOutput::Answer { request, answer } => {
                        if let Some(done) = self.answers.remove(&request) {
                            let _ = done.send(answer);
                        }
                    }
                    HubOutput::Merge {
                        ticket,
                        key,
                        function,
                        siblings,
                    } => {
                        let swarm = swarm.clone();
                        self.merging.start(swarm, ticket, key, function, siblings);
                    }
                    HubOutput::LoadPolicies => self.reloading.start(),
                    HubOutput::Load { ticket, ranges } => {
                        self.loading.start(swarm.clone(), ticket, ranges);
                    }
                    HubOutput::Ran(run) => super::periodic::log(swarm, &run),
                    HubOutput::RoundBegan { number, priority } => {
                        self.rounds.began(swarm, number, priority);
                    }
                    HubOutput::RoundEnded(ended) => {
                        self.rounds.ended(swarm, &ended);
                        meter::round_ended(swarm, &ended);
                    }
                    HubOutput::Unregistered(agent) => gone.push((swarm.clone(), agent)),
                    HubOutput::Disconnect { session, reason } => closing.push((session, reason)),
                    HubOutput::Refuse { session, reason } => refused.push((session, reason)),
                }
            }
        }
        // A name that was only asked about is forgotten again.
        self.hubs.retain(|_, hub| !hub.is_blank());
        let lost = self.send(frames, &mut closing).await;
        for (swarm, agent) in gone {
            self.free_place(&swarm, &agent).await;
        }
        for (session, reason) in closing {
            tracing::warn!(?session, reason, "a peer was disconnected");
            self.coordinator.disconnect(session, &reason).await;
        }
        // Where it comes from, and under which name, the coordinator knows and notes.
        for (session, reason) in refused {
            self.coordinator.refuse(session, &reason).await;
        }
        lost
    }

    /// Sends what was said to each session; true if a session turned out to be over. Those that
    /// cannot be sent to for another reason are to be closed.
    async fn send(
        &mut self,
        frames: BTreeMap<SessionId, Vec<Frame>>,
        closing: &mut Vec<(SessionId, String)>,
    ) -> bool {
        let mut lost = false;
        for (session, frames) in frames {
            match self.coordinator.send(session, frames).await {
                Ok(()) => {}
                // The coordinator reports its end; what it asked before that is not worth answering.
                Err(TransportError::NotConnected | TransportError::SlowPeer { .. }) => {
                    lost |= self.sessions.contains_key(&session);
                    self.forget(session);
                }
                Err(error) => closing.push((session, error.to_string())),
            }
        }
        lost
    }
}
