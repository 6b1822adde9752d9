//! The one task that drives a replica: it translates between the machine, the store, the connection
//! and callers, and decides nothing.

mod commands;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sync_core::codec;
use sync_core::{
    AgentId, Clock, Hello, LinkSender, Message, Now, RequestError, Role, SwarmId, TransportError,
};
use sync_protocol::{Outcome, Replica, ReplicaConfig, ReplicaOutput, ReplicaRecovery};
use tokio::sync::{mpsc, oneshot};

pub(super) use self::commands::AgentCommand;
use super::connector::{Connector, LinkEvent, Meter};
use super::reach::{Reach, Refused};
use super::voting::Voting;
use super::{AgentBuilder, AgentState, Subscribers};
use crate::disk_space::DiskSpace;
use crate::error::StartError;
use crate::hub::until;
use crate::spans;
use crate::store_queue::{Completions, StoreQueue, for_each_row};

/// What a task shares with its handles.
#[derive(Debug)]
pub(super) struct Handles {
    pub(super) commands: mpsc::Receiver<AgentCommand>,
    pub(super) receipts: Subscribers,
    pub(super) refused: Refused,
    /// Set once the store has failed: what is on disk is unknown, so the task ends.
    pub(super) failure: Arc<OnceLock<String>>,
}

/// A connection that is up.
#[derive(Debug)]
struct Up {
    generation: u64,
    sender: Box<dyn LinkSender>,
    /// The hub has said something on it. One that does not have this agent closes it without a word.
    heard: bool,
}

/// Everything the task owns.
#[derive(Debug)]
pub(super) struct Driver {
    replica: Replica,
    clock: Arc<dyn Clock>,
    queue: StoreQueue,
    disk: DiskSpace,
    connector: Connector,
    up: Option<Up>,
    hub: String,
    reach: Reach,
    meter: Meter,
    answers: BTreeMap<u64, oneshot::Sender<Result<Outcome, RequestError>>>,
    next_request: u64,
    voting: Voting,
    /// How long a vote is waited for to be counted.
    vote_wait: Duration,
    /// Callers that wait until the replica is in step, with when they asked.
    in_step: Vec<(Duration, oneshot::Sender<()>)>,
    handles: Handles,
}

