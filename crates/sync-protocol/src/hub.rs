//! The hub of one swarm: collects, resolves, commits, numbers, fans out.

mod activity;
mod admit;
mod adopted;
mod ahead;
mod answer;
mod ask;
mod asker;
mod authority;
mod barred;
mod burial;
mod chores;
mod clearing;
mod commit;
mod delta;
mod expiry;
mod fanout;
mod free;
mod graves;
mod held;
mod lineage;
mod listing;
mod memory;
mod merging;
mod output;
mod own;
mod past;
mod periodic;
mod policy;
mod push;
mod quota;
mod receipts;
mod recover;
mod reentry;
mod refusal;
mod repair;
mod rights;
mod roster;
mod round;
mod search;
mod session;
mod voting;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sync_core::{
    Activity, AgentId, Ask, Batch, Body, Context, Decision, Digest, Epoch, HUB_NAME, HybridClock,
    Incarnation, Key, Message, Now, Proposal, Receipt, RequestError, Resolvers, Revision, Rights,
    RowOp, Seq, SessionId, Traffic, Writer,
};

use crate::config::HubConfig;
use crate::free::Free;
use crate::gate::{Gate, Token};
use crate::keyspace::Keyspace;
use crate::receipts::Receipts;
use crate::rows::{self, Meta, Owner};

use self::asker::{Asker, ReplyTo, STORE_FAILED};
pub(crate) use self::authority::Answered;
use self::authority::{Attempts, Claims};
use self::chores::Chores;
use self::expiry::Expiries;
pub(crate) use self::expiry::Lifetime;
pub(crate) use self::graves::Grave;
use self::graves::Graves;
use self::held::Holds;
use self::lineage::Lineage;
pub(crate) use self::lineage::Run;
use self::memory::Memory;
use self::merging::Merges;
use self::past::Past;
use self::periodic::Periodic;
use self::round::Rounds;
use self::session::Session;
use self::voting::Votes;
pub(crate) use self::voting::{Opened, Remembered, StoredVote};
use self::watch::Watches;

pub use self::activity::{RoundEnded, RoundOutcome};
pub(crate) use self::fanout::Packer;
pub use self::output::HubOutput;
pub use self::periodic::PeriodicRun;
pub use self::recover::HubRecovery;
pub(crate) use self::search::{Effort, Sought};

/// The hub of one swarm.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    resolvers: Resolvers,
    clock: HybridClock,
    lineage: Lineage,
    /// Writes for peers that hold no replica.
    writer: Writer,
    space: Keyspace,
    /// The last commit.
    revision: Revision,
    /// The greatest revision met in an invalid cursor; the next commit exceeds it.
    met: Revision,
    /// One row per key that was ever committed: what changed after a revision is a range of it. The
    /// key is always there; `None` sorts before every key and starts a range.
    index: BTreeSet<(Revision, Option<Key>)>,
    /// Per writer the greatest number it has pushed without a gap.
    known: BTreeMap<Writer, Seq>,
    roster: BTreeMap<AgentId, Member>,
    sessions: BTreeMap<SessionId, Session>,
    rounds: Rounds,
    periodic: Periodic,
    /// Fates that wait for their writers.
    receipts: BTreeMap<AgentId, Receipts>,
    /// Per key, writes that were offered as dead and have never been pushed here.
    adopted: BTreeMap<Key, Context>,
    id_alarms: u64,
    graves: Graves,
    /// The state may have been decided by another table than the one in force.
    table_is_new: bool,
    expiries: Expiries,
    chores: Chores,
    claims: Claims,
    attempts: Attempts,
    merges: Merges,
    watches: Watches,
    memory: Memory,
    votes: Votes,
    past: Past,
    /// Who waits for the policies to be read anew.
    reloading: Vec<ReplyTo>,
    holds: Holds,
    /// What this run does to the disk at its start, with its first batch.
    unsaved: Vec<RowOp>,
    /// Whether anything was ever stored, in this run or an earlier one.
    stored: bool,
    /// Who may do what; none if everybody may do everything.
    rights: Option<Arc<Rights>>,
    gate: Gate<HubOutput>,
    /// What all connections have moved, as far as the driver has said.
    traffic: Traffic,
    /// What the store takes on disk, as far as the driver has said.
    store_bytes: Option<u64>,
    free: Free,
    activity: Activity,
    /// Why the hub stopped, if its store failed.
    failed: Option<String>,
}

