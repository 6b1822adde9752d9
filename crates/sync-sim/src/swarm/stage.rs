//! A hub and agents for programs of users: who runs, what is under way, what time it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sync_core::{
    AgentId, Durability, Epoch, Hello, Incarnation, Message, Now, Policies, Receipt, RequestError,
    Role, SessionId, codec,
};
use sync_protocol::{
    Hub, HubConfig, HubOutput, HubRecovery, Outcome, Replica, ReplicaConfig, ReplicaOutput,
    ReplicaRecovery,
};

use super::faults::{Crash, Partition};
use crate::disk::Disk;
use crate::plan::swarm;
use crate::random::Random;

/// When the simulated time starts, in milliseconds since 1970.
const WALL_MS_BASE: u64 = 1_700_000_000_000;

/// Shortest and longest way of a message, and longest time of a batch, in microseconds.
const LATENCY_US: (u64, u64) = (200, 20_000);
const DISK_US_MAX: u64 = 2_000;

/// How long an agent waits before it connects again, in microseconds.
const RETRY_US: u64 = 50_000;

#[derive(Debug)]
enum Event {
    ToHub(SessionId, Bytes),
    ToAgent(usize, SessionId, Bytes),
    HubDisk,
    AgentDisk(usize),
    HubTimer,
    AgentTimer(usize),
    Connect(usize),
    Cut(usize),
    Crash(usize),
    Wake,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: AgentId,
    pub(super) replica: Replica,
    pub(super) receipts: Vec<Receipt>,
    disk: Disk,
    session: Option<SessionId>,
}

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) now_us: u64,
    pub(super) random: Random,
    pub(super) nodes: Vec<Node>,
    /// What callers were answered and have not fetched yet: one each at most.
    pub(super) answers: BTreeMap<(usize, u64), Result<Outcome, RequestError>>,
    hub: Hub,
    hub_disk: Disk,
    policies: Arc<Policies>,
    queue: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    last_request: u64,
    last_session: u64,
    /// When the last message of each connection and direction arrives: none overtakes another.
    last_us: BTreeMap<(SessionId, bool), u64>,
    partitions: Vec<Partition>,
    /// Whose processes have ended in this step: their programs begin anew.
    pub(super) crashed: Vec<usize>,
}

impl Stage {
    pub(super) fn new(
        seed: u64,
        agents: usize,
        policies: Arc<Policies>,
        (partitions, crashes): (Vec<Partition>, Vec<Crash>),
    ) -> Self {
        let mut random = Random::new(seed);
        let rules = sync_resolve::standard().with_policies(policies.clone());
        let recovery = HubRecovery::new(HubConfig::new(swarm()), rules);
        let hub = recovery.open(Epoch::from_random(random.next()));
        let nodes = (0..agents).map(|n| node(n, &mut random)).collect();
        let mut stage = Self {
            now_us: 0,
            random,
            nodes,
            answers: BTreeMap::new(),
            hub,
            hub_disk: Disk::default(),
            policies,
            queue: BTreeMap::new(),
            scheduled: 0,
            last_request: 0,
            last_session: 0,
            last_us: BTreeMap::new(),
            partitions,
            crashed: Vec::new(),
        };
        for n in 0..agents {
            let after = stage.random.below(LATENCY_US.1);
            stage.schedule(after, Event::Connect(n));
        }
        for partition in stage.partitions.clone() {
            for n in partition.agents {
                stage.schedule(partition.from_us, Event::Cut(n));
            }
        }
        for crash in crashes {
            for n in crash.agents {
                stage.schedule(crash.at_us, Event::Crash(n));
            }
        }
        stage.drain_hub();
        (0..agents).for_each(|n| stage.drain(n));
        stage
    }

