//! A hub and agents without a driver. Nothing moves unless the test says so.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{
    AgentId, Ask, Body, Durability, Epoch, Hello, Incarnation, Key, Message, Now, Operation,
    Policies, Policy, Receipt, Reply, RequestError, Role, SessionId, Sibling, SwarmId, Value,
    codec,
};
use sync_protocol::{
    Command, Hub, HubConfig, HubOutput, HubRecovery, Outcome, Replica, ReplicaConfig,
    ReplicaOutput, ReplicaRecovery,
};

use crate::disk::Disk;

/// Where the wall clocks stand.
pub(crate) const WALL_MS: u64 = 1_700_000_000_000;

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).expect("a key")
}

pub(crate) fn put(value: impl Into<Value>) -> Operation {
    Operation::Put(value.into())
}

pub(crate) fn hub_config() -> HubConfig {
    HubConfig::new(SwarmId::new("team").expect("a name"))
}

fn at(mono: Duration) -> Now {
    Now {
        mono,
        wall_ms: WALL_MS + u64::try_from(mono.as_millis()).expect("a short test"),
    }
}

/// What every coordinator takes by default.
const FRAME_BYTES_MAX: usize = 1024 * 1024;

fn through_the_codec(message: &Message) -> Message {
    let frame = codec::encode(message).to_bytes();
    assert!(frame.len() <= FRAME_BYTES_MAX, "too large for a frame");
    codec::decode(&frame).expect("what is encoded is decoded")
}

/// The answer that a message carries whole.
pub(crate) fn read_reply(message: &Message) -> Option<Reply> {
    let Body::Reply { frames: 1, .. } = message.body else {
        return None;
    };
    codec::from_bytes("an answer", message.segments.first()?).ok()
}

/// A hub, what it has said and what its disk has not finished.
pub(crate) struct HubSide {
    pub(crate) hub: Hub,
    pub(crate) disk: Disk,
    pub(crate) said: Vec<(SessionId, Message)>,
    pub(crate) answers: Vec<(u64, Reply)>,
    pub(crate) closed: Vec<(SessionId, String)>,
    /// How often the policies were to be read anew.
    pub(crate) reloads: u32,
    /// Merges asked for and not answered.
    pub(crate) merges: Vec<(u64, Vec<Sibling>)>,
    pub(crate) mono: Duration,
    config: HubConfig,
    pub(crate) policies: Arc<Policies>,
    runs: u64,
}

impl HubSide {
    pub(crate) fn new() -> Self {
        Self::with(hub_config())
    }

    pub(crate) fn with(config: HubConfig) -> Self {
        let hub = HubRecovery::new(config.clone(), sync_resolve::standard());
        let mut side = Self {
            hub: hub.open(Epoch::from_random(1)),
            disk: Disk::default(),
            said: Vec::new(),
            answers: Vec::new(),
            closed: Vec::new(),
            merges: Vec::new(),
            reloads: 0,
            mono: Duration::ZERO,
            config,
            policies: Arc::default(),
            runs: 1,
        };
        side.settle();
        side
    }

    /// Puts a table in force, for this run and later ones.
    pub(crate) fn govern(&mut self, policies: Vec<Policy>) {
        self.policies = Arc::new(Policies::new(policies).expect("a table"));
        self.hub
            .set_policies(self.now(), Arc::clone(&self.policies));
        self.settle();
    }

    /// Dies and comes back with what its disk holds.
    pub(crate) fn restart(&mut self) {
        self.disk.crash();
        self.runs += 1;
        let rules = sync_resolve::standard().with_policies(Arc::clone(&self.policies));
        let mut recovery = HubRecovery::new(self.config.clone(), rules);
        for row in self.disk.rows() {
            recovery.row(&row).expect("its own rows");
        }
        self.hub = recovery.open(Epoch::from_random(self.runs));
        self.hub.handle_timeout(self.now());
        self.said.clear();
        self.settle();
    }

    pub(crate) fn now(&self) -> Now {
        at(self.mono)
    }

