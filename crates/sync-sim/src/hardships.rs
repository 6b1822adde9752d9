//! What nodes go through beside cuts and crashes: pauses, clocks that jump or stand still, partitions,
//! disks that fail in the middle of something, and times in which nothing happens.

use std::collections::BTreeMap;

use sync_core::SessionId;

use crate::copies::Copies;
use crate::network::Direction;
use crate::plan::{HUB, NODES, REPLICAS};
use crate::random::Random;
use crate::world::{Event, World};

/// How far a clock may be ahead after a jump, in milliseconds: less than stamps may run ahead.
const AHEAD_MS_MAX: u64 = 3_000;

/// Longest time of a pause, of a clock that stands still, and of a partition, in microseconds: longer
/// than deadlines.
const PAUSE_US_MAX: u64 = 700_000;
const FREEZE_US_MAX: u64 = 1_500_000;
const PARTITION_US_MAX: u64 = 1_500_000;

/// How long nothing happens, in microseconds: enough for everything that waits.
const CALM_US: u64 = 1_500_000;

/// How often, in one seed; most are 0.
#[derive(Debug, Default)]
pub(crate) struct Hardships {
    /// Per thousand fault ticks.
    pub(crate) partition: u64,
    pub(crate) one_way: u64,
    pub(crate) pause: u64,
    pub(crate) jump: u64,
    pub(crate) freeze: u64,
    pub(crate) calm: u64,
    /// Whether the hub's clock is among those that jump and stand still: lifetimes go by it, and then
    /// nobody can say when one is over.
    pub(crate) hub_hops: bool,
    /// Per thousand batches.
    pub(crate) store_crash: u64,
    pub(crate) disk_full: u64,
    /// Whether a replica that crashes may find another disk.
    pub(crate) disk_loss: bool,
    /// Per thousand crashes with a batch under way: it is torn.
    pub(crate) torn: u64,
    /// Per thousand fault ticks: another process begins on a copy of an agent's disk.
    pub(crate) copy: u64,
}

impl Hardships {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let mut rate = |share: u64, most: u64| {
            let on = random.chance(share);
            if on { random.between(1, most) } else { 0 }
        };
        Self {
            partition: rate(200, 60),
            one_way: rate(200, 60),
            pause: rate(200, 60),
            jump: rate(200, 100),
            freeze: rate(150, 60),
            calm: rate(150, 20),
            hub_hops: rate(500, 1) > 0,
            store_crash: rate(200, 15),
            disk_full: rate(150, 10),
            disk_loss: false,
            torn: 0,
            copy: 0,
        }
    }
}

/// What is going on just now; times are in simulated microseconds.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    paused_until: [u64; NODES],
    away_until: [u64; NODES],
    /// Since when a clock stands still, and until when.
    frozen: [Option<(u64, u64)>; NODES],
    /// Until when a direction of a connection carries nothing.
    silent_until: BTreeMap<(SessionId, Direction), u64>,
    calm_until: u64,
    pub(crate) copies: Copies,
}

impl World {
    /// Whether anything may go wrong at this moment.
    pub(crate) fn is_rough(&self) -> bool {
        self.faulty && self.now_us >= self.troubles.calm_until
    }

    /// Whether the hub's clock jumps or stands still in this seed.
    pub(crate) fn hub_clock_hops(&self) -> bool {
        let Hardships {
            jump,
            freeze,
            hub_hops,
            ..
        } = self.plan.hardships;
        hub_hops && jump + freeze > 0
    }

    /// The time by which a node's clock goes.
    pub(crate) fn clock_us(&self, node: usize) -> u64 {
        let frozen = self.troubles.frozen[node];
        let frozen = frozen.filter(|(_, until)| self.now_us < *until);
        frozen.map_or(self.now_us, |(since, _)| since)
    }

    pub(crate) fn is_silent(&self, session: SessionId, direction: Direction) -> bool {
        let until = self.troubles.silent_until.get(&(session, direction));
        until.is_some_and(|until| self.now_us < *until)
    }

    /// Whether a node that is asked through its connection does not answer.
    pub(crate) fn is_mute(&self, n: usize, session: SessionId) -> bool {
        let ways = [Direction::ToHub, Direction::ToReplica];
        let paused = self.troubles.paused_until[n] > self.now_us;
        paused || ways.iter().any(|way| self.is_silent(session, *way))
    }

    /// One chance for each of them.
    pub(crate) fn hardships(&mut self) {
        for node in (0..REPLICAS).chain([HUB]) {
            let whom = node as u64;
            let hops = node != HUB || self.plan.hardships.hub_hops;
            if self.random.chance(self.plan.hardships.pause) && self.allows("pause", whom, self.nth)
            {
                self.stats.hit("pause");
                let until = self.now_us + self.random.below(PAUSE_US_MAX);
                self.troubles.paused_until[node] = until;
            }
            if self.random.chance(self.plan.hardships.jump)
                && hops
                && self.allows("clock jumps", whom, self.nth)
            {
                self.stats.hit("clock jumps");
                self.plan.skew_ms[node] = self.random.below(AHEAD_MS_MAX);
            }
            if self.random.chance(self.plan.hardships.freeze)
                && hops
                && self.allows("clock stands still", whom, self.nth)
            {
                self.stats.hit("clock stands still");
                let until = self.now_us + self.random.below(FREEZE_US_MAX);
                self.troubles.frozen[node] = Some((self.clock_us(node), until));
            }
        }
        for n in 0..REPLICAS {
            self.part(n);
        }
        if self.random.chance(self.plan.hardships.calm) && self.allows("calm", 0, self.nth) {
            self.stats.hit("calm");
            self.troubles.calm_until = self.now_us + CALM_US;
        }
    }

