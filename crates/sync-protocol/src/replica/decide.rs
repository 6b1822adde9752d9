//! Requests that the hub alone decides: each is one attempt, asked again over every new connection until
//! it is answered or its caller's time is over, so that it is decided once.

use std::time::Duration;

use sync_core::{Ask, Attempt, AuthorityAsk, Body, Epoch, Now, RequestError};

use super::waits::{Deadline, Waits};
use super::{Replica, RequestId};
use crate::millis::millis;

/// One request.
#[derive(Debug)]
struct Open {
    number: u64,
    ask: AuthorityAsk,
    /// Whether this connection has been told.
    sent: bool,
    /// The run of the hub that was told first.
    first: Option<Epoch>,
}

/// Those that were not answered yet.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    open: Waits<Open>,
    /// The last number given.
    last: u64,
}

impl Decisions {
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.open.deadline()
    }

    /// Everyone who waits; nobody afterwards.
    pub(super) fn drain(&mut self) -> Vec<RequestId> {
        self.open.drain().collect()
    }

    /// Every answer up to this number has arrived, or nobody waits for it any more.
    fn answered(&self) -> u64 {
        let first = self.open.iter().map(|(_, open)| open.number).min();
        first.map_or(self.last, |number| number - 1)
    }
}

impl Replica {
    /// Without a connection nothing is promised: nothing is kept for later either.
    pub(super) fn ask_decision(
        &mut self,
        now: Now,
        request: RequestId,
        ask: AuthorityAsk,
        timeout: Duration,
    ) {
        if let Err(error) = self.check_ask(doing(&ask), &ask) {
            return self.answer(request, Err(error));
        }
        self.decisions.last += 1;
        let open = Open {
            number: self.decisions.last,
            ask,
            sent: false,
            first: None,
        };
        let deadline = Deadline::after(now, timeout);
        self.decisions.open.insert(request, open, deadline);
        self.send_decisions();
    }

    /// Says what this connection was not told yet. The cursor comes first: what this replica knows of a
    /// future that its hub has lost decides, too.
    pub(super) fn send_decisions(&mut self) {
        if !self.link.settled {
            return;
        }
        let (run, answered) = (self.me.incarnation(), self.decisions.answered());
        let hub = self.head.map(|head| head.epoch);
        let unsent = self.decisions.open.iter().filter(|(_, open)| !open.sent);
        let unsent: Vec<(RequestId, Ask)> = unsent
            .map(|(request, open)| {
                // The same run has the answer, if it ever gave one.
                let again = open.first.is_some() && open.first != hub;
                let attempt = Attempt {
                    run,
                    number: open.number,
                    answered,
                    again,
                };
                let ask = open.ask.clone();
                (request, Ask::Authority { attempt, ask })
            })
            .collect();
        for (request, ask) in unsent {
            self.send(Body::Request { request, ask });
        }
        for open in self.decisions.open.values_mut() {
            open.sent = true;
            open.first = open.first.or(hub);
        }
    }

    /// What was asked through one connection is asked again through the next.
    pub(super) fn unsend_decisions(&mut self) {
        for open in self.decisions.open.values_mut() {
            open.sent = false;
        }
    }

    /// Whether the reply was to one of these.
    pub(super) fn take_decision(&mut self, request: RequestId) -> bool {
        self.decisions.open.remove(request).is_some()
    }

    pub(super) fn expire_decisions(&mut self, now: Now) {
        while let Some((request, open, limit)) = self.decisions.open.take_late(now) {
            let limit_ms = millis(limit);
            let doing = doing(&open.ask).to_owned();
            self.answer(request, Err(RequestError::Deadline { doing, limit_ms }));
        }
    }
}

/// In words, for people.
fn doing(ask: &AuthorityAsk) -> &'static str {
    match ask {
        AuthorityAsk::Commit { .. } => "comparing and setting",
        AuthorityAsk::Claim { .. } => "claiming",
        AuthorityAsk::Renew { .. } => "renewing a claim",
        AuthorityAsk::Release { .. } => "releasing a claim",
    }
}
