//! An agent that the test drives.

use std::time::Duration;

use sync_core::{
    AgentId, Durability, Incarnation, Message, Now, Operation, Poll, ProposalId, Receipt,
    RequestError, Role, SessionId, Value, Verdict,
};
use sync_protocol::{Command, Outcome, Replica, ReplicaConfig, ReplicaOutput, ReplicaRecovery};

use super::{HubSide, at, hub_config, key, through_the_codec};
use crate::disk::Disk;

/// A replica, what it has said and what its disk has not finished.
pub(crate) struct AgentSide {
    pub(crate) replica: Replica,
    pub(crate) disk: Disk,
    pub(crate) said: Vec<Message>,
    pub(crate) answers: Vec<(u64, Result<Outcome, RequestError>)>,
    pub(crate) receipts: Vec<Receipt>,
    /// What it was asked to vote on, and what it heard that came to.
    pub(crate) polls: Vec<Poll>,
    pub(crate) decided: Vec<(ProposalId, Verdict)>,
    /// What it heard that the hub has its vote on.
    pub(crate) voted: Vec<ProposalId>,
    /// What it heard that the hub knows nothing of any more.
    pub(crate) forgotten: Vec<ProposalId>,
    pub(crate) closed: Vec<String>,
    pub(crate) session: Option<SessionId>,
    pub(crate) mono: Duration,
    /// How far its wall clock is ahead, in milliseconds.
    pub(crate) ahead_ms: u64,
    pub(super) name: String,
    config: ReplicaConfig,
    runs: u64,
    requests: u64,
}

/// No run of an agent is one of the hub's, which writes in agents' names, too.
const RUNS: u64 = 1 << 32;

impl AgentSide {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    pub(crate) fn with(name: &str, change: impl FnOnce(&mut ReplicaConfig)) -> Self {
        let agent = AgentId::new(name).expect("a name");
        let mut config = ReplicaConfig::new(hub_config().swarm, agent, Durability::Disk);
        change(&mut config);
        let mut side = Self {
            replica: Self::open(&config, &Disk::default(), 1),
            config,
            disk: Disk::default(),
            said: Vec::new(),
            answers: Vec::new(),
            receipts: Vec::new(),
            polls: Vec::new(),
            decided: Vec::new(),
            voted: Vec::new(),
            forgotten: Vec::new(),
            closed: Vec::new(),
            session: None,
            mono: Duration::ZERO,
            ahead_ms: 0,
            name: name.to_owned(),
            runs: 1,
            requests: 0,
        };
        side.settle();
        side
    }

    fn open(config: &ReplicaConfig, disk: &Disk, run: u64) -> Replica {
        let run = Incarnation::from_random(RUNS + run);
        let mut recovery = ReplicaRecovery::new(config.clone(), sync_resolve::standard(), run);
        for row in disk.rows() {
            recovery.row(&row).expect("its own rows");
        }
        recovery.open()
    }

    /// Dies and comes back with what its disk holds, as another run.
    pub(crate) fn restart(&mut self) {
        self.runs += 1;
        self.restart_as(self.runs);
    }

    /// The same as a run of that number. The first one is 1; those drawn at random do not ascend.
    pub(crate) fn restart_as(&mut self, run: u64) {
        self.disk.crash();
        self.session = None;
        self.said.clear();
        self.replica = Self::open(&self.config, &self.disk, run);
        self.settle();
    }

    pub(crate) fn now(&self) -> Now {
        let now = at(self.mono);
        Now {
            wall_ms: now.wall_ms + self.ahead_ms,
            ..now
        }
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.replica.poll_output() {
            match output {
                ReplicaOutput::Persist { token, batch } => self.disk.submit(token, batch),
                ReplicaOutput::Send(message) => self.said.push(through_the_codec(&message)),
                ReplicaOutput::Answer { request, result } => self.answers.push((request, result)),
                ReplicaOutput::Receipt(receipt) => self.receipts.push(receipt),
                ReplicaOutput::Proposal(poll) => self.polls.push(*poll),
                ReplicaOutput::Voted(proposal) => self.voted.push(proposal),
                ReplicaOutput::Decided { proposal, verdict } => {
                    self.decided.push((proposal, verdict));
                }
                ReplicaOutput::Forgotten(proposal) => self.forgotten.push(proposal),
                ReplicaOutput::Disconnect(reason) => self.closed.push(reason),
            }
        }
    }

    pub(crate) fn settle(&mut self) {
        self.drain();
        while let Some(token) = self.disk.complete() {
            self.replica.handle_persisted(self.now(), token, Ok(()));
            self.drain();
        }
    }

    pub(crate) fn hear(&mut self, message: impl Into<Message>) {
        self.replica
            .handle_message(self.now(), through_the_codec(&message.into()));
        self.drain();
    }

    pub(crate) fn command(&mut self, command: Command) -> u64 {
        self.requests += 1;
        self.replica
            .handle_command(self.now(), self.requests, command);
        self.drain();
        self.requests
    }

    /// Writes without letting the disk finish.
    pub(crate) fn begin(&mut self, name: &str, operation: Operation) -> u64 {
        self.command(Command::Write {
            key: key(name),
            operation,
            metadata: None,
            level: None,
        })
    }

    /// Writes, lets the disk finish, and expects the acknowledgement.
    pub(crate) fn write(&mut self, name: &str, operation: Operation) {
        let request = self.begin(name, operation);
        self.settle();
        self.answer(request)
            .expect("durable, so answered")
            .expect("it fits");
    }

    pub(crate) fn answer(&mut self, request: u64) -> Option<Result<Outcome, RequestError>> {
        let at = self
            .answers
            .iter()
            .position(|(answered, _)| *answered == request)?;
        Some(self.answers.remove(at).1)
    }

    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.replica.get(self.now(), &key(name))?.value
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.mono += time;
        self.replica.handle_timeout(self.now());
        self.drain();
    }

    pub(crate) fn connect(&mut self, hub: &mut HubSide, session: u64) {
        let session = hub.connect(session, &self.name.clone(), Role::Member);
        self.session = Some(session);
        self.replica.handle_link_up(self.now());
        self.drain();
    }

    /// Connects anew to a hub that has forgotten the connection there was.
    pub(crate) fn reconnect(&mut self, hub: &mut HubSide, session: u64) {
        self.session = None;
        self.replica.handle_link_down(self.now());
        self.connect(hub, session);
    }

    pub(crate) fn cut(&mut self, hub: &mut HubSide) {
        let session = self.session.take().expect("it was connected");
        hub.hub.handle_disconnected(hub.now(), session);
        hub.drain();
        self.replica.handle_link_down(self.now());
        self.said.clear();
        self.drain();
    }
}
