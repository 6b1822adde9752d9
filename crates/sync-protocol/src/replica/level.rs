//! Levels beyond this replica that a write waits for: the hub, and other agents that hold it.

mod climbs;

use std::time::Duration;

use sync_core::{
    Ack, Answer, Ask, Body, Durability, Now, Receipt, Reply, RequestError, Revision, Seen, WriteId,
};

pub(super) use self::climbs::{Climb, Climbs, Tells};

use self::climbs::{Rise, Stage};

use super::fate::is_unjudged;
use super::outbox::Outbox;
use super::trace::told;
use super::waits::Deadline;
use super::{Fate, Outcome, Replica, RequestId};
use crate::millis::millis;

/// What the hub's wait leaves of the time that there is for the way there and back.
const WAY: u32 = 4;

/// Less than this is not worth another question.
const WAIT_MIN: Duration = Duration::from_millis(2);

impl Replica {
    /// Whether a level can be reached at all.
    pub(super) fn check_level(&self, level: Durability) -> Result<(), RequestError> {
        let held = self.config.durability;
        if level >= Durability::Hub || level <= held {
            return Ok(());
        }
        let reason = format!(
            "this replica keeps its state at the level {held}: no write reaches the level {level} here; ask for hub, or keep the state in a directory"
        );
        Err(RequestError::Invalid { reason })
    }

    /// Answers with the fate of a write once it has reached a level, or has ended otherwise.
    pub(super) fn wait_for_level(
        &mut self,
        now: Now,
        request: RequestId,
        write: WriteId,
        level: Durability,
        timeout: Duration,
    ) {
        if let Err(error) = self.check_level(level) {
            return self.answer(request, Err(error));
        }
        if level < Durability::Hub {
            // The answer waits for what came before it.
            let fate = self.fate(&write);
            return self.answer(request, Ok(Outcome::Fate(fate)));
        }
        let climb = Climb {
            write,
            level,
            tells: Tells::Fate,
        };
        self.climb(now, request, climb, timeout);
    }

    /// First to the hub.
    pub(super) fn climb(&mut self, now: Now, request: RequestId, climb: Climb, timeout: Duration) {
        let rise = Rise {
            climb,
            stage: Stage::Outbox,
        };
        let deadline = Deadline::after(now, timeout);
        self.climbs.insert(request, rise, deadline);
        self.climb_on(now, request);
    }

    /// A write waits for the hub no longer.
    pub(super) fn settle_climbs_of(&mut self, now: Now, write: &WriteId) {
        for request in self.climbs.of(write) {
            self.climb_on(now, request);
        }
    }

    /// Whatever has changed: every write that somebody waits for is looked at. O(those).
    pub(super) fn settle_climbs(&mut self, now: Now) {
        let waiting = self.climbs.waiting.iter();
        let requests: Vec<RequestId> = waiting.map(|(request, _)| request).collect();
        for request in requests {
            self.climb_on(now, request);
        }
    }

    /// A receipt says how a write has ended: that is what whoever waits for it is told, whether or not the
    /// receipt is kept by itself.
    pub(super) fn settle_told(&mut self, receipt: &Receipt) {
        for request in self.climbs.of(&receipt.write) {
            if let Some(rise) = self.climbs.remove(request) {
                let result = self.reached(&rise.climb, told(receipt), 0);
                self.answer(request, result);
            }
        }
    }

    /// Takes the next step of a climb, or says how it has ended.
    fn climb_on(&mut self, now: Now, request: RequestId) {
        let Some(rise) = self.climbs.waiting.get(request) else {
            return;
        };
        let write = &rise.climb.write;
        let waits =
            Outbox::key_of(&self.me, write).is_some_and(|(run, seq)| self.outbox.waits(run, seq));
        // What became of it with a hub that lost its disk may still be told, and so may that it had lost
        // when the hub took it in.
        if waits || is_unjudged(&self.fates, write) || self.may_be_told_of(write) {
            return;
        }
        let Some(rise) = self.climbs.waiting.get_mut(request) else {
            return;
        };
        if let Stage::Outbox = rise.stage {
            rise.stage = Stage::Holders {
                asked: None,
                confirmed: 0,
                is_at_head: false,
            };
        }
        let climb = rise.climb.clone();
        let fate = self.fate(&climb.write);
        if !self.may_be_summed(&climb.write) && wants_holders(&climb, &fate) {
            return self.ask_for_holders(now, request);
        }
        self.climbs.remove(request);
        let result = self.reached(&climb, fate, 0);
        self.answer(request, result);
    }

    /// Asks who holds what the hub has, once for each place at which it may have it. The cursor comes
    /// first: it tells whether this hub is the one that had it.
    fn ask_for_holders(&mut self, now: Now, request: RequestId) {
        let Some(rise) = self.climbs.waiting.get(request) else {
            return;
        };
        let Stage::Holders {
            asked, is_at_head, ..
        } = rise.stage
        else {
            return;
        };
        let noted = self.position_of(&rise.climb.write);
        let place = if is_at_head { self.head_met() } else { noted };
        if let Some(place) = place.filter(|place| self.link.settled && asked != Some(*place)) {
            self.ask_holders_at(now, request, place);
        }
    }

    fn ask_holders_at(&mut self, now: Now, request: RequestId, place: Seen) {
        let left = self.climbs.waiting.left(request, now);
        let Some(rise) = self.climbs.waiting.get_mut(request) else {
            return;
        };
        if let Stage::Holders { asked, .. } = &mut rise.stage {
            *asked = Some(place);
        }
        let ask = Ask::Held {
            epoch: Some(place.epoch),
            revision: place.revision,
            replicas: rise.climb.replicas(),
            wait_ms: millis(left.saturating_sub(left / WAY)),
        };
        self.send(Body::Request { request, ask });
    }

