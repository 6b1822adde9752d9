//! Callers that wait for the hub, each with a deadline.

use std::collections::BTreeMap;
use std::time::Duration;

use bincode::Encode;
use sync_core::{Ask, Body, Now, ProposalId, Reply, RequestError, Seq, codec};

use super::{Outcome, Replica, RequestId};
use crate::millis::millis;

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    asks: BTreeMap<RequestId, Deadline>,
    flushes: BTreeMap<RequestId, Flush>,
    votes: BTreeMap<RequestId, (ProposalId, Deadline)>,
}

/// Writes that are to reach the hub.
#[derive(Debug)]
struct Flush {
    /// The last of them, of this run.
    upto: Seq,
    deadline: Deadline,
}

/// How long somebody waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    /// Until then, in the time of [`Now::mono`].
    pub(super) at: Duration,
    /// As it was asked for.
    pub(super) limit: Duration,
}

impl Deadline {
    /// A time that no clock will see is the last that there is.
    pub(super) fn after(now: Now, limit: Duration) -> Self {
        let at = now.mono.saturating_add(limit);
        Self { at, limit }
    }
}

impl Waiting {
    pub(super) fn deadline(&self) -> Option<Duration> {
        let flushes = self.flushes.values().map(|f| f.deadline.at);
        let votes = self.votes.values().map(|(_, d)| d.at);
        let asks = self.asks.values().map(|d| d.at);
        asks.chain(flushes).chain(votes).min()
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
        let deadline = Deadline::after(now, timeout);
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
        if let Err(error) = self.check_ask(doing(&ask), &ask) {
            return self.answer(request, Err(error));
        }
        let deadline = Deadline::after(now, timeout);
        self.waiting.asks.insert(request, deadline);
        self.send(Body::Request { request, ask });
    }

    /// Whether there is a hub to ask, and the question fits a message.
    pub(super) fn check_ask(&self, doing: &str, ask: &impl Encode) -> Result<(), RequestError> {
        if !self.link.is_up() {
            let doing = doing.to_owned();
            return Err(RequestError::Unavailable { doing });
        }
        let (bytes, limit) = (
            codec::to_bytes(ask).len(),
            self.config.limits.request_bytes_max,
        );
        if bytes > limit {
            let (bytes, limit) = (bytes as u64, limit as u64);
            return Err(RequestError::RequestTooLarge { bytes, limit });
        }
        Ok(())
    }

    pub(super) fn handle_reply(&mut self, now: Now, request: RequestId, reply: Reply) {
        if self.take_holders(now, request, &reply) || self.take_lineage(request, &reply) {
            return;
        }
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

    /// Answers once all writes that were made so far are at the hub.
    pub(super) fn wait_for_hub(&mut self, now: Now, request: RequestId, timeout: Duration) {
        let flush = Flush {
            upto: self.seq,
            deadline: Deadline::after(now, timeout),
        };
        self.waiting.flushes.insert(request, flush);
        self.settle_flushes();
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
            self.waiting.flushes.remove(&request);
            self.answer(request, Ok(Outcome::Done));
        }
    }

    pub(super) fn expire_waiting(&mut self, now: Now) {
        let late = |deadline: &Deadline| deadline.at <= now.mono;
        let waiting = &mut self.waiting;
        let asks = waiting.asks.extract_if(.., |_, deadline| late(deadline));
        let asks = asks.map(|(request, d)| (request, "the hub's answer".to_owned(), d.limit));
        let votes = waiting
            .votes
            .extract_if(.., |_, (_, deadline)| late(deadline));
        let votes = votes.map(|(request, (id, d))| (request, voting(id), d.limit));
        let mut expired: Vec<_> = asks.chain(votes).collect();
        let flushes = self
            .waiting
            .flushes
            .extract_if(.., |_, f| late(&f.deadline));
        let reaching =
            |(request, f): (_, Flush)| (request, "reaching the hub".to_owned(), f.deadline.limit);
        expired.extend(flushes.map(reaching));
        for (request, doing, limit) in expired {
            let limit_ms = millis(limit);
            self.answer(request, Err(RequestError::Deadline { doing, limit_ms }));
        }
    }
}

fn voting(proposal: ProposalId) -> String {
    format!(
        "the hub's word on the vote on the proposal {proposal}, which is kept and will be sent,"
    )
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
        Ask::About => "asking what the hub is",
    }
}
