//! The driver's part: events into machines, outputs out of them, crashes and starts.

use bytes::Bytes;
use sync_core::{
    Body, DeltaOutcome, Epoch, Hello, Incarnation, Message, Piece, Role, SessionId, codec,
};
use sync_protocol::{Hub, HubOutput, HubRecovery, Replica, ReplicaOutput, ReplicaRecovery};

use crate::merges::Call;
use crate::network::Direction;
use crate::plan::{COPY, HUB, swarm};
use crate::rounds::Rounds;
use crate::world::{Event, World};

impl World {
    pub(crate) fn deliver_to_hub(&mut self, session: SessionId, frame: &Bytes) {
        let now = self.hub_now();
        if !self.hub.open.contains(&session) {
            return;
        }
        let message = codec::decode(frame).expect("whole frames only");
        let before = self.before_decision(&message);
        self.note_answer(session, &message);
        if let Some(hub) = &mut self.hub.machine {
            hub.handle_message(now, session, message);
        }
        self.note_decided(before);
        self.drain_hub();
    }

    pub(crate) fn deliver_to_replica(&mut self, session: SessionId, frame: &Bytes) {
        let Some(n) = self.replica_of(session) else {
            return;
        };
        let now = self.clock(n);
        let message = codec::decode(frame).expect("whole frames only");
        if let Some(replica) = &mut self.replicas[n].machine {
            replica.handle_message(now, message);
            self.drain_replica(n);
        }
    }

    pub(crate) fn complete_hub(&mut self, run: u64) {
        let now = self.hub_now();
        if self.hub.machine.is_none() || self.hub.run != run {
            return;
        }
        if self.disk_is_full(HUB) {
            return self.fail_hub();
        }
        if let Some(token) = self.finish_hub_batch()
            && let Some(hub) = &mut self.hub.machine
        {
            hub.handle_persisted(now, token, Ok(()));
        }
        self.settle_decisions();
        self.settle_expired();
        self.drain_hub();
    }

    pub(crate) fn complete_replica(&mut self, n: usize, run: u64) {
        let now = self.clock(n);
        let node = &self.replicas[n];
        if node.machine.is_none() || node.run != run {
            return;
        }
        if self.disk_is_full(n) {
            return self.fail_replica(n);
        }
        if let Some(token) = self.finish_replica_batch(n)
            && let Some(replica) = &mut self.replicas[n].machine
        {
            replica.handle_persisted(now, token, Ok(()));
        }
        self.drain_replica(n);
    }

    pub(crate) fn time_hub(&mut self, run: u64) {
        let now = self.hub_now();
        if self.hub.run != run || self.hub.timer_us != Some(self.now_us) {
            return;
        }
        self.hub.timer_us = None;
        // It knows of no time before its first look at a clock, which a pause may put off.
        if !std::mem::replace(&mut self.hub.is_timed, true) {
            self.begin_leases();
            self.hub.started_us = self.now_us;
        }
        let mortal = self.mortal();
        // What it has to do for all keys waits until the last of it is durable, one thing at a time.
        let mut is_idle = false;
        if let Some(hub) = &mut self.hub.machine {
            is_idle = hub.is_settled();
            hub.handle_timeout(now);
            is_idle &= hub.is_settled() && hub.poll_timeout().is_none_or(|due| due > now.mono);
        }
        if let Some(mortal) = mortal {
            self.note_expired(mortal);
        }
        // One thing at a time: a lifetime that is over waits until the end of a claim is durable.
        is_idle &= !self.check_claims(true);
        if is_idle {
            self.check_ends();
        }
        self.drain_hub();
    }

    pub(crate) fn time_replica(&mut self, n: usize, run: u64) {
        let now = self.clock(n);
        let node = &mut self.replicas[n];
        if node.run != run || node.timer_us != Some(self.now_us) {
            return;
        }
        node.timer_us = None;
        if let Some(replica) = &mut node.machine {
            replica.handle_timeout(now);
            self.drain_replica(n);
        }
    }

    pub(crate) fn close_at_hub(&mut self, session: SessionId) {
        let now = self.hub_now();
        if !self.hub.open.remove(&session) {
            return;
        }
        if let Some(hub) = &mut self.hub.machine {
            hub.handle_disconnected(now, session);
            self.drain_hub();
        }
    }

