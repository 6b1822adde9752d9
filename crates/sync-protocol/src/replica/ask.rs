//! Callers that wait for the hub, each with a deadline.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{Ask, Body, Now, ProposalId, Reply, RequestError, Revision, Seq, codec};

use super::{Fate, Outcome, Replica, RequestId};
use crate::millis::millis;

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    asks: BTreeMap<RequestId, Deadline>,
    flushes: BTreeMap<RequestId, Flush>,
    votes: BTreeMap<RequestId, (ProposalId, Deadline)>,
    revisions: BTreeMap<RequestId, (Revision, Deadline)>,
}

/// Writes that are to reach the hub.
#[derive(Debug)]
struct Flush {
    /// The last of them, of this run.
    upto: Seq,
    deadline: Deadline,
    /// What to answer then.
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Duration,
    limit: Duration,
}

impl Waiting {
    pub(super) fn deadline(&self) -> Option<Duration> {
        let flushes = self.flushes.values().map(|f| f.deadline.at);
        let votes = self.votes.values().map(|(_, d)| d.at);
        let revisions = self.revisions.values().map(|(_, d)| d.at);
        let asks = self.asks.values().map(|d| d.at);
        asks.chain(flushes).chain(votes).chain(revisions).min()
    }

    /// The last write of this run that a flush waits for.
    pub(super) fn awaited(&self) -> Option<Seq> {
        self.flushes.values().map(|f| f.upto).max()
    }

    /// Everyone who waits; nobody afterwards.
    pub(super) fn drain(&mut self) -> Vec<RequestId> {
        let asks = std::mem::take(&mut self.asks).into_keys();
        asks.chain(std::mem::take(&mut self.flushes).into_keys())
            .chain(std::mem::take(&mut self.votes).into_keys())
            .chain(std::mem::take(&mut self.revisions).into_keys())
            .collect()
    }

    /// A caller waits for what the hub says of a vote.
    pub(super) fn vote(
        &mut self,
        now: Now,
        request: RequestId,
        proposal: ProposalId,
        timeout: Duration,
    ) {
        let deadline = Deadline {
            at: now.mono + timeout,
            limit: timeout,
        };
        self.votes.insert(request, (proposal, deadline));
    }

    /// Who waits for that; nobody afterwards.
    pub(super) fn take_votes(&mut self, proposal: ProposalId) -> Vec<RequestId> {
        let of =
            |_: &RequestId, (waits_for, _): &mut (ProposalId, Deadline)| *waits_for == proposal;
        let waiting = self.votes.extract_if(.., of);
        waiting.map(|(request, _)| request).collect()
    }
}

impl Replica {
    pub(super) fn ask_hub(&mut self, now: Now, request: RequestId, ask: Ask, timeout: Duration) {
        if !self.link.is_up() {
            let doing = doing(&ask).to_owned();
            return self.answer(request, Err(RequestError::Unavailable { doing }));
        }
        let (bytes, limit) = (
            codec::to_bytes(&ask).len(),
            self.config.limits.request_bytes_max,
        );
        if bytes > limit {
            let (bytes, limit) = (bytes as u64, limit as u64);
            return self.answer(request, Err(RequestError::RequestTooLarge { bytes, limit }));
        }
        let deadline = Deadline {
            at: now.mono + timeout,
            limit: timeout,
        };
        self.waiting.asks.insert(request, deadline);
        self.send(Body::Request { request, ask });
    }

    pub(super) fn handle_reply(&mut self, request: RequestId, reply: Reply) {
        if self.waiting.asks.remove(&request).is_some() || self.take_decision(request) {
            self.answer(request, reply.map(Outcome::Answered));
        }
    }

    pub(super) fn fail_asks(&mut self, reason: &str) {
        for request in std::mem::take(&mut self.waiting.asks).into_keys() {
            let reason = reason.to_owned();
            self.answer(request, Err(RequestError::ConnectionLost { reason }));
        }
    }

    /// Answers with `outcome` once every write made so far is at the hub.
    pub(super) fn wait_for_hub(
        &mut self,
        now: Now,
        request: RequestId,
        timeout: Duration,
        outcome: Outcome,
    ) {
        self.wait_for_writes(now, request, self.seq, timeout, outcome);
    }

    /// The same for the writes of this run up to a number, and all of earlier runs.
    pub(super) fn wait_for_writes(
        &mut self,
        now: Now,
        request: RequestId,
        upto: Seq,
        timeout: Duration,
        outcome: Outcome,
    ) {
        let flush = Flush {
            upto,
            deadline: Deadline {
                at: now.mono + timeout,
                limit: timeout,
            },
            outcome,
        };
        self.waiting.flushes.insert(request, flush);
        self.settle_flushes();
    }

    /// Answers once everything up to a revision is held.
    pub(super) fn wait_for_revision(
        &mut self,
        now: Now,
        request: RequestId,
        revision: Revision,
        timeout: Duration,
    ) {
        let deadline = Deadline {
            at: now.mono + timeout,
            limit: timeout,
        };
        self.waiting.revisions.insert(request, (revision, deadline));
        self.settle_revisions();
    }

