//! One hub, three replicas, their disks, and the one queue of everything that will happen.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sync_core::{
    AgentId, Cursor, Entry, Key, Now, Pieces, Policies, ProposalId, Resolvers, Revision, SessionId,
    SyncReport, Version, WriteId,
};
use sync_protocol::{Hub, Replica};

use crate::decisions::Decisions;
use crate::disk::{Disk, Image};
use crate::failure::Failure;
use crate::ghost::Ghost;
use crate::hardships::Troubles;
use crate::ledger::Ledger;
use crate::lives::Life;
use crate::merges::Call;
use crate::network::Network;
use crate::past::Read;
use crate::plan::{HUB, Plan, REPLICAS};
use crate::random::Random;
use crate::returned::Planted;
use crate::rounds::Rounds;
use crate::schedule::{Schedule, Streams};
use crate::stamps::Stamps;
use crate::stats::Stats;
use crate::trace::Trace;
use crate::votes::Votes;
use crate::watchers::{Committed, Watcher};
use crate::workload::{Asked, Reader};

/// When the simulated time starts, in milliseconds since 1970.
const WALL_MS_BASE: u64 = 1_700_000_000_000;

/// Something that happens at its time.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    ToHub(SessionId, Bytes),
    ToReplica(SessionId, Bytes),
    /// A batch of that run is durable.
    HubDisk(u64),
    ReplicaDisk(usize, u64),
    HubTimer(u64),
    /// A function that the hub has called is done.
    Called(Call),
    /// That run of the hub has its policies read anew.
    Loaded(u64),
    /// Rows of the past that the hub wants are read.
    Read(Read),
    ReplicaTimer(usize, u64),
    /// The hub learns that a connection is gone.
    HubClosed(SessionId),
    /// An agent learns that a connection is gone.
    ReplicaClosed(usize, SessionId),
    Connect(usize),
    /// An agent makes up its mind.
    Vote(usize, ProposalId),
    /// That run of a node dies in the middle of a batch.
    CrashHub(u64),
    CrashReplica(usize, u64),
    StartHub,
    StartReplica(usize),
    Work,
    Fault,
}

/// What the hub's disk held once, and what was noted of it: since then it may have been recovered, and be one
/// whose numbers stand for something else.
#[derive(Debug)]
pub(crate) struct HubBackup {
    pub(crate) image: Image,
    pub(crate) log: Vec<Committed>,
}

#[derive(Debug)]
pub(crate) struct HubNode {
    pub(crate) machine: Option<Hub>,
    pub(crate) disk: Disk,
    /// Counts starts: events of an earlier one are void.
    pub(crate) run: u64,
    /// When it was started last, or rather when it was first told the time.
    pub(crate) started_us: u64,
    pub(crate) is_timed: bool,
    pub(crate) timer_us: Option<u64>,
    pub(crate) open: BTreeSet<SessionId>,
    /// The connection of a peer without a replica.
    pub(crate) client: SessionId,
    pub(crate) client_pieces: Pieces,
    pub(crate) backup: Option<HubBackup>,
    /// Numbers that were durable: nothing durable goes back.
    pub(crate) versions: BTreeMap<Key, Version>,
    /// What was committed, up to `log_head`.
    pub(crate) log: Vec<Committed>,
    pub(crate) log_head: Revision,
    /// None of a key of which nothing is known: a crash has undone how it was last seen.
    pub(crate) lives: BTreeMap<Key, Option<Life>>,
    /// Keys that this step may have ended, and whether it has for sure.
    pub(crate) expired: BTreeMap<Key, bool>,
    /// Writes whose end is not durable yet.
    pub(crate) ending: Vec<WriteId>,
    /// Whether it starts with what could be relied on of a damaged disk.
    pub(crate) is_recovered: bool,
}

impl HubNode {
    fn new() -> Self {
        Self {
            machine: None,
            disk: Disk::default(),
            run: 0,
            started_us: 0,
            is_timed: false,
            timer_us: None,
            open: BTreeSet::new(),
            client: SessionId(0),
            client_pieces: Pieces::default(),
            backup: None,
            versions: BTreeMap::new(),
            log: Vec::new(),
            log_head: Revision::default(),
            lives: BTreeMap::new(),
            expired: BTreeMap::new(),
            ending: Vec::new(),
            is_recovered: false,
        }
    }
}