    pub(crate) fn close_at_replica(&mut self, n: usize, session: SessionId) {
        let now = self.clock(n);
        let node = &mut self.replicas[n];
        if node.session != Some(session) {
            return;
        }
        node.session = None;
        if let Some(replica) = &mut node.machine {
            replica.handle_link_down(now);
            self.drain_replica(n);
        }
        let again = self.random.between(5_000, 100_000);
        self.schedule(again, Event::Connect(n));
    }

    pub(crate) fn start_hub(&mut self) {
        if self.hub.machine.is_some() || !self.recover_hub() {
            return;
        }
        let mut recovery = HubRecovery::new(self.plan.hub(), self.rules_of_table());
        for row in self.hub.disk.rows() {
            recovery.row(&row).expect("rows read back");
        }
        let mut hub = recovery.open(Epoch::from_random(self.random.next()));
        self.hub.run += 1;
        self.hub.timer_us = None;
        self.hub.started_us = self.now_us;
        self.hub.is_timed = false;
        self.rounds = Rounds::default();
        let client = self.new_session();
        self.hub.client = client;
        // The same run of the same program, throughout: only the hub restarts.
        let run = Incarnation::from_random(77);
        let name = sync_core::AgentId::new("client").expect("a valid name");
        hub.handle_connected(
            self.hub_now(),
            client,
            &Hello::new(swarm(), name, run, Role::Client),
        );
        self.hub.machine = Some(hub);
        self.cut_log();
        self.check_recovered_votes();
        self.recover_decisions();
        self.recover_claims();
        self.drain_hub();
        self.client_asks_again();
    }

    /// The file with the policies was read, or could not be.
    pub(crate) fn loaded(&mut self, run: u64) {
        let fails = self.faulty && self.random.chance(100);
        let (now, table) = (self.hub_now(), self.table().clone());
        if let Some(hub) = self.hub.machine.as_mut().filter(|_| self.hub.run == run) {
            let read = if fails {
                Err("no".to_owned())
            } else {
                Ok(table)
            };
            hub.handle_policies(now, read);
            self.drain_hub();
        }
    }

    pub(crate) fn start_replica(&mut self, n: usize) {
        if self.replicas[n].machine.is_some() || !self.recover_replica(n) {
            return;
        }
        let run = Incarnation::from_random(self.random.next());
        let node = &mut self.replicas[n];
        let config = self.plan.replica(&node.agent);
        let mut recovery = ReplicaRecovery::new(config, sync_resolve::standard(), run);
        for row in node.disk.rows() {
            recovery.row(&row).expect("rows read back");
        }
        node.machine = Some(recovery.open());
        if n == COPY {
            self.troubles.copies.runs.insert(run);
        }
        node.cursor = None;
        node.run += 1;
        node.timer_us = None;
        self.forgive_damage(n);
        self.drain_replica(n);
        self.check_recovered(n);
        self.schedule(1_000, Event::Connect(n));
    }

    pub(crate) fn drain_hub(&mut self) {
        while let Some(output) = self.hub.machine.as_mut().and_then(Hub::poll_output) {
            match output {
                HubOutput::Persist { token, batch } => {
                    self.check_bounds(&batch);
                    self.check_swarm(&batch);
                    self.hub.disk.submit(token, batch);
                    let after = self.random.between(20, self.plan.disk_us_max);
                    let run = self.hub.run;
                    self.schedule(after, Event::HubDisk(run));
                    if self.dies_at_store(HUB) {
                        self.schedule(0, Event::CrashHub(run));
                    }
                }
                HubOutput::Send { session, message } => self.send_from_hub(session, &message),
                HubOutput::Answer { request, answer } => self.answered_by_hub(request, answer),
                HubOutput::Merge {
                    ticket,
                    key,
                    function,
                    siblings,
                } => self.call(Call {
                    run: self.hub.run,
                    ticket,
                    key,
                    function,
                    siblings,
                }),
                HubOutput::LoadPolicies => {
                    let (after, run) = (self.random.between(20, 20_000), self.hub.run);
                    self.schedule(after, Event::Loaded(run));
                }
                HubOutput::Ran(run) => self.ran(&run),
                HubOutput::RoundBegan { number, .. } => self.round_began(number),
                HubOutput::RoundEnded(ended) => self.round_ended(&ended),
                HubOutput::Unregistered(agent) => {
                    self.require(false, || format!("nobody has asked to take off {agent}"));
                }
                HubOutput::Load { ticket, ranges } => self.read_rows(ticket, ranges),
                HubOutput::Disconnect { session, reason }
                | HubOutput::Refuse { session, reason } => {
                    self.require(self.fails, || {
                        format!("the hub closed {session:?}: {reason}")
                    });
                }
            }
        }
        let due = self.hub.machine.as_ref().and_then(Hub::poll_timeout);
        let due = due.map(|d| u64::try_from(d.as_micros()).expect("short times"));
        if let Some(due) = due.map(|d| d.max(self.now_us + 1))
            && self.hub.timer_us.is_none_or(|set| due < set)
        {
            self.hub.timer_us = Some(due);
            let run = self.hub.run;
            self.schedule_at(due, Event::HubTimer(run));
        }
    }