impl Driver {
    pub(super) async fn open(
        settings: AgentBuilder,
        agent: AgentId,
        swarm: SwarmId,
        handles: Handles,
    ) -> Result<Self, StartError> {
        let store = settings.store;
        let incarnation = settings.incarnation;
        let mut config = ReplicaConfig::new(swarm.clone(), agent.clone(), store.durability());
        config.limits = settings.limits;
        config.ack_timeout = settings.default_timeout;
        config.keep_free = settings.keep_free;
        let mut recovery = ReplicaRecovery::new(config, settings.resolvers, incarnation);
        for_each_row::<StartError>(&*store, &swarm, |row| {
            recovery.row(row)?;
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        let hub = settings.link.describe();
        let hello = Hello::new(swarm, agent, incarnation, Role::Member);
        Ok(Self {
            replica: recovery.open(),
            clock: settings.clock,
            disk: DiskSpace::of(Arc::clone(&store)),
            queue: StoreQueue::start(store, spans::AGENT),
            connector: Connector::start(settings.link, hello, settings.online),
            up: None,
            hub,
            reach: Reach::new(handles.refused.clone()),
            meter: Meter::default(),
            answers: BTreeMap::new(),
            next_request: 0,
            voting: Voting::new(settings.voter),
            vote_wait: settings.default_timeout,
            in_step: Vec::new(),
            handles,
        })
    }

    pub(super) async fn run(mut self) {
        self.pump().await;
        let done = loop {
            let now = self.now();
            let wait = self
                .replica
                .poll_timeout()
                .map(|due| due.saturating_sub(now.mono));
            tokio::select! {
                biased;
                completed = self.queue.completed() => self.handle_completed(completed),
                Some(event) = self.connector.events.recv() => self.handle_link(event),
                (proposal, ballot) = self.voting.next() => self.handle_voted(proposal, ballot),
                command = self.handles.commands.recv() => match command {
                    None => break None,
                    Some(AgentCommand::Shutdown { done }) => break Some(done),
                    Some(command) => self.handle_command(command),
                },
                () = until(wait) => {
                    let now = self.now();
                    self.replica.handle_timeout(now);
                }
            }
            self.pump().await;
            if self.handles.failure.get().is_some() {
                break None;
            }
        };
        self.finish().await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    /// Lets what is under way become durable and be answered, then closes the connection.
    async fn finish(mut self) {
        self.voting.shutdown().await;
        self.replica.flush_lazy_rows();
        self.pump().await;
        while !self.replica.is_settled() {
            let completed = self.queue.completed().await;
            self.handle_completed(completed);
            self.pump().await;
        }
        if let Some(mut up) = self.up.take() {
            up.sender.close().await;
        }
        self.connector.stop().await;
        self.queue.close().await;
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn handle_completed(&mut self, completed: Completions) {
        let now = self.now();
        for (token, result) in completed.into_values() {
            if let Err(reason) = &result {
                tracing::error!(reason, "the store failed; this agent stops");
                self.handles.failure.get_or_init(|| reason.clone());
            }
            self.replica.handle_persisted(now, token, result);
        }
    }

    fn handle_link(&mut self, event: LinkEvent) {
        let now = self.now();
        match event {
            LinkEvent::Up { generation, .. } if !self.connector.is_online() => {
                // The wish to be offline crossed an attempt that was under way.
                self.connector.close(generation);
            }
            LinkEvent::Up { generation, sender } => {
                self.up = Some(Up {
                    generation,
                    sender,
                    heard: false,
                });
                self.replica.handle_link_up(now);
            }
            LinkEvent::Frames { generation, frames } => {
                if self.is_up(generation) {
                    self.hear();
                    self.handle_frames(now, generation, frames);
                }
            }
            LinkEvent::Down { generation, why } => {
                if self.is_up(generation) {
                    if self.up.as_ref().is_some_and(|up| up.heard) {
                        tracing::info!(hub = self.hub, reason = why.reason, "disconnected");
                    }
                    self.link_down(now);
                }
                self.reach.lost(why);
            }
            LinkEvent::Failed { why } => self.reach.failed(why),
        }
    }

    fn is_up(&self, generation: u64) -> bool {
        let up = self.up.as_ref();
        up.is_some_and(|up| up.generation == generation)
    }

    /// The hub has said something, so that it has this agent.
    fn hear(&mut self) {
        self.reach.heard();
        if let Some(up) = self.up.as_mut().filter(|up| !up.heard) {
            up.heard = true;
            tracing::info!(hub = self.hub, "connected");
        }
    }

    fn handle_frames(&mut self, now: Now, generation: u64, frames: Vec<bytes::Bytes>) {
        for frame in frames {
            match codec::decode(&frame) {
                Ok(message) => self.replica.handle_message(now, message),
                Err(error) => {
                    tracing::warn!(%error, "the hub sent what cannot be read");
                    self.connector.close(generation);
                    return;
                }
            }
        }
    }

    fn link_down(&mut self, now: Now) {
        if let Some(up) = self.up.take() {
            self.meter.add(up.sender.traffic());
        }
        self.replica.handle_link_down(now);
    }

    fn state(&self, now: Now) -> AgentState {
        AgentState {
            replica: self.replica.status(now),
            hub: self.hub.clone(),
            online: self.connector.is_online(),
            link_error: self.reach.error().cloned(),
            traffic: self
                .meter
                .total(self.up.as_ref().map(|up| up.sender.traffic())),
        }
    }

    /// Carries out what the machine asks for, until it asks for nothing more.
    async fn pump(&mut self) {
        let mut frames = Vec::new();
        while let Some(output) = self.replica.poll_output() {
            match output {
                ReplicaOutput::Persist { token, batch } => self.queue.commit(token, batch).await,
                ReplicaOutput::Send(message) => frames.push(message),
                ReplicaOutput::Answer { request, result } => {
                    if let Some(done) = self.answers.remove(&request) {
                        let _ = done.send(result);
                    } else if let Err(error) = result {
                        say_of_vote(&error);
                    }
                }
                ReplicaOutput::Receipt(receipt) => {
                    tracing::warn!("{receipt}");
                    // Without a subscriber it waits to be listed.
                    if let Some(subscribers) = self.handles.receipts.get() {
                        let _ = subscribers.send(receipt);
                    }
                }
                ReplicaOutput::Proposal(poll) => self.voting.proposed(*poll),
                ReplicaOutput::Voted(proposal) => self.voting.voted(proposal),
                ReplicaOutput::Decided { proposal, verdict } => {
                    self.voting.decided(proposal, verdict);
                }
                ReplicaOutput::Forgotten(proposal) => self.voting.forgotten(proposal),
                ReplicaOutput::Disconnect(reason) => {
                    tracing::warn!(reason, "disconnecting from the hub");
                    if let Some(up) = &self.up {
                        self.connector.close(up.generation);
                    }
                }
            }
        }
        self.send(frames).await;
        self.wake_in_step();
    }

    async fn send(&mut self, messages: Vec<Message>) {
        let Some(up) = self.up.as_mut().filter(|_| !messages.is_empty()) else {
            return;
        };
        let frames = messages.iter().map(codec::encode).collect();
        match up.sender.send(frames).await {
            // It has ended, and whoever reads it tells why.
            Ok(()) | Err(TransportError::Closed { .. }) => {}
            Err(error) => {
                tracing::warn!(%error, "sending to the hub failed");
                self.connector.close(up.generation);
            }
        }
    }

    /// Answers whoever waits for a moment in step that came after the question.
    fn wake_in_step(&mut self) {
        let now = self.now();
        let Some(age) = self.replica.age(now) else {
            return;
        };
        let at = now.mono.saturating_sub(age);
        for (_, done) in self.in_step.extract_if(.., |(asked, _)| *asked <= at) {
            let _ = done.send(());
        }
    }
}

/// The voter's vote was not confirmed. It is the only one whose outcome nobody waits for.
fn say_of_vote(error: &RequestError) {
    let counts = match error {
        RequestError::Invalid { .. }
        | RequestError::AlreadyVoted { .. }
        | RequestError::UnknownProposal { .. } => "the voter's vote does not count",
        _ => "it is not known whether the voter's vote counts",
    };
    tracing::warn!(%error, "{counts}");
}