    /// Takes what the machine has to say; its batches stay undone.
    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                HubOutput::Persist { token, batch } => self.disk.submit(token, batch),
                HubOutput::Send { session, message } => {
                    self.said.push((session, through_the_codec(&message)));
                }
                HubOutput::Answer { request, answer } => self.answers.push((request, answer)),
                HubOutput::Merge {
                    ticket, siblings, ..
                } => self.merges.push((ticket, siblings)),
                HubOutput::LoadPolicies => self.reloads += 1,
                HubOutput::Disconnect { session, reason } => self.closed.push((session, reason)),
            }
        }
    }

    /// Lets the disk finish everything.
    pub(crate) fn settle(&mut self) {
        self.drain();
        while let Some(token) = self.disk.complete() {
            self.hub.handle_persisted(self.now(), token, Ok(()));
            self.drain();
        }
    }

    pub(crate) fn hear(&mut self, session: SessionId, message: impl Into<Message>) {
        self.hub
            .handle_message(self.now(), session, through_the_codec(&message.into()));
        self.drain();
    }

    pub(crate) fn connect(&mut self, session: u64, name: &str, role: Role) -> SessionId {
        let session = SessionId(session);
        let agent = AgentId::new(name).expect("a name");
        let run = Incarnation::from_random(session.0);
        let hello = Hello::new(self.config.swarm.clone(), agent, run, role);
        self.hub.handle_connected(self.now(), session, &hello);
        self.drain();
        session
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.mono += time;
        self.hub.handle_timeout(self.now());
        self.drain();
    }

    /// Asks locally and lets the disk finish; the answer, if there is one yet.
    pub(crate) fn ask(&mut self, ask: Ask) -> Option<Reply> {
        self.hub.handle_ask(self.now(), u64::MAX, ask);
        self.settle();
        self.take_answer(u64::MAX)
    }

    pub(crate) fn take_answer(&mut self, request: u64) -> Option<Reply> {
        let at = self
            .answers
            .iter()
            .position(|(answered, _)| *answered == request)?;
        Some(self.answers.remove(at).1)
    }

    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        let state = self.hub.keyspace().get(&key(name))?;
        let rules = sync_resolve::standard().with_policies(Arc::clone(&self.policies));
        rules
            .of_entry(&key(name), state.entry(), |_| true)?
            .fold(state.entry())
    }
}

/// A replica, what it has said and what its disk has not finished.
pub(crate) struct AgentSide {
    pub(crate) replica: Replica,
    pub(crate) disk: Disk,
    pub(crate) said: Vec<Message>,
    pub(crate) answers: Vec<(u64, Result<Outcome, RequestError>)>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) closed: Vec<String>,
    pub(crate) session: Option<SessionId>,
    pub(crate) mono: Duration,
    /// How far its wall clock is ahead, in milliseconds.
    pub(crate) ahead_ms: u64,
    name: String,
    runs: u64,
    requests: u64,
}

impl AgentSide {
    pub(crate) fn new(name: &str) -> Self {
        let mut side = Self {
            replica: Self::open(name, &Disk::default(), 1),
            disk: Disk::default(),
            said: Vec::new(),
            answers: Vec::new(),
            receipts: Vec::new(),
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

    fn open(name: &str, disk: &Disk, run: u64) -> Replica {
        let agent = AgentId::new(name).expect("a name");
        let config = ReplicaConfig::new(hub_config().swarm, agent, Durability::Disk);
        let run = Incarnation::from_random(run);
        let mut recovery = ReplicaRecovery::new(config, sync_resolve::standard(), run);
        for row in disk.rows() {
            recovery.row(&row).expect("its own rows");
        }
        recovery.open()
    }

    /// Dies and comes back with what its disk holds, as another run.
    pub(crate) fn restart(&mut self) {
        self.disk.crash();
        self.runs += 1;
        self.session = None;
        self.said.clear();
        self.replica = Self::open(&self.name, &self.disk, self.runs);
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

    pub(crate) fn cut(&mut self, hub: &mut HubSide) {
        let session = self.session.take().expect("it was connected");
        hub.hub.handle_disconnected(hub.now(), session);
        hub.drain();
        self.replica.handle_link_down(self.now());
        self.said.clear();
        self.drain();
    }
}

/// Lets everybody talk until nobody has anything left to say.
pub(crate) fn talk(hub: &mut HubSide, agents: &mut [&mut AgentSide]) {
    for _ in 0..1_000 {
        let mut quiet = true;
        for agent in agents.iter_mut() {
            agent.settle();
            let Some(session) = agent.session else {
                continue;
            };
            for message in std::mem::take(&mut agent.said) {
                quiet = false;
                hub.hear(session, message);
            }
        }
        hub.settle();
        for (session, message) in std::mem::take(&mut hub.said) {
            quiet = false;
            if let Some(agent) = agents.iter_mut().find(|a| a.session == Some(session)) {
                agent.hear(message);
            }
        }
        if quiet {
            return;
        }
    }
    panic!("they never stop talking");
}

/// A hub and two agents that are in step with it.
pub(crate) fn trio() -> (HubSide, AgentSide, AgentSide) {
    let mut hub = HubSide::new();
    let (mut a, mut b) = (AgentSide::new("a"), AgentSide::new("b"));
    a.connect(&mut hub, 1);
    b.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a, &mut b]);
    (hub, a, b)
}

/// The bodies said to one session.
pub(crate) fn bodies(said: &[(SessionId, Message)], session: SessionId) -> Vec<&Body> {
    said.iter()
        .filter(|(to, _)| *to == session)
        .map(|(_, m)| &m.body)
        .collect()
}

pub(crate) fn assert_equal(hub: &HubSide, agents: &[&AgentSide]) {
    for agent in agents {
        assert_eq!(
            agent.replica.digest(),
            hub.hub.digest(),
            "{} differs",
            agent.name
        );
        assert_eq!(agent.replica.pending_writes(), 0);
    }
}