#[derive(Debug)]
pub(crate) struct ReplicaNode {
    pub(crate) agent: AgentId,
    pub(crate) machine: Option<Replica>,
    pub(crate) disk: Disk,
    pub(crate) run: u64,
    pub(crate) timer_us: Option<u64>,
    pub(crate) session: Option<SessionId>,
    pub(crate) versions: BTreeMap<Key, Version>,
    /// Its disk as it was once, and a copy that another process has used since.
    pub(crate) backup: Option<Image>,
    pub(crate) copy: Option<Image>,
    /// Whether another process has run on a copy of its disk.
    pub(crate) was_copied: bool,
    /// How often it has found another disk.
    pub(crate) losses: u64,
    /// Whether it starts with what could be relied on of a damaged one.
    pub(crate) is_recovered: bool,
    /// Whether the hub has refused the cursor of this connection.
    pub(crate) mismatch: bool,
    /// Its position in the hub's log as of the last step.
    pub(crate) cursor: Option<Cursor>,
}

impl ReplicaNode {
    pub(crate) fn new(agent: AgentId) -> Self {
        Self {
            agent,
            was_copied: false,
            machine: None,
            disk: Disk::default(),
            run: 0,
            timer_us: None,
            session: None,
            versions: BTreeMap::new(),
            mismatch: false,
            cursor: None,
            backup: None,
            copy: None,
            losses: 0,
            is_recovered: false,
        }
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) random: Random,
    pub(crate) now_us: u64,
    queue: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    pub(crate) hub: HubNode,
    pub(crate) replicas: Vec<ReplicaNode>,
    pub(crate) network: Network,
    pub(crate) next_session: u64,
    pub(crate) ghost: Ghost,
    pub(crate) asked: BTreeMap<u64, Asked>,
    pub(crate) next_request: u64,
    pub(crate) next_value: i64,
    pub(crate) reader: Reader,
    pub(crate) watchers: Vec<Watcher>,
    /// Which of the plan's tables holds.
    pub(crate) table: usize,
    pub(crate) votes: Votes,
    pub(crate) decisions: Decisions,
    pub(crate) ledger: Ledger,
    pub(crate) planted: Option<Planted>,
    pub(crate) rounds: Rounds,
    pub(crate) stamps: Stamps,
    /// Calls of functions under way.
    pub(crate) calls: Vec<Call>,
    pub(crate) last_report: Option<SyncReport>,
    pub(crate) stats: Stats,
    /// Whether faults and work go on.
    pub(crate) faulty: bool,
    pub(crate) troubles: Troubles,
    /// Whether a store has failed in this step, and its node says so to everyone.
    pub(crate) fails: bool,
    pub(crate) events: u64,
    pub(crate) rollbacks: u64,
    pub(crate) trace: Trace,
    /// What was found to be wrong first.
    pub(crate) violation: Option<Failure>,
    /// Which of what the seed does takes place.
    pub(crate) schedule_of_acts: Schedule,
    pub(crate) streams: Streams,
    /// The number of this event among those of its kind and place.
    pub(crate) nth: u64,
    /// One more oracle: whether all is well.
    pub(crate) oracle: Option<fn(&Self) -> bool>,
}

impl World {
    pub(crate) fn new(seed: u64, print: bool) -> Self {
        Self::with(seed, print, Schedule::default())
    }

    /// Of what the seed does only some takes place.
    pub(crate) fn with(seed: u64, print: bool, schedule: Schedule) -> Self {
        let mut random = Random::new(seed);
        let mut plan = Plan::draw(&mut random);
        let watchers = plan.watchers(&mut random);
        plan.draw_losses(&mut random);
        plan.draw_drift(&mut random);
        plan.draw_torn(&mut random);
        // By numbers of its own: what a seed does otherwise is the same with and without.
        let mut apart = Random::new(!seed);
        plan.draw_levels(&mut apart);
        plan.draw_narrow(&mut apart);
        plan.draw_copies(&mut random);
        let name = |n| AgentId::new(format!("agent-{n}")).expect("a valid name");
        let replicas = (0..REPLICAS).map(|n| ReplicaNode::new(name(n)));
        let mut world = Self {
            replicas: replicas.collect(),
            plan,
            random,
            now_us: 0,
            queue: BTreeMap::new(),
            scheduled: 0,
            hub: HubNode::new(),
            network: Network::default(),
            next_session: 0,
            ghost: Ghost::default(),
            asked: BTreeMap::new(),
            next_request: 0,
            next_value: 0,
            reader: Reader::default(),
            watchers,
            table: 0,
            votes: Votes::default(),
            decisions: Decisions::default(),
            ledger: Ledger::default(),
            planted: None,
            rounds: Rounds::default(),
            stamps: Stamps::default(),
            calls: Vec::new(),
            last_report: None,
            stats: Stats::default(),
            faulty: true,
            troubles: Troubles::default(),
            fails: false,
            events: 0,
            rollbacks: 0,
            trace: Trace::new(print),
            violation: None,
            schedule_of_acts: schedule,
            streams: Streams::new(seed),
            nth: 0,
            oracle: None,
        };
        world.level_plan();
        world.schedule(0, Event::StartHub);
        for n in 0..REPLICAS {
            world.schedule(0, Event::StartReplica(n));
        }
        world.schedule(1, Event::Work);
        world.schedule(1, Event::Fault);
        world
    }