/// An agent of the roster.
#[derive(Debug, Clone, Default)]
struct Member {
    session: Option<SessionId>,
    /// The last revision it confirmed to hold durably in this run of the hub.
    acked: Option<Revision>,
}

impl Member {
    /// Whether it holds everything up to there.
    fn has_confirmed(&self, revision: Revision) -> bool {
        // Before the first commit there is nothing to confirm.
        revision == Revision::default() || self.acked >= Some(revision)
    }
}

impl Hub {
    /// The swarm's last revision. Commits under way are included.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// This run.
    pub fn epoch(&self) -> Epoch {
        self.lineage.current()
    }

    /// The digest of the state. Commits under way are included.
    pub fn digest(&self) -> Digest {
        self.space.digest()
    }

    /// The state.
    pub fn keyspace(&self) -> &Keyspace {
        &self.space
    }

    /// The roster, ascending.
    pub fn roster(&self) -> impl Iterator<Item = &AgentId> {
        self.roster.keys()
    }

    /// Fates that wait for their writers.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.receipts.values().flat_map(Receipts::iter)
    }

    /// What is voted on, with the algorithm, the threshold and the time that hold for it.
    pub fn open_proposals(&self) -> impl Iterator<Item = &Proposal> {
        self.votes.proposals()
    }

    /// What was decided, the oldest first, as far as it is remembered.
    pub fn decisions(&self) -> impl DoubleEndedIterator<Item = &Decision> {
        self.votes.decisions()
    }

    /// What all connections have moved so far: what the status tells.
    pub fn note_traffic(&mut self, traffic: Traffic) {
        self.traffic = traffic;
    }

    /// What the store takes on disk by now: what the status tells.
    pub fn note_store_bytes(&mut self, bytes: Option<u64>) {
        self.store_bytes = bytes;
    }

    /// A local request, answered through [`HubOutput::Answer`].
    pub fn handle_ask(&mut self, now: Now, request: u64, ask: Ask) {
        self.ask(now, ReplyTo::Local(request), ask);
    }

    /// The store has finished a batch. An error stops the hub for good: what is on disk is unknown,
    /// so nothing that waits may be acknowledged.
    pub fn handle_persisted(&mut self, _now: Now, token: Token, result: Result<(), String>) {
        match result {
            Ok(()) => self.gate.complete(token),
            Err(reason) => self.fail(&reason),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.expire_rounds(now);
        self.expire_watches(now);
        self.expire_holds(now);
        if self.failed.is_none() {
            self.apply_table(now);
            self.do_chores(now);
            self.retry_merges(now);
            self.sweep_memory();
            self.tend_votes(now);
            self.run_plans(now);
        }
    }

    /// What to do next; `None` until the next input.
    pub fn poll_output(&mut self) -> Option<HubOutput> {
        if let Some((token, batch)) = self.gate.next_batch() {
            return Some(HubOutput::Persist { token, batch });
        }
        self.gate.next_output()
    }

    /// When [`Hub::handle_timeout`] is due at the latest, in the time of [`Now::mono`].
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.failed.is_some() {
            return None;
        }
        if self.table_is_new {
            return Some(Duration::ZERO);
        }
        let (rounds, watches) = (self.rounds.deadline(), self.watches.deadline());
        [
            rounds,
            watches,
            self.chores_due(),
            self.merges.deadline(),
            self.memory.sweep_due(&self.gate),
            self.votes.deadline(),
            self.periodic.wake(),
            self.holds.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Why it has stopped, if it has: its store failed, or holds a row that cannot be read. Whatever it
    /// was asked then was answered so; it takes no further part.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Whether nothing would be missed: nobody is connected, nothing was ever stored or is kept in
    /// memory, nobody waits.
    pub fn is_blank(&self) -> bool {
        let nobody = self.sessions.is_empty() && self.rounds.is_empty() && self.watches.is_idle();
        let idle = nobody && self.votes.is_idle() && self.memory.is_empty();
        let asked = !self.reloading.is_empty() || !self.holds.is_empty() || !self.chores.is_empty();
        idle && !asked && self.past.line.is_idle() && !self.stored
    }

    /// Whether every commit is durable.
    pub fn is_settled(&self) -> bool {
        self.gate.is_settled()
    }

    /// Bytes of commits and messages that wait to be taken, many of them for the store. A driver
    /// hands in no more messages while this is large: it is what a slow disk would make grow.
    pub fn held_bytes(&self) -> usize {
        self.gate.bytes()
    }

    fn fail(&mut self, reason: &str) {
        let error = RequestError::Stopped {
            reason: reason.to_owned(),
        };
        for held in self.gate.abandon() {
            if let HubOutput::Answer { request, .. } = held {
                let answer = Err(error.clone());
                self.gate.push(HubOutput::Answer { request, answer });
            }
        }
        let mut waiting: Vec<_> = self.rounds.drain().collect();
        waiting.extend(self.watches.drain());
        waiting.extend(self.memory.abandon());
        waiting.extend(self.chores.abandon());
        waiting.extend(self.votes.drain());
        // A table that is read after this changes nothing.
        waiting.append(&mut self.reloading);
        waiting.extend(self.past.line.drain());
        waiting.extend(self.holds.drain());
        for waiting in waiting {
            if let ReplyTo::Local(request) = waiting {
                let answer = Err(error.clone());
                self.gate.push(HubOutput::Answer { request, answer });
            }
        }
        let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.disconnect(session, STORE_FAILED);
        }
        self.merges = Merges::default();
        self.periodic = Periodic::default();
        self.failed = Some(reason.to_owned());
    }

    fn send(&mut self, session: SessionId, message: impl Into<Message>) {
        let message = message.into();
        self.send_weighing(session, own_bytes(&message), message);
    }

    /// The same of a message that holds so many bytes which no other one holds too.
    fn send_weighing(&mut self, session: SessionId, bytes: usize, message: impl Into<Message>) {
        let bytes = size_of::<HubOutput>() + bytes;
        let message = message.into();
        let output = HubOutput::Send { session, message };
        self.gate.push_weighing(bytes, output);
    }

    fn disconnect(&mut self, session: SessionId, reason: &str) {
        self.forget_session(session);
        self.gate.push(HubOutput::Disconnect {
            session,
            reason: reason.to_owned(),
        });
    }

    /// One batch, always with the meta row: the clock never goes back, nor does the revision.
    fn persist(&mut self, mut ops: Vec<RowOp>) {
        if self.failed.is_some() {
            return;
        }
        ops.append(&mut self.unsaved);
        self.stored = true;
        let meta = Meta {
            owner: Owner::Hub,
            high_water: self.clock.high_water(),
            revision: self.revision,
            cursor: None,
            reentering: false,
        };
        ops.push(rows::put_meta(&meta));
        self.gate.persist(Batch {
            swarm: self.config.swarm.clone(),
            ops,
        });
    }

    fn hub_writer(epoch: Epoch) -> Writer {
        let name = AgentId::new(HUB_NAME).expect("the hub's name is a valid one");
        Writer::new(name, Incarnation::from_random(epoch.bits()))
    }
}

/// What a message holds that others do not hold too: the segments of an update are encoded once for
/// all its receivers.
fn own_bytes(message: &Message) -> usize {
    match &message.body {
        Body::StateUpdate { .. } => 0,
        Body::StateRequest { keys, .. } => size_of_val(&keys[..]),
        _ => message.segment_bytes(),
    }
}
