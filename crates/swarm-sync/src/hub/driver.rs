//! The one task that drives every hub: it translates between machines, store, coordinator and
//! callers, and decides nothing.

mod commands;
mod outputs;
mod periodic;
mod rights;
mod turn;

use std::collections::BTreeMap;
use std::future::pending;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sync_core::codec;
use sync_core::{
    Clock, Coordinator, CoordinatorEvent, Epoch, Now, Reply, RequestError, SessionId, Store,
    SwarmId,
};
use sync_protocol::{Hub, HubConfig, HubRecovery, Schedule};
use tokio::sync::{mpsc, oneshot};

pub(super) use self::commands::HubCommand;
use self::rights::InForce;
use self::turn::EVENTS_PER_TAKE;
use super::SynchronizerBuilder;
use super::loading::{Loaded, Loading};
use super::merging::{Merged, Merging};
use super::reloading::Reloading;
use super::turns::Turns;
use crate::chance;
use crate::disk_space::DiskSpace;
use crate::error::StartError;
use crate::fair::{Either, Fair};
use crate::meter::Meter;
use crate::spans::{self, RoundSpans};
use crate::store_queue::{Completions, StoreQueue, for_each_row};

/// Swarms that one hub serves. Each costs memory for good, and a name is all it takes to make one.
const SWARMS_MAX: usize = 1_024;

/// Everything the task owns.
#[derive(Debug)]
pub(super) struct Driver {
    settings: SynchronizerBuilder,
    /// What every hub synchronizes by itself, those that come later included.
    schedule: Schedule,
    /// This run. One for all swarms and for as long as it lasts: the hub of a name that was only asked
    /// about is dropped and opened anew, and a position that it gave holds in the next one, which has
    /// numbered and stored as little.
    epoch: Epoch,
    store: Arc<dyn Store>,
    disk: DiskSpace,
    coordinator: Arc<dyn Coordinator>,
    clock: Arc<dyn Clock>,
    queue: StoreQueue,
    rounds: RoundSpans,
    meter: Meter,
    merging: Merging,
    reloading: Reloading,
    /// Callers of this process that wait for it.
    reloads: Vec<oneshot::Sender<Result<(), RequestError>>>,
    rights: InForce,
    loading: Loading,
    /// Events that were taken and not handled yet.
    turns: Turns,
    /// Where looking after what is due has stopped, with more to do.
    tended: Option<SwarmId>,
    commands: mpsc::Receiver<HubCommand>,
    /// Between those and the connections.
    fair: Fair,
    hubs: BTreeMap<SwarmId, Hub>,
    sessions: BTreeMap<SessionId, SwarmId>,
    answers: BTreeMap<u64, oneshot::Sender<Reply>>,
    next_request: u64,
    /// Set once the store has failed: what is on disk is unknown, so this task ends.
    failure: Arc<OnceLock<String>>,
}

impl Driver {
    /// Opens every swarm that the store knows.
    pub(super) async fn open(
        settings: SynchronizerBuilder,
        schedule: Schedule,
        commands: mpsc::Receiver<HubCommand>,
        failure: Arc<OnceLock<String>>,
    ) -> Result<Self, StartError> {
        let store = Arc::clone(&settings.store);
        let mut driver = Self {
            queue: StoreQueue::start(Arc::clone(&store), spans::HUB),
            rounds: RoundSpans::default(),
            meter: Meter::default(),
            coordinator: Arc::clone(&settings.coordinator),
            merging: Merging::new(settings.merges.clone(), settings.merge_timeout),
            reloading: Reloading::new(settings.policy_source.clone()),
            reloads: Vec::new(),
            rights: InForce::new(settings.rights.clone()),
            loading: Loading::new(Arc::clone(&store)),
            disk: DiskSpace::of(Arc::clone(&store)),
            clock: Arc::clone(&settings.clock),
            settings,
            schedule,
            epoch: Epoch::from_random(chance::fresh()),
            turns: Turns::default(),
            tended: None,
            commands,
            fair: Fair::default(),
            hubs: BTreeMap::new(),
            sessions: BTreeMap::new(),
            answers: BTreeMap::new(),
            next_request: 0,
            failure,
            store,
        };
        for swarm in driver.store.swarms().await? {
            driver.open_swarm(&swarm).await?;
        }
        driver.pump().await;
        Ok(driver)
    }