    /// An agent and its hub cannot reach each other, or one of them not the other.
    fn part(&mut self, n: usize) {
        let whom = n as u64;
        let until = self.now_us + self.random.below(PARTITION_US_MAX);
        if self.random.chance(self.plan.hardships.partition)
            && self.allows("partition", whom, self.nth)
        {
            self.stats.hit("partition");
            self.troubles.away_until[n] = until;
            self.cut(n);
        }
        if self.random.chance(self.plan.hardships.one_way)
            && let Some(session) = self.replicas[n].session
            && self.allows("one-way partition", whom, self.nth)
        {
            self.stats.hit("one-way partition");
            let direction = *self.random.pick(&[Direction::ToHub, Direction::ToReplica]);
            let silent = &mut self.troubles.silent_until;
            silent.retain(|_, until| *until > self.now_us);
            silent.insert((session, direction), until);
        }
    }

    /// Until when something has to wait, because whom it concerns does not run or is not there.
    pub(crate) fn held_until(&self, event: &Event) -> Option<u64> {
        let troubles = &self.troubles;
        let paused = |node: usize| troubles.paused_until[node];
        let until = match event {
            Event::ToHub(..)
            | Event::HubDisk(_)
            | Event::HubTimer(_)
            | Event::Called(_)
            | Event::Loaded(_)
            | Event::Read(_)
            | Event::HubClosed(_) => paused(HUB),
            Event::ToReplica(session, _) => self.replica_of(*session).map_or(0, paused),
            Event::ReplicaDisk(n, _)
            | Event::ReplicaTimer(n, _)
            | Event::ReplicaClosed(n, _)
            | Event::Vote(n, _) => paused(*n),
            Event::Connect(n) => paused(HUB).max(paused(*n)).max(troubles.away_until[*n]),
            // Whoever calls a node that is paused waits with it, and until it has seen to what became due
            // meanwhile: it looks at its clock before it answers.
            Event::Work => {
                let paused = troubles.paused_until.iter().max().copied();
                let awake = paused.map(|until| until + 1);
                awake.unwrap_or_default().max(troubles.calm_until)
            }
            Event::StartHub
            | Event::StartReplica(_)
            | Event::CrashHub(_)
            | Event::CrashReplica(..)
            | Event::Fault => 0,
        };
        (until > self.now_us).then_some(until)
    }

    /// Lets an event happen later, after those that have waited longer.
    pub(crate) fn hold(&mut self, until: u64, event: Event) {
        let now_us = Some(self.now_us);
        match &event {
            Event::HubTimer(run) if *run == self.hub.run && self.hub.timer_us == now_us => {
                self.hub.timer_us = Some(until);
            }
            Event::ReplicaTimer(n, run) => {
                let node = &mut self.replicas[*n];
                if node.run == *run && node.timer_us == now_us {
                    node.timer_us = Some(until);
                }
            }
            _ => {}
        }
        self.schedule_at(until, event);
    }

    /// A process that is gone is not paused any more.
    pub(crate) fn wakes(&mut self, node: usize) {
        self.troubles.paused_until[node] = 0;
    }

    /// Whether a node dies while its disk has this batch under way, the first after a start included.
    pub(crate) fn dies_at_store(&mut self, node: usize) -> bool {
        self.is_rough()
            && self.random.chance(self.plan.hardships.store_crash)
            && self.allows("crash at a store operation", node as u64, self.now_us)
    }

    /// Whether the disk refuses the batch that is due.
    pub(crate) fn disk_is_full(&mut self, node: usize) -> bool {
        self.is_rough()
            && self.random.chance(self.plan.hardships.disk_full)
            && self.allows("disk full", node as u64, self.now_us)
    }

    /// The hub's store has failed: it tells everyone and ends.
    pub(crate) fn fail_hub(&mut self) {
        let (now, token) = (self.hub_now(), self.hub.disk.next());
        let (Some(hub), Some(token)) = (&mut self.hub.machine, token) else {
            return;
        };
        self.stats.hit("disk full");
        hub.handle_persisted(now, token, Err("no space is left".to_owned()));
        self.fails = true;
        self.drain_hub();
        self.fails = false;
        self.crash_hub();
    }

    /// A replica's store has failed.
    pub(crate) fn fail_replica(&mut self, n: usize) {
        let (now, token) = (self.clock(n), self.replicas[n].disk.next());
        let (Some(replica), Some(token)) = (&mut self.replicas[n].machine, token) else {
            return;
        };
        self.stats.hit("disk full");
        replica.handle_persisted(now, token, Err("no space is left".to_owned()));
        self.fails = true;
        self.drain_replica(n);
        self.fails = false;
        self.crash_replica(n);
    }

    pub(crate) fn crash_hub_in(&mut self, run: u64) {
        if self.faulty && self.hub.run == run {
            self.stats.hit("crash at a store operation");
            self.crash_hub();
        }
    }

    pub(crate) fn crash_replica_in(&mut self, n: usize, run: u64) {
        if self.faulty && self.replicas[n].run == run {
            self.stats.hit("crash at a store operation");
            self.crash_replica(n);
        }
    }
}
