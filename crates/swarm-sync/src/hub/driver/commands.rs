//! What the hub's own callers ask for.

#[cfg(any(feature = "redb", feature = "sled"))]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sync_core::{AgentId, Ask, Policies, Reply, RequestError, SwarmId};
use sync_protocol::Schedule;
use tokio::sync::oneshot;

use super::Driver;
use crate::hub::builder::check_functions;
use crate::hub::reloading::Reloaded;
#[cfg(any(feature = "redb", feature = "sled"))]
use crate::keeping::{BackedUp, KeepingError, backup_apart};

/// What a handle asks of the task.
#[derive(Debug)]
pub(in crate::hub) enum HubCommand {
    Ask {
        swarm: SwarmId,
        ask: Ask,
        done: oneshot::Sender<Reply>,
    },
    Register {
        swarm: SwarmId,
        agent: AgentId,
        done: oneshot::Sender<Result<(), RequestError>>,
    },
    SetPolicies {
        policies: Arc<Policies>,
        done: oneshot::Sender<()>,
    },
    /// Answered once what is read anew is in force, or with what is wrong with it.
    Reload {
        done: oneshot::Sender<Result<(), RequestError>>,
    },
    SetSchedule {
        schedule: Schedule,
        done: oneshot::Sender<()>,
    },
    /// Answered with how long the store has been writing, if it is.
    Check {
        done: oneshot::Sender<Option<Duration>>,
    },
    /// Answered once the file is there, or with why it is not; dropped if it is not tried.
    #[cfg(any(feature = "redb", feature = "sled"))]
    Backup {
        to: PathBuf,
        done: oneshot::Sender<Result<BackedUp, KeepingError>>,
    },
    Shutdown {
        done: oneshot::Sender<()>,
    },
}

impl Driver {
    pub(super) async fn handle_command(&mut self, command: HubCommand) {
        // It may have waited for it for long.
        self.look_at_disk();
        let now = self.now();
        match command {
            HubCommand::Ask { swarm, ask, done } => {
                self.next_request += 1;
                let request = self.next_request;
                match self.hub(&swarm).await {
                    Ok(hub) => {
                        hub.handle_ask(now, request, ask);
                        self.answers.insert(request, done);
                    }
                    Err(error) => {
                        let _ = done.send(Err(error));
                    }
                }
            }
            HubCommand::Register { swarm, agent, done } => {
                let _ = done.send(self.register(&swarm, &agent).await);
            }
            HubCommand::SetPolicies { policies, done } => {
                self.set_policies(&policies);
                let _ = done.send(());
            }
            HubCommand::Reload { done } => {
                self.reloads.push(done);
                self.reloading.start();
            }
            HubCommand::SetSchedule { schedule, done } => {
                self.set_schedule(&schedule);
                let _ = done.send(());
            }
            HubCommand::Check { done } => {
                let _ = done.send(self.queue.flushes_for());
            }
            #[cfg(any(feature = "redb", feature = "sled"))]
            HubCommand::Backup { to, done } => {
                let store = Arc::clone(&self.store);
                self.queue.pause(Box::pin(async move {
                    let _ = done.send(backup_apart(store, to).await);
                }));
            }
            // Handled by the caller, which ends the loop.
            HubCommand::Shutdown { .. } => {}
        }
    }

    async fn register(&mut self, swarm: &SwarmId, agent: &AgentId) -> Result<(), RequestError> {
        self.hub(swarm).await?.register(agent);
        if let Err(error) = self.coordinator.register(swarm, agent).await {
            tracing::warn!(%error, "the coordinator did not take an agent");
        }
        Ok(())
    }

    /// Lets the coordinator forget an agent, whose name counts on all rosters together.
    pub(super) async fn free_place(&self, swarm: &SwarmId, agent: &AgentId) {
        if let Err(error) = self.coordinator.unregister(swarm, agent).await {
            tracing::warn!(%error, "the coordinator did not let an agent go");
        }
    }

    /// The policies were read anew, or could not be: those who asked for it are answered.
    pub(super) fn handle_reloaded(&mut self, read: Result<Reloaded, String>) {
        let merges = &self.settings.merges;
        let checked = read.and_then(|read| {
            let known = check_functions(&read.policies, merges);
            known.map(|()| read).map_err(|e| e.to_string())
        });
        let (policies, rights) = match checked {
            Ok(Reloaded { policies, rights }) => (Ok(Arc::new(policies)), rights),
            Err(reason) => (Err(reason), None),
        };
        let checked = policies.as_ref().map(drop).map_err(Clone::clone);
        if let Ok(policies) = &policies {
            self.remember(policies);
        }
        let now = self.now();
        for hub in self.hubs.values_mut() {
            hub.handle_policies(now, policies.clone());
        }
        // In the same step: whoever hears that the files were read finds both in force. Last, because
        // who has asked may lose his connection over it.
        if let Some(rights) = rights {
            self.put_in_force(&Arc::new(rights));
        }
        self.apply_rights();
        for done in std::mem::take(&mut self.reloads) {
            let reloaded = checked.clone();
            let _ = done.send(reloaded.map_err(|reason| RequestError::Invalid { reason }));
        }
    }

    /// A table of the caller's own. Nobody's question about the file is answered by it.
    fn set_policies(&mut self, policies: &Arc<Policies>) {
        self.remember(policies);
        let now = self.now();
        for hub in self.hubs.values_mut() {
            hub.set_policies(now, Arc::clone(policies));
        }
    }

    /// A table holds in all swarms, those that come later included.
    fn remember(&mut self, policies: &Arc<Policies>) {
        let resolvers = self.settings.resolvers.clone();
        self.settings.resolvers = resolvers.with_policies(Arc::clone(policies));
    }
}