    pub(super) fn now(&self) -> Now {
        Now {
            mono: Duration::from_micros(self.now_us),
            wall_ms: WALL_MS_BASE + self.now_us / 1_000,
        }
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(super) fn new_request(&mut self) -> u64 {
        self.last_request += 1;
        self.last_request
    }

    /// Has a program looked after again by then.
    pub(super) fn wake_after(&mut self, after: Duration) -> u64 {
        let after = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        let at = self.now_us.saturating_add(after);
        self.scheduled += 1;
        self.queue.insert((at, self.scheduled), Event::Wake);
        at
    }

    /// Lets the next thing happen; whether there was one.
    pub(super) fn step(&mut self) -> bool {
        let Some(((at, _), event)) = self.queue.pop_first() else {
            return false;
        };
        self.now_us = at;
        let now = self.now();
        match event {
            Event::ToHub(session, frame) => {
                let message = codec::decode(&frame).expect("what was encoded decodes");
                self.hub.handle_message(now, session, message);
                self.drain_hub();
            }
            Event::ToAgent(n, session, frame) if self.nodes[n].session == Some(session) => {
                let message = codec::decode(&frame).expect("what was encoded decodes");
                self.nodes[n].replica.handle_message(now, message);
                self.drain(n);
            }
            Event::HubDisk => {
                if let Some(token) = self.hub_disk.complete() {
                    self.hub.handle_persisted(now, token, Ok(()));
                }
                self.drain_hub();
            }
            Event::AgentDisk(n) => {
                let node = &mut self.nodes[n];
                if let Some(token) = node.disk.complete() {
                    node.replica.handle_persisted(now, token, Ok(()));
                }
                self.drain(n);
            }
            Event::HubTimer => {
                if self.hub.poll_timeout().is_some_and(|due| due <= now.mono) {
                    self.hub.handle_timeout(now);
                    self.drain_hub();
                }
            }
            Event::AgentTimer(n) => {
                let replica = &mut self.nodes[n].replica;
                if replica.poll_timeout().is_some_and(|due| due <= now.mono) {
                    replica.handle_timeout(now);
                    self.drain(n);
                }
            }
            Event::Connect(n) => self.connect(n),
            Event::Cut(n) => self.cut(n),
            Event::Crash(n) => self.crash(n),
            Event::ToAgent(..) | Event::Wake => {}
        }
        true
    }

    /// Until when an agent is cut off from the hub.
    fn cut_off_until(&self, n: usize) -> Option<u64> {
        let now_us = self.now_us;
        let partitions = self.partitions.iter();
        let present = partitions.filter(|p| p.from_us <= now_us && now_us < p.until_us);
        let of_agent = present.filter(|p| p.agents.contains(&n));
        of_agent.map(|p| p.until_us).max()
    }

    fn connect(&mut self, n: usize) {
        if self.nodes[n].session.is_some() {
            return;
        }
        if let Some(until) = self.cut_off_until(n) {
            let after = self.random.below(RETRY_US);
            return self.schedule(until - self.now_us + after, Event::Connect(n));
        }
        self.last_session += 1;
        let (session, now) = (SessionId(self.last_session), self.now());
        let node = &mut self.nodes[n];
        node.session = Some(session);
        let run: Incarnation = node.replica.writer().incarnation();
        let hello = Hello::new(swarm(), node.name.clone(), run, Role::Member);
        node.replica.handle_link_up(now);
        self.hub.handle_connected(now, session, &hello);
        self.drain_hub();
        self.drain(n);
    }

    fn cut(&mut self, n: usize) {
        let now = self.now();
        let Some(session) = self.nodes[n].session.take() else {
            return;
        };
        self.hub.handle_disconnected(now, session);
        self.nodes[n].replica.handle_link_down(now);
        self.drain_hub();
        self.drain(n);
        let after = self.random.below(RETRY_US);
        self.schedule(after, Event::Connect(n));
    }

    /// A process ends and starts with what is durable. Receipts that its program has not taken it is told again.
    fn crash(&mut self, n: usize) {
        self.cut(n);
        self.answers.retain(|(of, _), _| *of != n);
        let run = Incarnation::from_random(self.random.next());
        let node = &mut self.nodes[n];
        node.disk.crash();
        node.receipts.clear();
        node.replica = replica(&node.name, &node.disk, run);
        self.crashed.push(n);
        self.drain(n);
    }

    fn schedule(&mut self, after_us: u64, event: Event) {
        self.scheduled += 1;
        let at = self.now_us + after_us;
        self.queue.insert((at, self.scheduled), event);
    }

    fn transmit(&mut self, session: SessionId, message: &Message, to: Option<usize>) {
        let frame = codec::encode(message).to_bytes();
        let at = self.now_us + self.random.between(LATENCY_US.0, LATENCY_US.1);
        let last = self.last_us.entry((session, to.is_some())).or_default();
        *last = at.max(*last);
        let after = *last - self.now_us;
        let event = match to {
            Some(n) => Event::ToAgent(n, session, frame),
            None => Event::ToHub(session, frame),
        };
        self.schedule(after, event);
    }

    fn drain_hub(&mut self) {
        let now = self.now();
        while let Some(output) = self.hub.poll_output() {
            match output {
                HubOutput::Persist { token, batch } => {
                    self.hub_disk.submit(token, batch);
                    let after = self.random.below(DISK_US_MAX);
                    self.schedule(after, Event::HubDisk);
                }
                HubOutput::Send { session, message } => {
                    let to = self.nodes.iter().position(|n| n.session == Some(session));
                    if to.is_some() {
                        self.transmit(session, &message, to);
                    }
                }
                HubOutput::Merge { ticket, .. } => {
                    let none = "there are no functions in this simulation".to_owned();
                    self.hub.handle_merged(now, ticket, Err(none));
                }
                HubOutput::LoadPolicies => {
                    self.hub.handle_policies(now, Ok(self.policies.clone()));
                }
                HubOutput::Load { ticket, ranges } => {
                    let rows = self.hub_disk.read(&ranges);
                    self.hub.handle_loaded(now, ticket, Ok(rows));
                }
                HubOutput::Disconnect { session, .. } | HubOutput::Refuse { session, .. } => {
                    let n = self.nodes.iter().position(|n| n.session == Some(session));
                    if let Some(n) = n {
                        self.schedule(0, Event::Cut(n));
                    }
                }
                HubOutput::Answer { .. }
                | HubOutput::Ran(_)
                | HubOutput::RoundBegan { .. }
                | HubOutput::RoundEnded(_)
                | HubOutput::Unregistered(_) => {}
            }
        }
        if let Some(due) = self.hub.poll_timeout() {
            self.schedule(until(due, self.now_us), Event::HubTimer);
        }
    }

    /// Carries out what a replica asks for.
    pub(super) fn drain(&mut self, n: usize) {
        while let Some(output) = self.nodes[n].replica.poll_output() {
            match output {
                ReplicaOutput::Persist { token, batch } => {
                    self.nodes[n].disk.submit(token, batch);
                    let after = self.random.below(DISK_US_MAX);
                    self.schedule(after, Event::AgentDisk(n));
                }
                ReplicaOutput::Send(message) => {
                    if let Some(session) = self.nodes[n].session {
                        self.transmit(session, &message, None);
                    }
                }
                ReplicaOutput::Answer { request, result } => {
                    self.answers.insert((n, request), result);
                }
                ReplicaOutput::Receipt(receipt) => self.nodes[n].receipts.push(receipt),
                ReplicaOutput::Disconnect(_) => self.schedule(0, Event::Cut(n)),
                ReplicaOutput::Proposal(_)
                | ReplicaOutput::Voted(_)
                | ReplicaOutput::Decided { .. }
                | ReplicaOutput::Forgotten(_) => {}
            }
        }
        if let Some(due) = self.nodes[n].replica.poll_timeout() {
            self.schedule(until(due, self.now_us), Event::AgentTimer(n));
        }
    }

    /// Whether all agents hold what the hub holds, and nothing is under way.
    pub(super) fn agrees(&self) -> bool {
        let here = Some((self.hub.epoch(), self.hub.revision()));
        let in_step = |node: &Node| {
            let replica = &node.replica;
            let at = replica
                .cursor()
                .map(|cursor| (cursor.epoch, cursor.revision));
            let is_quiet = replica.is_settled() && replica.pending_writes() == 0;
            is_quiet && at == here && replica.digest() == self.hub.digest()
        };
        self.hub.is_settled() && self.nodes.iter().all(in_step)
    }
}

/// How long it is until then, in microseconds; never nothing, so that time goes on.
fn until(due: Duration, now_us: u64) -> u64 {
    let due = u64::try_from(due.as_micros()).unwrap_or(u64::MAX);
    due.saturating_sub(now_us).max(1)
}

fn node(n: usize, random: &mut Random) -> Node {
    let name = AgentId::new(format!("agent-{n}")).expect("a short name of letters");
    let run = Incarnation::from_random(random.next());
    let disk = Disk::default();
    Node {
        replica: replica(&name, &disk, run),
        name,
        receipts: Vec::new(),
        disk,
        session: None,
    }
}

/// What a process of an agent starts as.
fn replica(name: &AgentId, disk: &Disk, run: Incarnation) -> Replica {
    let config = ReplicaConfig::new(swarm(), name.clone(), Durability::Disk);
    let mut recovery = ReplicaRecovery::new(config, sync_resolve::standard(), run);
    for row in disk.rows() {
        recovery.row(&row).expect("rows read back");
    }
    recovery.open()
}