    /// Records the first thing that is wrong.
    #[track_caller]
    pub(crate) fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            let (at, back) = (self.now_us, self.rollbacks);
            self.violation = Some(Failure::new((at, back), Location::caller(), what()));
        }
    }

    pub(crate) fn schedule(&mut self, after_us: u64, event: Event) {
        self.schedule_at(self.now_us + after_us, event);
    }

    pub(crate) fn schedule_at(&mut self, at_us: u64, event: Event) {
        self.scheduled += 1;
        self.queue.insert((at_us, self.scheduled), event);
    }

    /// Lets the next thing happen.
    pub(crate) fn step(&mut self) {
        let ((at, _), event) = self.queue.pop_first().expect("timers never end");
        self.now_us = at;
        if self.is_of_ended_copy(&event) {
            return;
        }
        if let Some(until) = self.held_until(&event) {
            return self.hold(until, event);
        }
        self.events += 1;
        self.record(&event);
        match event {
            Event::ToHub(session, frame) => self.deliver_to_hub(session, &frame),
            Event::ToReplica(session, frame) => self.deliver_to_replica(session, &frame),
            Event::HubDisk(run) => self.complete_hub(run),
            Event::ReplicaDisk(n, run) => self.complete_replica(n, run),
            Event::HubTimer(run) => self.time_hub(run),
            Event::Called(call) => self.called(&call),
            Event::Loaded(run) => self.loaded(run),
            Event::Read(read) => self.rows_read(&read),
            Event::ReplicaTimer(n, run) => self.time_replica(n, run),
            Event::HubClosed(session) => self.close_at_hub(session),
            Event::ReplicaClosed(n, session) => self.close_at_replica(n, session),
            Event::Connect(n) => self.connect(n),
            Event::Vote(n, proposal) => self.vote(n, proposal),
            Event::CrashHub(run) => self.crash_hub_in(run),
            Event::CrashReplica(n, run) => self.crash_replica_in(n, run),
            Event::StartHub => self.start_hub(),
            Event::StartReplica(n) => self.start_replica(n),
            Event::Work => self.work(),
            Event::Fault => self.fault(),
        }
        self.check_step();
        let is_well = self.oracle.is_none_or(|oracle| oracle(self));
        self.require(is_well, || "the oracle of this run says so".to_owned());
    }

    /// The table that holds, as a hub that starts now would read it.
    pub(crate) fn table(&self) -> &Arc<Policies> {
        &self.plan.tables[self.table]
    }

    pub(crate) fn rules_of_table(&self) -> Resolvers {
        sync_resolve::standard().with_policies(self.table().clone())
    }

    /// The rules as the hub knows them.
    pub(crate) fn rules(&self) -> Resolvers {
        let hub = self.hub.machine.as_ref();
        let table = hub.map_or_else(Arc::default, |hub| hub.policies().clone());
        sync_resolve::standard().with_policies(table)
    }

    /// What the hub holds of a key.
    pub(crate) fn at_hub(&self, key: &Key) -> Entry {
        let state = self.hub.machine.as_ref();
        let state = state.and_then(|hub| hub.keyspace().get(key));
        state.map(|state| state.entry().clone()).unwrap_or_default()
    }

    /// What the hub's clock says; that of replica `n`.
    pub(crate) fn hub_now(&self) -> Now {
        self.clock(HUB)
    }

    pub(crate) fn clock(&self, node: usize) -> Now {
        let ms = self.clock_us(node) / 1_000;
        let coarse = ms - ms % self.plan.tick_ms;
        Now {
            mono: Duration::from_micros(self.now_us),
            wall_ms: WALL_MS_BASE + coarse + self.plan.skew_ms[node],
        }
    }

    pub(crate) fn replica_of(&self, session: SessionId) -> Option<usize> {
        self.replicas
            .iter()
            .position(|r| r.session == Some(session))
    }

    pub(crate) fn new_session(&mut self) -> SessionId {
        self.next_session += 1;
        SessionId(self.next_session)
    }
}
