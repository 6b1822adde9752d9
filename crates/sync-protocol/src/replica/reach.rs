//! Callers that wait until this replica holds what somebody else was told of.

use std::time::Duration;

use sync_core::{Answer, Ask, Body, Epoch, Now, Reply, RequestError, Revision, Seen, Since};

use super::waits::{Deadline, Waits};
use super::{Outcome, Replica, RequestId};
use crate::millis::millis;

/// Who waits for which position.
#[derive(Debug, Default)]
pub(super) struct Reaches {
    waiting: Waits<Reach>,
}

#[derive(Debug)]
struct Reach {
    at: Since,
    word: Word,
}

/// What is known of a position that is of another run of the hub than this replica's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// Nothing: the hub has to be asked, as the replica does not know its lineage.
    Open,
    /// It has been asked through this connection.
    Asked,
    /// The hub said in this run of it that the position is of its log.
    Continues(Epoch),
}

impl Reach {
    /// Whether the replica holds all up to there, as far as it can tell; none if the hub has to say.
    fn is_reached(&self, held: Seen) -> Option<bool> {
        let (epoch, revision) = self.at();
        let is_of_this_log = epoch
            .is_none_or(|epoch| epoch == held.epoch || self.word == Word::Continues(held.epoch));
        is_of_this_log.then_some(revision <= held.revision)
    }

    fn at(&self) -> (Option<Epoch>, Revision) {
        match self.at {
            Since::Cursor(cursor) => (Some(cursor.epoch), cursor.revision),
            Since::Revision(revision) => (None, revision),
        }
    }
}

impl Reaches {
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.waiting.deadline()
    }

    /// Everyone who waits; nobody afterwards.
    pub(super) fn drain(&mut self) -> Vec<RequestId> {
        self.waiting.drain().collect()
    }

    /// What was asked through one connection is asked again through the next.
    pub(super) fn unsend(&mut self) {
        let asked = self.waiting.values_mut().filter(|r| r.word == Word::Asked);
        asked.for_each(|reach| reach.word = Word::Open);
    }
}

impl Replica {
    /// Answers once everything up to a position is held. A bare revision is one of the log that this
    /// replica follows.
    pub(super) fn wait_for_position(
        &mut self,
        now: Now,
        request: RequestId,
        at: Since,
        timeout: Duration,
    ) {
        let reach = Reach {
            at,
            word: Word::Open,
        };
        let deadline = Deadline::after(now, timeout);
        self.reaches.waiting.insert(request, reach, deadline);
        self.settle_reaches();
    }

    /// Answers whoever waits for what is held by now, and asks the hub about positions of other runs.
    pub(super) fn settle_reaches(&mut self) {
        let Some(cursor) = self.cursor.filter(|_| !self.reaches.waiting.is_empty()) else {
            return;
        };
        let held = Seen {
            epoch: cursor.epoch,
            revision: self.held().unwrap_or_default(),
        };
        let reached = |reach: &Reach| reach.is_reached(held) == Some(true);
        for request in self.reaches.waiting.take(reached) {
            self.answer(request, Ok(Outcome::Done));
        }
        // The cursor comes first: until it is settled another hub may be there.
        if self.link.settled {
            self.ask_for_lineage(held);
        }
    }

    fn ask_for_lineage(&mut self, held: Seen) {
        let mut asks = Vec::new();
        for (request, reach) in self.reaches.waiting.iter_mut() {
            let (Some(epoch), revision) = reach.at() else {
                continue;
            };
            if reach.word != Word::Asked && reach.is_reached(held).is_none() {
                reach.word = Word::Asked;
                asks.push((request, Seen { epoch, revision }));
            }
        }
        for (request, Seen { epoch, revision }) in asks {
            // Who holds it does not matter here: the answer says that the hub knows the position.
            let ask = Ask::Held {
                epoch: Some(epoch),
                revision,
                replicas: 0,
                wait_ms: 0,
            };
            self.send(Body::Request { request, ask });
        }
    }

    /// Whether the reply was about somebody's position.
    pub(super) fn take_lineage(&mut self, request: RequestId, reply: &Reply) -> bool {
        let Some(reach) = self.reaches.waiting.get_mut(request) else {
            return false;
        };
        match reply {
            Ok(Answer::Held(_)) => {
                // It was asked once the cursor was settled: that is of the hub's present run.
                reach.word = self.cursor.map_or(Word::Open, |c| Word::Continues(c.epoch));
                self.settle_reaches();
            }
            Err(error @ (RequestError::EpochMismatch { .. } | RequestError::Ahead { .. })) => {
                self.reaches.waiting.remove(request);
                self.answer(request, Err(error.clone()));
            }
            // It cannot say now, and may over the next connection.
            Err(_) => {}
            Ok(_) => {
                self.protocol_error(
                    "the hub answered another question than whether it knows a position",
                );
            }
        }
        true
    }

    /// Whoever has waited as long as they wanted.
    pub(super) fn expire_reaches(&mut self, now: Now) {
        while let Some((request, reach, limit)) = self.reaches.waiting.take_late(now) {
            let (_, revision) = reach.at();
            let doing = self.reaching(revision);
            let limit_ms = millis(limit);
            self.answer(request, Err(RequestError::Deadline { doing, limit_ms }));
        }
    }

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
