//! Callers that wait for the hub, each with a deadline.

use std::time::Duration;

use bincode::Encode;
use sync_core::{Ask, Body, Now, ProposalId, Reply, RequestError, Seq, codec};

use super::waits::{Deadline, Waits};
use super::{Outcome, Replica, RequestId};
use crate::millis::millis;

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    asks: Waits<()>,
    /// For their writes up to that one, of this run, to reach the hub.
    flushes: Waits<Seq>,
    votes: Waits<ProposalId>,
}

impl Waiting {
    pub(super) fn deadline(&self) -> Option<Duration> {
        let (asks, flushes) = (self.asks.deadline(), self.flushes.deadline());
        let votes = self.votes.deadline();
        [asks, flushes, votes].into_iter().flatten().min()
    }

    /// The last write of this run that a flush waits for.
    pub(super) fn awaited(&self) -> Option<Seq> {
        self.flushes.iter().map(|(_, upto)| *upto).max()
    }

    /// Everyone who waits; nobody afterwards.
    pub(super) fn drain(&mut self) -> Vec<RequestId> {
        let asks = self.asks.drain().chain(self.flushes.drain());
        asks.chain(self.votes.drain()).collect()
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
        self.votes.insert(request, proposal, deadline);
    }

    /// Who waits for that; nobody afterwards.
    pub(super) fn take_votes(&mut self, proposal: ProposalId) -> Vec<RequestId> {
        self.votes.take(|waits_for| *waits_for == proposal)
    }
}

impl Replica {
    pub(super) fn ask_hub(&mut self, now: Now, request: RequestId, ask: Ask, timeout: Duration) {
        if let Err(error) = self.check_ask(doing(&ask), &ask) {
            return self.answer(request, Err(error));
        }
        let deadline = Deadline::after(now, timeout);
        self.waiting.asks.insert(request, (), deadline);
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
        if self.waiting.asks.remove(request).is_some() || self.take_decision(request) {
            self.answer(request, reply.map(Outcome::Answered));
        }
    }

    pub(super) fn fail_asks(&mut self, reason: &str) {
        let asks: Vec<RequestId> = self.waiting.asks.drain().collect();
        for request in asks {
            let reason = reason.to_owned();
            self.answer(request, Err(RequestError::ConnectionLost { reason }));
        }
    }

    /// Answers once all writes that were made so far are at the hub.
    pub(super) fn wait_for_hub(&mut self, now: Now, request: RequestId, timeout: Duration) {
        let deadline = Deadline::after(now, timeout);
        self.waiting.flushes.insert(request, self.seq, deadline);
        self.settle_flushes();
    }

    /// Answers the flushes whose writes have all landed.
    pub(super) fn settle_flushes(&mut self) {
        let run = self.me.incarnation();
        let elsewhere = self.outbox.waits_elsewhere(run);
        let outbox = &self.outbox;
        let landed = |upto: &Seq| !elsewhere && !outbox.waits_upto(run, *upto);
        for request in self.waiting.flushes.take(landed) {
            self.answer(request, Ok(Outcome::Done));
        }
    }

    pub(super) fn expire_waiting(&mut self, now: Now) {
        while let Some((request, doing, limit)) = self.take_late(now) {
            let limit_ms = millis(limit);
            self.answer(request, Err(RequestError::Deadline { doing, limit_ms }));
        }
    }

    /// Somebody who has waited as long as they wanted, for what and for so long.
    fn take_late(&mut self, now: Now) -> Option<(RequestId, String, Duration)> {
        let waiting = &mut self.waiting;
        if let Some((request, (), limit)) = waiting.asks.take_late(now) {
            return Some((request, "the hub's answer".to_owned(), limit));
        }
        if let Some((request, proposal, limit)) = waiting.votes.take_late(now) {
            return Some((request, voting(proposal), limit));
        }
        let (request, _, limit) = waiting.flushes.take_late(now)?;
        Some((request, "reaching the hub".to_owned(), limit))
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
