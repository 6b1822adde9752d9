//! Two processes under one name: somebody has copied an agent's disk, and both run. The hub lets in one at a
//! time, and each writes under ids of its own.

use std::collections::BTreeSet;

use sync_core::{AgentId, Hello, Incarnation, Role, WriteId};

use crate::plan::{COPY, REPLICAS, swarm};
use crate::world::{Event, ReplicaNode, World};

/// Per thousand fault ticks while a copy runs: it ends for good, or whoever has the name loses its connection.
const END_SHARE: u64 = 40;
const TURN_SHARE: u64 = 150;

/// The copies that there were.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// The runs of the one that there is.
    pub(crate) runs: BTreeSet<Incarnation>,
    begun: u64,
}

impl ReplicaNode {
    /// Whose disk it is, if that was copied.
    pub(crate) fn copied(&self) -> Option<&AgentId> {
        self.was_copied.then_some(&self.agent)
    }
}

impl World {
    /// One chance for a copy to begin or to end, or for the other process to have its turn.
    pub(crate) fn copies(&mut self) {
        if self.plan.hardships.copy == 0 {
            return;
        }
        if self.replicas.len() == REPLICAS {
            let n = self.random.index(REPLICAS);
            if self.random.chance(self.plan.hardships.copy)
                && self.allows("copy begins", n as u64, self.nth)
            {
                self.begin_copy(n);
            }
            return;
        }
        if self.random.chance(END_SHARE) && self.allows("copy ends", 0, self.nth) {
            self.end_copy();
        } else if self.random.chance(TURN_SHARE) && self.allows("turn of the other", 0, self.nth) {
            let agent = self.replicas[COPY].agent.clone();
            for n in 0..=COPY {
                if self.replicas[n].agent == agent {
                    self.cut(n);
                }
            }
        }
    }

    fn begin_copy(&mut self, n: usize) {
        self.stats.hit("copy beside its original");
        self.troubles.copies.begun += 1;
        let original = &mut self.replicas[n];
        // What the other one writes it does not hold.
        original.losses += 1;
        original.was_copied = true;
        let mut copy = ReplicaNode::new(original.agent.clone());
        copy.disk.restore(original.disk.image());
        copy.losses = 1;
        // No run of an earlier copy has such a number: events of that one are void.
        copy.run = self.troubles.copies.begun << 32;
        self.replicas.push(copy);
        self.lose_receipts(COPY);
        self.schedule(0, Event::StartReplica(COPY));
    }

    /// The copy is gone, and its disk with it: what only that one had is no longer owed.
    pub(crate) fn end_copy(&mut self) {
        if self.replicas.len() == REPLICAS {
            return;
        }
        self.stats.hit("copy ended");
        let runs = std::mem::take(&mut self.troubles.copies.runs);
        let gone = self.only_at(COPY).into_iter();
        let gone: BTreeSet<WriteId> = gone
            .filter(|id| runs.contains(&id.writer.incarnation()))
            .collect();
        self.replicas[COPY].disk.restore(crate::disk::Image::new());
        self.forgive(COPY, gone);
        if let Some(copy) = self.replicas.pop()
            && let Some(session) = copy.session
        {
            self.schedule(0, Event::HubClosed(session));
        }
    }

    /// Whether an event is about a copy that is gone.
    pub(crate) fn is_of_ended_copy(&self, event: &Event) -> bool {
        let (Event::ReplicaDisk(n, _)
        | Event::ReplicaTimer(n, _)
        | Event::ReplicaClosed(n, _)
        | Event::Connect(n)
        | Event::Vote(n, _)
        | Event::CrashReplica(n, _)
        | Event::StartReplica(n)) = event
        else {
            return false;
        };
        *n >= self.replicas.len()
    }

    /// Whether the hub lets in a process under its name. Whoever has it is asked first: if it answers it
    /// keeps it, and if not its connection is closed.
    fn takes_name(&mut self, n: usize) -> bool {
        let agent = &self.replicas[n].agent;
        let others = self.replicas.iter().enumerate();
        let mut others = others.filter(|(other, node)| *other != n && node.agent == *agent);
        let Some((other, holder)) = others.next() else {
            return true;
        };
        let Some(session) = holder.session.filter(|s| self.hub.open.contains(s)) else {
            return true;
        };
        if !self.is_mute(other, session) {
            return false;
        }
        self.stats.hit("name taken over");
        self.close_at_hub(session);
        let noticed = self.random.below(crate::faults::NOTICE_US_MAX);
        self.schedule(noticed, Event::ReplicaClosed(other, session));
        true
    }

    pub(crate) fn connect(&mut self, n: usize) {
        if self.replicas[n].machine.is_none() || self.replicas[n].session.is_some() {
            return;
        }
        if self.hub.machine.is_none() {
            let again = self.random.between(10_000, 60_000);
            return self.schedule(again, Event::Connect(n));
        }
        if !self.takes_name(n) {
            self.stats.hit("name taken");
            let again = self.random.between(10_000, 60_000);
            return self.schedule(again, Event::Connect(n));
        }
        let session = self.new_session();
        self.hub.open.insert(session);
        let (hub_now, now) = (self.hub_now(), self.clock(n));
        let node = &mut self.replicas[n];
        node.session = Some(session);
        node.mismatch = false;
        let replica = node.machine.as_mut().expect("checked above");
        let run: Incarnation = replica.writer().incarnation();
        self.rounds.connected(session, node.agent.clone());
        let hello = Hello::new(swarm(), node.agent.clone(), run, Role::Member);
        replica.handle_link_up(now);
        let hub = self.hub.machine.as_mut().expect("checked above");
        hub.handle_connected(hub_now, session, &hello);
        self.drain_hub();
        self.drain_replica(n);
    }
}
