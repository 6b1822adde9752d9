//! Cuts and crashes.

use crate::plan::{HUB, NODES, REPLICAS};
use crate::world::{Event, HubBackup, World};

/// Time between two chances for a cut or a crash, in microseconds.
const FAULT_PAUSE_US: u64 = 40_000;

/// How much rather a hub whose disk may be put back dies while somebody reads its pages.
const IN_PAGES: u64 = 5;

/// Longest time that a quick disk takes for a batch, in microseconds.
pub(crate) const DISK_US_QUICK: u64 = 50;

/// Longest time until the other side notices a cut, or a node comes back.
pub(crate) const NOTICE_US_MAX: u64 = 400_000;

impl World {
    pub(crate) fn fault(&mut self) {
        if !self.faulty {
            return;
        }
        self.schedule(FAULT_PAUSE_US, Event::Fault);
        if !self.is_rough() {
            return;
        }
        for n in 0..REPLICAS {
            self.back_up(n);
            if self.random.chance(self.plan.cut) && self.allows("cut", n as u64, self.nth) {
                self.cut(n);
            }
            if self.random.chance(self.plan.replica_crash)
                && self.allows("crash of a replica", n as u64, self.nth)
            {
                self.crash_replica(n);
            }
        }
        self.hardships();
        self.copies();
        self.change_room();
        let crash = self.plan.hub_crash * if self.is_read_in_pages() { IN_PAGES } else { 1 };
        if self.random.chance(crash) && self.allows("crash of the hub", 0, self.nth) {
            self.crash_hub();
        }
        if self.plan.rollback && self.hub.machine.is_some() && self.random.chance(200) {
            self.hub.backup = Some(HubBackup {
                image: self.hub.disk.image(),
                log: self.hub.log.clone(),
            });
        }
    }

    /// Whether somebody has read a part of what there was: what a hub that dies now may lose.
    fn is_read_in_pages(&self) -> bool {
        let mut cursors = self.replicas.iter().filter_map(|node| node.cursor);
        self.plan.rollback && cursors.any(|cursor| cursor.head > cursor.revision)
    }

    /// What the seed has drawn for the whole run may be left out, too.
    pub(crate) fn level_plan(&mut self) {
        if self.plan.skew_ms != [0; NODES] && !self.allows("clocks that differ", 0, 0) {
            self.plan.skew_ms = [0; NODES];
        }
        if self.plan.is_far() {
            self.stats.hit("clocks days apart");
        }
        if self.plan.tick_ms > 1 && !self.allows("coarse clocks", 0, 0) {
            self.plan.tick_ms = 1;
        }
        if self.plan.disk_us_max > DISK_US_QUICK && !self.allows("slow disks", 0, 0) {
            self.plan.disk_us_max = DISK_US_QUICK;
        }
    }

    /// Ends a connection; one side notices later, so that both ends of it may overlap the next.
    pub(crate) fn cut(&mut self, n: usize) {
        let Some(session) = self.replicas[n].session else {
            return;
        };
        self.stats.hit("cut");
        let (first, later) = (self.random.chance(500), self.random.below(NOTICE_US_MAX));
        let (hub_after, replica_after) = if first { (later, 0) } else { (0, later) };
        self.schedule(hub_after, Event::HubClosed(session));
        self.schedule(replica_after, Event::ReplicaClosed(n, session));
    }

    pub(crate) fn crash_replica(&mut self, n: usize) {
        if self.replicas[n].machine.is_none() {
            return;
        }
        self.stats.hit("replica restart");
        self.wakes(n);
        // What was under way may have reached the disk, or not.
        while self.random.chance(300) && self.finish_replica_batch(n).is_some() {}
        self.tear(n);
        let node = &mut self.replicas[n];
        node.machine = None;
        let lost = node.disk.crash();
        self.stats.add("batches lost", lost);
        self.lose_disk(n);
        let (noticed, back) = (
            self.random.below(NOTICE_US_MAX),
            self.random.between(1_000, NOTICE_US_MAX),
        );
        if let Some(session) = self.replicas[n].session.take() {
            self.schedule(noticed, Event::HubClosed(session));
        }
        self.schedule(back, Event::StartReplica(n));
    }

    /// The hub knows no more than what its disk says now.
    pub(crate) fn hub_has_another_disk(&mut self) {
        self.rollbacks += 1;
        self.hub.versions.clear();
        self.hub.lives.clear();
        self.votes.hub_rolled_back();
        self.roll_ledger_back();
    }

    pub(crate) fn crash_hub(&mut self) {
        if self.hub.machine.take().is_none() {
            return;
        }
        self.stats.hit("hub restart");
        self.wakes(HUB);
        while self.random.chance(300) && self.finish_hub_batch().is_some() {}
        self.tear(HUB);
        let lost = self.hub.disk.crash();
        self.stats.add("batches lost", lost);
        self.hub.open.clear();
        self.votes.hub_crashed();
        if self.plan.rollback
            && self.random.chance(500)
            && self.allows("hub's disk put back", 0, self.now_us)
            && let Some(backup) = self.hub.backup.take()
        {
            self.stats.hit("rollback");
            self.hub.disk.restore(backup.image);
            // What of it was not durable then is cut off at the start.
            self.hub.log = backup.log;
            self.hub_has_another_disk();
        }
        for n in 0..self.replicas.len() {
            if let Some(session) = self.replicas[n].session {
                let noticed = self.random.below(NOTICE_US_MAX);
                self.schedule(noticed, Event::ReplicaClosed(n, session));
            }
        }
        let back = self.random.between(1_000, NOTICE_US_MAX);
        self.schedule(back, Event::StartHub);
    }
}
