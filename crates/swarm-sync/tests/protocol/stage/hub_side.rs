//! A hub that the test drives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sync_core::{
    AgentId, Answer, Ask, Body, Digest, Epoch, Hello, Incarnation, Message, Now, Policies, Policy,
    ProposalId, Reply, RequestError, Role, SessionId, Sibling, SyncReport, Value,
};
use sync_protocol::{Hub, HubConfig, HubOutput, HubRecovery, PeriodicRun, RoundEnded, RowRange};

use super::{at, hub_config, key, through_the_codec};
use crate::disk::Disk;

/// A hub, what it has said and what its disk has not finished.
pub(crate) struct HubSide {
    pub(crate) hub: Hub,
    pub(crate) disk: Disk,
    pub(crate) said: Vec<(SessionId, Message)>,
    /// The fingerprints of what it has asked agents to vote on.
    pub(crate) told: BTreeMap<ProposalId, Digest>,
    pub(crate) answers: Vec<(u64, Reply)>,
    pub(crate) closed: Vec<(SessionId, String)>,
    /// Connections that were closed by what the rights say.
    pub(crate) refused: Vec<(SessionId, String)>,
    /// How often the policies were to be read anew.
    pub(crate) reloads: u32,
    /// Runs of the schedule that have ended.
    pub(crate) runs_of_plans: Vec<PeriodicRun>,
    /// Rounds that have begun and not ended, by number.
    pub(crate) open_rounds: Vec<u64>,
    pub(crate) ended_rounds: Vec<RoundEnded>,
    /// Merges asked for and not answered.
    pub(crate) merges: Vec<(u64, Vec<Sibling>)>,
    /// Rows asked for and not read.
    pub(crate) loads: Vec<(u64, Vec<RowRange>)>,
    /// Agents that somebody has asked to take off the roster.
    pub(crate) unregistered: Vec<AgentId>,
    pub(crate) mono: Duration,
    /// Whether its wall clock was set back by a day.
    pub(crate) day_before: bool,
    pub(crate) config: HubConfig,
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
            told: BTreeMap::new(),
            answers: Vec::new(),
            closed: Vec::new(),
            refused: Vec::new(),
            merges: Vec::new(),
            loads: Vec::new(),
            unregistered: Vec::new(),
            runs_of_plans: Vec::new(),
            open_rounds: Vec::new(),
            ended_rounds: Vec::new(),
            reloads: 0,
            mono: Duration::ZERO,
            day_before: false,
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
        self.loads.clear();
        self.settle();
    }

    pub(crate) fn now(&self) -> Now {
        let now = at(self.mono);
        let back_ms = if self.day_before { 86_400_000 } else { 0 };
        Now {
            wall_ms: now.wall_ms - back_ms,
            ..now
        }
    }

    /// Takes what the machine has to say; its batches stay undone.
    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                HubOutput::Persist { token, batch } => self.disk.submit(token, batch),
                HubOutput::Send { session, message } => {
                    if let Body::Proposal { poll } = &message.body {
                        self.told.insert(poll.proposal.id, poll.about);
                    }
                    self.said.push((session, through_the_codec(&message)));
                }
                HubOutput::Answer { request, answer } => self.answers.push((request, answer)),
                HubOutput::Merge {
                    ticket, siblings, ..
                } => self.merges.push((ticket, siblings)),
                HubOutput::LoadPolicies => self.reloads += 1,
                HubOutput::Load { ticket, ranges } => self.loads.push((ticket, ranges)),
                HubOutput::Ran(run) => self.runs_of_plans.push(run),
                HubOutput::RoundBegan { number, .. } => self.open_rounds.push(number),
                HubOutput::RoundEnded(ended) => {
                    self.open_rounds.retain(|open| *open != ended.number);
                    self.ended_rounds.push(ended);
                }
                HubOutput::Unregistered(agent) => self.unregistered.push(agent),
                HubOutput::Disconnect { session, reason } => self.closed.push((session, reason)),
                HubOutput::Refuse { session, reason } => self.refused.push((session, reason)),
            }
        }
    }

    /// Lets the disk finish everything.
    pub(crate) fn settle(&mut self) {
        self.drain();
        loop {
            while let Some(token) = self.disk.complete() {
                self.hub.handle_persisted(self.now(), token, Ok(()));
                self.drain();
            }
            if self.loads.is_empty() {
                return;
            }
            let (ticket, ranges) = self.loads.remove(0);
            let rows = self.disk.read(&ranges);
            self.hub.handle_loaded(self.now(), ticket, Ok(rows));
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

    /// A synchronization that begins now; [`HubSide::report`] has what comes of it.
    pub(crate) fn sync(&mut self, keys: &[&str], timeout_ms: Option<u64>) {
        let keys: Vec<_> = keys.iter().map(|k| key(k)).collect();
        let keys = keys.into();
        let ask = Ask::Sync { keys, timeout_ms };
        self.hub.handle_ask(self.now(), 1, ask);
        self.drain();
    }

    pub(crate) fn report(&mut self) -> Option<Result<SyncReport, RequestError>> {
        self.settle();
        Some(self.take_answer(1)?.map(|answer| match answer {
            Answer::Synced(report) => report,
            other => panic!("{other:?}"),
        }))
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