    /// Answers whoever waits for what is held by now.
    pub(super) fn settle_revisions(&mut self) {
        let Some(held) = self.cursor.map(|cursor| cursor.revision) else {
            return;
        };
        let reached = |_: &RequestId, (revision, _): &mut (Revision, Deadline)| *revision <= held;
        let done = self.waiting.revisions.extract_if(.., reached);
        let done: Vec<RequestId> = done.map(|(request, _)| request).collect();
        for request in done {
            self.answer(request, Ok(Outcome::Done));
        }
    }

    /// Answers the flushes whose writes have all landed.
    pub(super) fn settle_flushes(&mut self) {
        let run = self.me.incarnation();
        let elsewhere = self.outbox.waits_elsewhere(run);
        let landed = |upto: Seq| !elsewhere && !self.outbox.waits_upto(run, upto);
        let done = self
            .waiting
            .flushes
            .iter()
            .filter(|(_, flush)| landed(flush.upto));
        let done: Vec<RequestId> = done.map(|(request, _)| *request).collect();
        for request in done {
            if let Some(flush) = self.waiting.flushes.remove(&request) {
                let result = self.landed(flush.outcome);
                self.answer(request, result);
            }
        }
    }

    /// A write that was refused at the hub is not there.
    fn landed(&self, outcome: Outcome) -> Result<Outcome, RequestError> {
        let mut ack = match outcome {
            Outcome::Fate(_, write) => return Ok(Outcome::Fate(self.fate(&write), write)),
            Outcome::Written(ack) => ack,
            other => return Ok(other),
        };
        let fate = ack.write_id.as_ref().map(|id| self.fate(id));
        match fate {
            Some(Fate::Refused(receipt)) => Err(RequestError::Operation {
                reason: receipt.to_string(),
            }),
            Some(Fate::AtHub { revision, .. }) => {
                ack.revision = Some(revision);
                Ok(Outcome::Written(ack))
            }
            _ => Ok(Outcome::Written(ack)),
        }
    }

    pub(super) fn expire_waiting(&mut self, now: Now) {
        let late_asks = self.waiting.asks.iter().filter(|(_, d)| d.at <= now.mono);
        let late_flushes = self
            .waiting
            .flushes
            .iter()
            .filter(|(_, flush)| flush.deadline.at <= now.mono);
        let late_votes = self.waiting.votes.iter();
        let late_votes = late_votes.filter(|(_, (_, d))| d.at <= now.mono);
        let voting = |proposal: &ProposalId| {
            format!(
                "the hub's word on the vote on the proposal {proposal}, which is kept and will be sent,"
            )
        };
        let late_revisions = self.waiting.revisions.iter();
        let late_revisions = late_revisions.filter(|(_, (_, d))| d.at <= now.mono);
        let text = str::to_owned;
        let late: Vec<(RequestId, String, Duration)> = late_asks
            .map(|(request, d)| (*request, text("the hub's answer"), d.limit))
            .chain(
                late_flushes
                    .map(|(request, f)| (*request, text("reaching the hub"), f.deadline.limit)),
            )
            .chain(late_votes.map(|(request, (id, d))| (*request, voting(id), d.limit)))
            .chain(
                late_revisions
                    .map(|(request, (revision, d))| (*request, self.reaching(*revision), d.limit)),
            )
            .collect();
        for (request, doing, limit) in late {
            self.waiting.revisions.remove(&request);
            self.waiting.votes.remove(&request);
            self.waiting.asks.remove(&request);
            self.waiting.flushes.remove(&request);
            let limit_ms = millis(limit);
            let error = RequestError::Deadline { doing, limit_ms };
            self.answer(request, Err(error));
        }
    }
}

impl Replica {
    fn reaching(&self, revision: Revision) -> String {
        let at = self.cursor.map_or(0, |cursor| cursor.revision.get());
        let link = if self.link.is_up() {
            "connected to its hub"
        } else {
            "not connected to its hub"
        };
        format!(
            "reaching revision {}, as this replica is at {at} and {link},",
            revision.get()
        )
    }
}

fn doing(ask: &Ask) -> &'static str {
    match ask {
        Ask::Version(_) | Ask::Get(_) | Ask::Keys { .. } => "asking the hub",
        Ask::Delta(_) => "reading a delta",
        Ask::Write { .. } => "writing at the hub",
        Ask::Sync { .. } => "synchronizing",
        Ask::Clear(_) => "clearing",
        Ask::Status => "asking for the hub's status",
        Ask::Policies | Ask::ReloadPolicies => "asking for the hub's policies",
        Ask::Watch { .. } => "watching",
        Ask::Propose(_) => "proposing",
        Ask::Memory(_) => "using the swarm's memory",
        Ask::Authority { .. } => "a decision of the hub",
        Ask::Past(_) => "asking about the past",
        Ask::Held { .. } => "asking who holds a write",
        Ask::Receipts { .. } | Ask::TakeReceipts(_) => "asking for receipts",
        Ask::Unregister(_) => "taking an agent off the roster",
    }
}
