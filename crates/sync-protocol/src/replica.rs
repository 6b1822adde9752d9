//! One agent's replica: writes while cut off, pushes when it can, catches up by itself.

mod ahead;
mod apply;
mod ask;
mod command;
mod decide;
mod dispatch;
mod fate;
mod level;
mod link;
mod offer;
mod outbox;
mod policy;
mod push;
mod reach;
mod read;
mod recover;
mod repair;
mod repropose;
mod respond;
mod room;
mod sweep;
mod trace;
mod voting;
mod waits;
mod write;

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{
    Batch, Body, Context, Cursor, Digest, HybridClock, Key, Message, Now, Receipt, RequestError,
    Resolvers, Revision, RowOp, Seen, Seq, SwarmId, WriteId, Writer,
    planted::{self, Planted},
};

use crate::config::ReplicaConfig;
use crate::free::Free;
use crate::gate::{Gate, Token};
use crate::keyspace::Keyspace;
use crate::receipts::Receipts;
use crate::rows::{self, Meta, Owner};

use self::ask::Waiting;
use self::decide::Decisions;
use self::level::Climbs;
use self::link::Link;
use self::outbox::Outbox;
use self::reach::Reaches;
use self::repair::Repair;
use self::trace::Traces;

pub(crate) use self::fate::{Delivered, Noted};
pub(crate) use self::voting::OwnVote;
use self::voting::OwnVotes;

pub use self::command::{Command, Outcome, ReplicaOutput, RequestId, Wanted};
pub use self::read::ReplicaStatus;
pub use self::recover::ReplicaRecovery;
pub use self::trace::Fate;

/// One agent's replica.
#[derive(Debug)]
pub struct Replica {
    config: ReplicaConfig,
    resolvers: Resolvers,
    clock: HybridClock,
    me: Writer,
    /// The last number spent.
    seq: Seq,
    space: Keyspace,
    outbox: Outbox,
    /// How far the hub's log was applied. The one on disk is never ahead of this one.
    cursor: Option<Cursor>,
    /// The last position at which no page was missing, in this process.
    whole: Option<Seen>,
    link: Link,
    /// The last that the hub has said of where it is.
    head: Option<Seen>,
    traces: Traces,
    /// When the replica last knew itself in step with the hub.
    in_step_at: Option<Duration>,
    /// Fates that the caller has not dealt with.
    receipts: Receipts,
    /// Own writes that were removed, until the hub has said whether receipts are due.
    fates: BTreeMap<WriteId, Noted>,
    /// Of what the hub has told last: it may tell it again, also if the caller has dealt with it meanwhile.
    delivered: Delivered,
    /// A hub could not serve our cursor: everything is being exchanged, and whatever it knew of the
    /// fates of our writes may be lost.
    reentering: bool,
    /// Keys on which writes were refused whose local effects are still to be undone, each with what
    /// those writes had covered.
    repairs: BTreeMap<Key, Context>,
    repair: Option<Repair>,
    waiting: Waiting,
    decisions: Decisions,
    climbs: Climbs,
    reaches: Reaches,
    votes: OwnVotes,
    /// Rows that may go with the next batch: losing them costs a repeated message.
    lazy_rows: Vec<RowOp>,
    gate: Gate<ReplicaOutput>,
    free: Free,
    failed: Option<String>,
}

impl Replica {
    /// This run's writer: the agent and its incarnation.
    pub fn writer(&self) -> &Writer {
        &self.me
    }

    /// How far the hub's log was applied.
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// The digest of everything held, own writes that wait for the hub included.
    pub fn digest(&self) -> Digest {
        self.space.digest()
    }

    /// The state.
    pub fn keyspace(&self) -> &Keyspace {
        &self.space
    }