    pub(super) async fn run(mut self) {
        let done = loop {
            self.take_turn().await;
            if self.failure.get().is_some() {
                break None;
            }
            let deadline = self.deadline();
            let may_take = self.may_take();
            let waits = !self.turns.is_empty() && self.has_room();
            let busy = waits || deadline == Some(Duration::ZERO);
            if busy {
                // Connections are read and written by this thread, too.
                tokio::task::yield_now().await;
            }
            let events = async {
                if may_take {
                    self.coordinator.take(EVENTS_PER_TAKE).await
                } else {
                    pending().await
                }
            };
            tokio::select! {
                // First what this hub has begun itself: there is never more of it than was asked for.
                biased;
                completed = self.queue.completed() => {
                    self.handle_completed(completed);
                }
                merged = self.merging.next() => self.handle_merged(merged),
                loaded = self.loading.next() => self.handle_loaded(loaded),
                read = self.reloading.next() => self.handle_reloaded(read),
                () = self.rights.changed() => self.apply_rights(),
                asked = self.fair.first(events, self.commands.recv()) => match asked {
                    Either::Left(events) if events.is_empty() => break None,
                    Either::Left(events) => self.line_up(events),
                    Either::Right(None) => break None,
                    Either::Right(Some(HubCommand::Shutdown { done })) => break Some(done),
                    Either::Right(Some(command)) => self.handle_command(command).await,
                },
                // What is due is done in the next turn.
                () = until(deadline) => {}
                () = std::future::ready(()), if busy => {}
            }
        };
        self.finish().await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    /// Lets what is under way become durable and be answered, then stops the functions that merge, of
    /// which the next run asks again, and closes the connections.
    async fn finish(mut self) {
        self.pump().await;
        while self.hubs.values().any(|hub| !hub.is_settled()) {
            let completed = self.queue.completed().await;
            self.handle_completed(completed);
            self.pump().await;
        }
        self.merging.shutdown().await;
        self.loading.shutdown().await;
        self.coordinator.shutdown().await;
        self.queue.close().await;
    }

    fn handle_completed(&mut self, completed: Completions) {
        let now = self.now();
        for (swarm, (token, result)) in completed {
            if let Some(hub) = self.hubs.get_mut(&swarm) {
                hub.handle_persisted(now, token, result);
            }
            self.note_failure(&swarm);
        }
    }

    /// One machine that cannot trust its store stops all: they share it.
    fn note_failure(&self, swarm: &SwarmId) {
        if let Some(reason) = self.hubs.get(swarm).and_then(Hub::failure) {
            self.failure.get_or_init(|| {
                tracing::error!(%swarm, reason, "the store failed; the hub stops");
                reason.to_owned()
            });
        }
    }

    fn handle_merged(&mut self, merged: Merged) {
        let now = self.now();
        let Merged {
            swarm,
            ticket,
            result,
        } = merged;
        if let Err(reason) = &result {
            tracing::warn!(%swarm, reason, "a merge failed; the concurrent values stay, and it is tried again later");
        }
        if let Some(hub) = self.hubs.get_mut(&swarm) {
            hub.handle_merged(now, ticket, result);
        }
    }

    fn handle_loaded(&mut self, loaded: Loaded) {
        let now = self.now();
        let Loaded {
            swarm,
            ticket,
            result,
        } = loaded;
        if let Some(hub) = self.hubs.get_mut(&swarm) {
            hub.handle_loaded(now, ticket, result);
        }
        self.note_failure(&swarm);
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    /// How long until a machine wants to be woken.
    fn deadline(&self) -> Option<Duration> {
        let due = self.hubs.values().filter_map(Hub::poll_timeout).min();
        let due = due.into_iter().chain(self.meter.deadline()).min()?;
        Some(due.saturating_sub(self.now().mono))
    }

    async fn open_swarm(&mut self, swarm: &SwarmId) -> Result<(), StartError> {
        let mut config = HubConfig::new(swarm.clone());
        config.limits = self.settings.limits;
        config.deadlines = self.settings.deadlines;
        config.schedule = self.schedule.clone();
        config.algorithms = self.settings.voting.algorithms.clone();
        config.vote_deadline = self.settings.voting.timeout;
        config.disk_lost = self.settings.disk_lost;
        config.keep_free = self.settings.keep_free;
        let mut recovery = HubRecovery::new(config, self.settings.resolvers.clone());
        for_each_row::<StartError>(&*self.store, swarm, |row| {
            if HubRecovery::is_past(row) {
                return Ok(ControlFlow::Break(()));
            }
            recovery.row(row)?;
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        let mut hub = recovery.open(self.epoch);
        hub.set_rights(self.rights.now());
        hub.note_free_bytes(self.disk.free());
        self.say_undecidable(swarm, &hub);
        for agent in hub.roster() {
            self.coordinator.register(swarm, agent).await?;
        }
        self.hubs.insert(swarm.clone(), hub);
        Ok(())
    }

    /// Votes that go on from an earlier run and that nothing here can decide.
    fn say_undecidable(&self, swarm: &SwarmId, hub: &Hub) {
        let known = &self.settings.voting.algorithms;
        for proposal in hub.open_proposals() {
            let algorithm = proposal.algorithm.as_deref();
            if known.get(algorithm).is_none() {
                tracing::warn!(%swarm, proposal = %proposal.id, algorithm, "the algorithm of a vote under way is not known to this hub: its time will run out unless the hub is started with it again");
            }
        }
    }

    /// The hub of a swarm, opened if this is its first mention.
    async fn hub(&mut self, swarm: &SwarmId) -> Result<&mut Hub, RequestError> {
        if !self.hubs.contains_key(swarm) {
            if self.hubs.len() >= SWARMS_MAX {
                let reason = format!("this hub serves {SWARMS_MAX} swarms already, its limit");
                return Err(RequestError::Invalid { reason });
            }
            let opened = self.open_swarm(swarm).await;
            opened.map_err(|error| {
                // It names the directory, which is for whoever runs the hub alone.
                tracing::error!(%swarm, %error, "a swarm could not be opened");
                let reason =
                    format!("the swarm {swarm} could not be opened; the hub's log says why");
                RequestError::Stopped { reason }
            })?;
        }
        let missing = || RequestError::Stopped {
            reason: format!("the swarm {swarm} is closed"),
        };
        self.hubs.get_mut(swarm).ok_or_else(missing)
    }

    async fn handle_event(&mut self, event: &CoordinatorEvent) {
        let now = self.now();
        match event {
            CoordinatorEvent::Connected { session, hello } => {
                tracing::info!(agent = %hello.agent, swarm = %hello.swarm, role = ?hello.role, "connected");
                match self.hub(&hello.swarm).await {
                    Ok(hub) => {
                        hub.handle_connected(now, *session, hello);
                        self.sessions.insert(*session, hello.swarm.clone());
                    }
                    Err(error) => {
                        self.coordinator
                            .disconnect(*session, &error.to_string())
                            .await;
                    }
                }
            }
            CoordinatorEvent::Received { session, frame } => {
                let swarm = self.sessions.get(session);
                let Some(hub) = swarm.and_then(|s| self.hubs.get_mut(s)) else {
                    return;
                };
                match codec::decode(frame) {
                    Ok(message) => {
                        let span = spans::delta(swarm, *session, &message);
                        span.in_scope(|| hub.handle_message(now, *session, message));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a peer was disconnected");
                        self.forget(*session);
                        self.coordinator
                            .disconnect(*session, &error.to_string())
                            .await;
                    }
                }
            }
            CoordinatorEvent::Disconnected { session, reason } => {
                tracing::info!(?session, reason, "disconnected");
                self.forget(*session);
            }
        }
    }

    /// A session that is over, whether or not its end was reported.
    fn forget(&mut self, session: SessionId) {
        let now = self.now();
        let swarm = self.sessions.remove(&session);
        if let Some(hub) = swarm.and_then(|s| self.hubs.get_mut(&s)) {
            hub.handle_disconnected(now, session);
        }
    }
}

/// Sleeps for `wait`, or for ever.
pub(crate) async fn until(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => pending().await,
    }
}