    fn send_from_hub(&mut self, session: SessionId, message: &Message) {
        if session == self.hub.client {
            self.stats.count_message(message);
            return self.client_hears(message);
        }
        if let Body::DeltaReply {
            outcome: DeltaOutcome::EpochMismatch { .. } | DeltaOutcome::Ahead { .. },
            ..
        } = &message.body
            && let Some(n) = self.replica_of(session)
        {
            self.replicas[n].mismatch = true;
        }
        if let Body::Decided { proposal, verdict } = message.body {
            self.decided_leaves(proposal, verdict);
        }
        if let Body::Ended { proposals } = &message.body {
            for (proposal, _, verdict) in proposals.iter() {
                if let Some(verdict) = verdict {
                    self.decided_leaves(*proposal, *verdict);
                }
            }
        }
        self.transmit(Direction::ToReplica, session, message);
    }

    /// The client's connection loses nothing: what it hears is complete.
    fn client_hears(&mut self, message: &Message) {
        let Body::Reply {
            request,
            delivery: of,
            index,
            frames: count,
        } = message.body
        else {
            return;
        };
        let piece = Piece { of, index, count };
        let taken = self
            .hub
            .client_pieces
            .take("an answer", piece, &message.segments);
        if let Some(reply) = taken.expect("the hub's answers are whole") {
            self.answered_by_hub(request, reply);
        }
    }

    pub(crate) fn drain_replica(&mut self, n: usize) {
        while let Some(output) = self.replicas[n]
            .machine
            .as_mut()
            .and_then(Replica::poll_output)
        {
            match output {
                ReplicaOutput::Persist { token, batch } => {
                    self.check_swarm(&batch);
                    self.replicas[n].disk.submit(token, batch);
                    let after = self.random.between(20, self.plan.disk_us_max);
                    let run = self.replicas[n].run;
                    self.schedule(after, Event::ReplicaDisk(n, run));
                    if self.dies_at_store(n) {
                        self.schedule(0, Event::CrashReplica(n, run));
                    }
                }
                ReplicaOutput::Send(message) => {
                    if let Body::Offer { index: 0, .. } = &message.body {
                        self.check_offer(n);
                    }
                    if let Body::Vote {
                        proposal,
                        about,
                        ballot,
                    } = &message.body
                    {
                        self.vote_leaves(n, (*proposal, *about), ballot);
                    }
                    if let Some(session) = self.replicas[n].session {
                        self.transmit(Direction::ToHub, session, &message);
                    }
                }
                ReplicaOutput::Answer { request, result } => {
                    self.answered_by_replica(n, request, result);
                }
                ReplicaOutput::Receipt(receipt) => self.received(n, receipt),
                ReplicaOutput::Proposal(poll) => self.asked_to_vote(n, &poll),
                ReplicaOutput::Voted(proposal) => self.has_voted(n, proposal),
                ReplicaOutput::Decided { proposal, verdict } => self.heard(n, proposal, verdict),
                ReplicaOutput::Forgotten(proposal) => self.forgets(n, proposal),
                ReplicaOutput::Disconnect(reason) => {
                    self.require(self.fails, || format!("replica {n} closed: {reason}"));
                }
            }
        }
        let due = self.replicas[n]
            .machine
            .as_ref()
            .and_then(Replica::poll_timeout);
        let due = due.map(|d| u64::try_from(d.as_micros()).expect("short times"));
        if let Some(due) = due.map(|d| d.max(self.now_us + 1))
            && self.replicas[n].timer_us.is_none_or(|set| due < set)
        {
            self.replicas[n].timer_us = Some(due);
            let run = self.replicas[n].run;
            self.schedule_at(due, Event::ReplicaTimer(n, run));
        }
    }
}
