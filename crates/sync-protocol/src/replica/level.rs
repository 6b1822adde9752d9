//! Levels beyond this replica that a write waits for: the hub, and other agents that hold it.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{
    Ack, Answer, Ask, Body, Durability, Now, Reply, RequestError, Revision, Seen, Seq, WriteId,
};

use super::ask::{Deadline, Landing};
use super::outbox::Outbox;
use super::{Fate, Outcome, Replica, RequestId};
use crate::millis::millis;

/// What the hub's wait leaves of the time that there is for the way there and back.
const WAY: u32 = 4;

/// Less than this is not worth another question.
const WAIT_MIN: Duration = Duration::from_millis(2);

/// A write on its way to a level.
#[derive(Debug, Clone)]
pub(super) struct Climb {
    pub(super) write: WriteId,
    pub(super) level: Durability,
    /// How to answer.
    pub(super) tells: Tells,
}

/// What whoever waits for a level is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// The acknowledgement of the write, or why there is none.
    Ack,
    /// What became of it.
    Fate,
}

/// The hub has the write; others are to confirm it.
#[derive(Debug)]
struct Holders {
    climb: Climb,
    deadline: Deadline,
    /// Where the hub was asked about through this connection.
    asked: Option<Seen>,
    /// How many have confirmed, as far as is known.
    confirmed: u32,
}

/// Writes that others are to hold.
#[derive(Debug, Default)]
pub(super) struct Climbs {
    waiting: BTreeMap<RequestId, Holders>,
}

