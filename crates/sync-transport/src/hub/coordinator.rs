//! The trait of a coordinator, the same for every transport.

/// Implements `Coordinator` for a type by its field `hub`. At shutdown `$finish` runs after the
/// sessions were told to end; `$ends` says when the first certificate of the hub's own does.
macro_rules! coordinator_by_hub {
    ($name:ty, |$this:ident| $finish:expr, $ends:expr) => {
        #[async_trait::async_trait]
        impl sync_core::transport::Coordinator for $name {
            async fn register(
                &self,
                swarm: &sync_core::id::SwarmId,
                agent: &sync_core::id::AgentId,
            ) -> Result<(), sync_core::transport::TransportError> {
                self.hub.register(swarm, agent)
            }

            async fn unregister(
                &self,
                swarm: &sync_core::id::SwarmId,
                agent: &sync_core::id::AgentId,
            ) -> Result<bool, sync_core::transport::TransportError> {
                Ok(self.hub.unregister(swarm, agent))
            }

            async fn send(
                &self,
                session: sync_core::transport::SessionId,
                frames: Vec<sync_core::transport::Frame>,
            ) -> Result<(), sync_core::transport::TransportError> {
                self.hub.send(session, frames)
            }

            async fn broadcast(
                &self,
                swarm: &sync_core::id::SwarmId,
                frame: sync_core::transport::Frame,
            ) -> usize {
                self.hub.broadcast(swarm, &frame)
            }

            async fn agent_status(
                &self,
                swarm: &sync_core::id::SwarmId,
                agent: &sync_core::id::AgentId,
            ) -> sync_core::transport::AgentStatus {
                self.hub.status(swarm, agent)
            }

            async fn topology_info(
                &self,
                swarm: &sync_core::id::SwarmId,
            ) -> sync_core::transport::TopologyInfo {
                self.hub.topology(swarm)
            }

            fn traffic(&self) -> sync_core::transport::Traffic {
                self.hub.meter.traffic()
            }

            fn refused(&self) -> u64 {
                self.hub.meter.refused()
            }

            fn certificate_ends(&self) -> Option<std::time::SystemTime> {
                let ends: fn(&$name) -> Option<std::time::SystemTime> = $ends;
                ends(self)
            }

            async fn disconnect(&self, session: sync_core::transport::SessionId, reason: &str) {
                self.hub.end(session, crate::outbox::Ending::Flush, reason);
            }

            async fn refuse(&self, session: sync_core::transport::SessionId, reason: &str) {
                self.hub.refuse(session, reason);
            }

            async fn recv(&self, limit: usize) -> Vec<sync_core::transport::CoordinatorEvent> {
                self.hub.recv(limit).await
            }

            async fn take(&self, limit: usize) -> Vec<sync_core::transport::CoordinatorEvent> {
                self.hub.take(limit).await
            }

            fn handled(&self, event: &sync_core::transport::CoordinatorEvent) {
                self.hub.handled(std::slice::from_ref(event));
            }

            async fn shutdown(&self) {
                self.hub.shut_down();
                let $this = self;
                $finish
            }
        }
    };
}

pub(crate) use coordinator_by_hub;