    /// Whether the reply was about holders.
    pub(super) fn take_holders(&mut self, now: Now, request: RequestId, reply: &Reply) -> bool {
        let left = self.climbs.waiting.left(request, now);
        let Some(rise) = self.climbs.waiting.get_mut(request) else {
            return false;
        };
        let Stage::Holders {
            asked,
            confirmed,
            is_at_head,
        } = &mut rise.stage
        else {
            return true;
        };
        match reply {
            Ok(Answer::Held(count)) => {
                *confirmed = *count;
                let (count, place) = (*count, *asked);
                if count >= rise.climb.replicas() {
                    self.confirmed(request, count);
                } else if let Some(place) = place
                    && left > WAIT_MIN
                {
                    self.ask_holders_at(now, request, place);
                }
            }
            // Another run of the hub has to take the write in first; then it is at another place.
            Err(RequestError::EpochMismatch { .. } | RequestError::Ahead { .. }) => {
                *is_at_head = true;
                self.ask_for_holders(now, request);
            }
            // It cannot say now, and may over the next connection. The write stays where it is.
            Err(_) => {}
            Ok(_) => {
                self.protocol_error("the hub answered another question than who holds a write");
            }
        }
        true
    }

    fn confirmed(&mut self, request: RequestId, replicas: u32) {
        if let Some(rise) = self.climbs.remove(request) {
            let fate = self.fate(&rise.climb.write);
            let result = self.reached(&rise.climb, fate, replicas);
            self.answer(request, result);
        }
    }

    /// Whoever has waited as long as they wanted.
    pub(super) fn expire_climbs(&mut self, now: Now) {
        while let Some((request, rise, limit)) = self.climbs.take_late(now) {
            let fate = self.fate(&rise.climb.write);
            let unjudged = is_unjudged(&self.fates, &rise.climb.write);
            let reached = match (&fate, rise.stage) {
                (Fate::Local { durability }, _) => *durability,
                // The hub that had it is gone with its disk.
                _ if unjudged => self.config.durability,
                (_, Stage::Holders { confirmed, .. }) => at_hub_or(confirmed),
                (_, Stage::Outbox) => Durability::Hub,
            };
            let error = RequestError::Unreached {
                write: rise.climb.write,
                asked: rise.climb.level,
                reached,
                limit_ms: millis(limit),
            };
            self.answer(request, Err(error));
        }
    }

    /// What whoever waits is told, `replicas` others having confirmed.
    fn reached(&self, climb: &Climb, fate: Fate, replicas: u32) -> Result<Outcome, RequestError> {
        if climb.tells == Tells::Fate {
            return Ok(Outcome::Fate(match fate {
                Fate::AtHub { revision, .. } if replicas > 0 => {
                    Fate::OnReplicas { replicas, revision }
                }
                other => other,
            }));
        }
        let noted = self.position_of(&climb.write);
        let (durability, at) = match fate {
            Fate::Refused(receipt) => {
                let reason = receipt.to_string();
                return Err(RequestError::Operation { reason });
            }
            // Who was promised a level takes an acknowledgement for it.
            Fate::Superseded(receipt) => return Err(came_back(&receipt)),
            Fate::Merged(receipt) if climb.replicas() > 0 => return Err(came_back(&receipt)),
            // Its value is in what the hub has.
            Fate::Merged(receipt) => {
                let revision = receipt.revision;
                (Durability::Hub, noted.map(|seen| Seen { revision, ..seen }))
            }
            Fate::Unknown | Fate::Overwritten if self.may_be_summed(&climb.write) => {
                return Err(counted_only());
            }
            _ => (at_hub_or(replicas), noted),
        };
        let at = at.filter(|seen| seen.revision > Revision::default());
        Ok(Outcome::Written(Ack {
            write_id: Some(climb.write.clone()),
            durability,
            revision: at.map(|seen| seen.revision),
            epoch: at.map(|seen| seen.epoch),
        }))
    }
}

/// Whether others are to confirm what the hub has. What its writer has replaced since is held with what
/// took its place.
fn wants_holders(climb: &Climb, fate: &Fate) -> bool {
    let is_there = match fate {
        Fate::AtHub { .. } => true,
        // Nothing is known of one only because many came after it: had it ended, that was told.
        Fate::Overwritten | Fate::Unknown => climb.tells == Tells::Ack,
        _ => false,
    };
    is_there && climb.replicas() > 0
}

/// Why a write that has reached the hub, and no more, is not acknowledged.
fn came_back(receipt: &Receipt) -> RequestError {
    let reason = format!(
        "{receipt}; it has reached the hub and will get no further, and its receipt waits: look at what is there, then propose it again if it is still right"
    );
    RequestError::Operation { reason }
}

/// Why a write that is not visible any more is not acknowledged although no receipt names it.
fn counted_only() -> RequestError {
    let reason = "it is not visible any more, and more receipts waited for this agent than the policy of its key lets wait: it may be one of those that have lost and of which only a number is told; look at what is there, then write it again if it is still right";
    RequestError::Operation {
        reason: reason.to_owned(),
    }
}

fn at_hub_or(replicas: u32) -> Durability {
    match replicas {
        0 => Durability::Hub,
        some => Durability::Replicas(some),
    }
}