impl Climbs {
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.waiting.values().map(|wait| wait.deadline.at).min()
    }

    /// Everyone who waits; nobody afterwards.
    pub(super) fn drain(&mut self) -> Vec<RequestId> {
        std::mem::take(&mut self.waiting).into_keys().collect()
    }

    /// What was asked through one connection is asked again through the next.
    pub(super) fn unsend(&mut self) {
        for wait in self.waiting.values_mut() {
            wait.asked = None;
        }
    }
}

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
        let run = self.me.incarnation();
        let of_this_run = Outbox::key_of(&self.me, &climb.write).filter(|(of, _)| *of == run);
        let upto = of_this_run.map_or_else(Seq::default, |(_, seq)| seq.min(self.seq));
        self.wait_for_writes(now, request, upto, timeout, Landing::Level(climb));
    }

    /// The hub has it, or it has ended.
    pub(super) fn climbed(
        &mut self,
        now: Now,
        request: RequestId,
        climb: Climb,
        deadline: Deadline,
    ) {
        let fate = self.fate(&climb.write);
        if fate == Fate::Unknown && climb.replicas() > 0 && climb.tells == Tells::Ack {
            // Nobody can say where it is by now.
            let error = unreached(climb, Durability::Hub, deadline);
            return self.answer(request, Err(error));
        }
        if !wants_holders(&climb, &fate) {
            let result = self.reached(&climb, fate, 0);
            return self.answer(request, result);
        }
        let holders = Holders {
            climb,
            deadline,
            asked: None,
            confirmed: 0,
        };
        self.climbs.waiting.insert(request, holders);
        self.ask_for_holders(now);
    }

    /// Asks who holds what the hub has, once for each place at which it may have it. The cursor comes
    /// first: it tells whether this hub is the one that had it.
    pub(super) fn ask_for_holders(&mut self, now: Now) {
        if !self.link.settled {
            return;
        }
        let place = |write: &WriteId| self.position_of(write);
        let unasked = self.climbs.waiting.iter();
        let unasked = unasked.filter_map(|(request, wait)| {
            let place = place(&wait.climb.write)?;
            (wait.asked != Some(place)).then_some((*request, place))
        });
        for (request, place) in unasked.collect::<Vec<_>>() {
            self.ask_holders_of(now, request, place);
        }
    }

    fn ask_holders_of(&mut self, now: Now, request: RequestId, place: Seen) {
        let Some(wait) = self.climbs.waiting.get_mut(&request) else {
            return;
        };
        wait.asked = Some(place);
        let left = wait.deadline.at.saturating_sub(now.mono);
        let ask = Ask::Held {
            epoch: Some(place.epoch),
            revision: place.revision,
            replicas: wait.climb.replicas(),
            wait_ms: millis(left.saturating_sub(left / WAY)),
        };
        self.send(Body::Request { request, ask });
    }

    /// Whether the reply was about holders.
    pub(super) fn take_holders(&mut self, now: Now, request: RequestId, reply: &Reply) -> bool {
        let Some(wait) = self.climbs.waiting.get_mut(&request) else {
            return false;
        };
        let confirmed = match reply {
            Ok(Answer::Held(confirmed)) => *confirmed,
            // Another run of the hub has to take the write in first; then it is at another place.
            Err(RequestError::EpochMismatch { .. } | RequestError::Ahead { .. }) => return true,
            Err(error) => {
                let error = error.clone();
                self.climbs.waiting.remove(&request);
                self.answer(request, Err(error));
                return true;
            }
            Ok(_) => {
                self.protocol_error("the hub answered another question than who holds a write");
                return true;
            }
        };
        wait.confirmed = confirmed;
        if confirmed >= wait.climb.replicas() {
            if let Some(wait) = self.climbs.waiting.remove(&request) {
                let fate = self.fate(&wait.climb.write);
                let result = self.reached(&wait.climb, fate, confirmed);
                self.answer(request, result);
            }
        } else if let Some(place) = wait.asked
            && wait.deadline.at.saturating_sub(now.mono) > WAIT_MIN
        {
            self.ask_holders_of(now, request, place);
        }
        true
    }

    /// Whoever has waited as long as they wanted.
    pub(super) fn expire_climbs(&mut self, now: Now) {
        let late = |_: &RequestId, wait: &mut Holders| wait.deadline.at <= now.mono;
        let late: Vec<(RequestId, Holders)> = self.climbs.waiting.extract_if(.., late).collect();
        for (request, wait) in late {
            let reached = at_hub_or(wait.confirmed);
            let error = unreached(wait.climb, reached, wait.deadline);
            self.answer(request, Err(error));
        }
    }

    /// The error of a write that is not even at the hub in time.
    pub(super) fn not_landed(&self, climb: Climb, deadline: Deadline) -> RequestError {
        let reached = match self.fate(&climb.write) {
            Fate::Local { durability } => durability,
            // An earlier one has not got there.
            _ => self.config.durability,
        };
        unreached(climb, reached, deadline)
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
        let position = || self.position_of(&climb.write).map(|seen| seen.revision);
        let (durability, revision) = match fate {
            Fate::Refused(receipt) => {
                let reason = receipt.to_string();
                return Err(RequestError::Operation { reason });
            }
            // It lost: it has reached the hub, and no more.
            Fate::Superseded(receipt) | Fate::Merged(receipt) => {
                (Durability::Hub, Some(receipt.revision))
            }
            Fate::AtHub { revision, .. } => (at_hub_or(replicas), Some(revision)),
            _ => (at_hub_or(replicas), position()),
        };
        Ok(Outcome::Written(Ack {
            write_id: Some(climb.write.clone()),
            durability,
            revision: revision.filter(|revision| *revision > Revision::default()),
        }))
    }
}

impl Climb {
    /// How many others are to hold it.
    fn replicas(&self) -> u32 {
        match self.level {
            Durability::Replicas(count) => count,
            _ => 0,
        }
    }
}

/// Whether others are to confirm what the hub has. What its writer has replaced since is held with what
/// took its place.
fn wants_holders(climb: &Climb, fate: &Fate) -> bool {
    let is_there = match fate {
        Fate::AtHub { .. } => true,
        Fate::Overwritten => climb.tells == Tells::Ack,
        _ => false,
    };
    is_there && climb.replicas() > 0
}

fn at_hub_or(replicas: u32) -> Durability {
    match replicas {
        0 => Durability::Hub,
        some => Durability::Replicas(some),
    }
}

fn unreached(climb: Climb, reached: Durability, deadline: Deadline) -> RequestError {
    RequestError::Unreached {
        write: climb.write,
        asked: climb.level,
        reached,
        limit_ms: millis(deadline.limit),
    }
}