    /// Fates that the caller has not dealt with, the oldest first.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.receipts.iter()
    }

    /// Own writes that wait for the hub.
    pub fn pending_writes(&self) -> usize {
        self.outbox.len()
    }

    /// A caller wants something.
    pub fn handle_command(&mut self, now: Now, request: RequestId, command: Command) {
        if let Some(reason) = self.failed.clone() {
            return self.answer(request, Err(RequestError::Stopped { reason }));
        }
        match command {
            Command::Write {
                key,
                operation,
                metadata,
                level,
            } => {
                self.write(now, request, &key, &operation, metadata, level);
            }
            Command::FlushToHub { timeout } => {
                self.wait_for_hub(now, request, timeout);
            }
            Command::FlushToDisk => self.answer(request, Ok(Outcome::Done)),
            Command::Ask { ask, timeout } => self.ask_hub(now, request, ask, timeout),
            Command::Decide { ask, timeout } => self.ask_decision(now, request, ask, timeout),
            Command::Vote {
                proposal,
                ballot,
                timeout,
            } => self.vote(now, request, proposal, ballot, timeout),
            Command::TakeReceipts(writes) => {
                let taken = self.take_receipts(&writes);
                self.answer(request, Ok(Outcome::Taken(taken)));
            }
            Command::Repropose(write) => self.repropose(now, request, &write),
            Command::WaitForLevel {
                write,
                level,
                timeout,
            } => self.wait_for_level(now, request, write, level, timeout),
            Command::WaitForPosition { at, timeout } => {
                self.wait_for_position(now, request, at, timeout);
            }
        }
    }

    /// The store has finished a batch. An error stops the replica for good: what is on disk is
    /// unknown, so nothing that waits may be acknowledged.
    pub fn handle_persisted(&mut self, _now: Now, token: Token, result: Result<(), String>) {
        match result {
            Ok(()) => self.gate.complete(token),
            Err(reason) => {
                let error = RequestError::Stopped {
                    reason: reason.clone(),
                };
                let held = self
                    .gate
                    .abandon()
                    .into_iter()
                    .filter_map(|output| match output {
                        ReplicaOutput::Answer { request, .. } => Some(request),
                        _ => None,
                    });
                let waiting = self
                    .waiting
                    .drain()
                    .into_iter()
                    .chain(self.decisions.drain())
                    .chain(self.climbs.drain())
                    .chain(self.reaches.drain());
                for request in held.chain(waiting) {
                    self.answer(request, Err(error.clone()));
                }
                self.gate.push(ReplicaOutput::Disconnect(reason.clone()));
                self.failed = Some(reason);
            }
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.expire_waiting(now);
        self.expire_decisions(now);
        self.expire_climbs(now);
        self.expire_reaches(now);
        if self.link.is_up() && self.failed.is_none() {
            self.retry(now);
        }
    }

    /// What to do next; `None` until the next input.
    pub fn poll_output(&mut self) -> Option<ReplicaOutput> {
        if let Some((token, batch)) = self.gate.next_batch() {
            return Some(ReplicaOutput::Persist { token, batch });
        }
        self.gate.next_output()
    }

    /// When [`Replica::handle_timeout`] is due at the latest, in the time of [`Now::mono`].
    pub fn poll_timeout(&self) -> Option<Duration> {
        let link = self.link.is_up().then(|| self.next_retry()).flatten();
        let waiting = [
            self.waiting.deadline(),
            self.decisions.deadline(),
            self.climbs.deadline(),
            self.reaches.deadline(),
        ];
        [link].into_iter().chain(waiting).flatten().min()
    }

    /// Whether everything done so far is durable.
    pub fn is_settled(&self) -> bool {
        self.gate.is_settled()
    }

    /// Writes out what was put off. Call before an orderly stop.
    pub fn flush_lazy_rows(&mut self) {
        if !self.lazy_rows.is_empty() {
            self.persist(Vec::new());
        }
    }

    /// What the disk of the store has free by now; none if there is none, or nobody knows. With less than
    /// [`ReplicaConfig::keep_free`] new writes are refused; what others wrote is taken all the same.
    pub fn note_free_bytes(&mut self, bytes: Option<u64>) {
        self.free.note(bytes);
    }

    /// Whether it takes no new writes, as its disk has little room.
    pub fn is_short_of_space(&self) -> bool {
        self.free.is_short()
    }

    fn answer(&mut self, request: RequestId, result: Result<Outcome, RequestError>) {
        self.gate.push(ReplicaOutput::Answer { request, result });
    }

    fn send(&mut self, message: impl Into<Message>) {
        if self.link.is_up() {
            self.gate.push(ReplicaOutput::Send(message.into()));
        }
    }

    fn protocol_error(&mut self, reason: &str) {
        self.gate.push(ReplicaOutput::Disconnect(reason.to_owned()));
    }

    /// One batch, always with the meta row: clock and cursor move with what they speak of.
    fn persist(&mut self, mut since: Vec<RowOp>) {
        if self.failed.is_some() {
            return;
        }
        // What was put off comes first: a row that has become stale meanwhile must not come back.
        let mut ops = std::mem::take(&mut self.lazy_rows);
        ops.append(&mut since);
        // While a cursor is found invalid the old one stays on disk, so that a restart finds out
        // again instead of taking half a re-entry for the whole.
        let cursor = self.cursor.or_else(|| self.link.invalid_cursor());
        let meta = Meta {
            owner: self.owner(),
            high_water: self.clock.high_water(),
            revision: Revision::default(),
            cursor,
            reentering: self.reentering,
        };
        ops.push(rows::put_meta(&meta));
        let mut swarm = self.config.swarm.clone();
        if planted::is(Planted::RowsOfAnotherSwarm) {
            swarm = SwarmId::new("another").expect("a valid name");
        }
        self.gate.persist(Batch { swarm, ops });
    }

    fn owner(&self) -> Owner {
        Owner::Agent(self.config.agent.clone())
    }

    /// Tells the hub how much is held here.
    fn ack(&mut self) {
        let held = self.held();
        if let Some(Cursor { epoch, .. }) = self.cursor {
            let revision = held.unwrap_or_default();
            self.send(Body::Ack { epoch, revision });
        }
    }

    /// Up to where all is held. Between two pages that is where the first of them began: what has changed since
    /// the page's revision comes with a later page, in its newest state alone. None if nobody knows any more.
    fn held(&self) -> Option<Revision> {
        let cursor = self.cursor?;
        let whole = self.whole.filter(|whole| whole.epoch == cursor.epoch)?;
        Some(whole.revision)
    }
}
