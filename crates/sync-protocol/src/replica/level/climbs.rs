//! Writes on their way to a level, and who waits for that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::{Durability, Now, Seen, Seq, WriteId, Writer};

use super::super::RequestId;
use super::super::waits::{Deadline, Waits};

/// A write on its way to a level.
#[derive(Debug, Clone)]
pub(in crate::replica) struct Climb {
    pub(in crate::replica) write: WriteId,
    pub(in crate::replica) level: Durability,
    /// How to answer.
    pub(in crate::replica) tells: Tells,
}

impl Climb {
    /// How many others are to hold it.
    pub(super) fn replicas(&self) -> u32 {
        match self.level {
            Durability::Replicas(count) => count,
            _ => 0,
        }
    }
}

/// What whoever waits for a level is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::replica) enum Tells {
    /// The acknowledgement of the write, or why there is none.
    Ack,
    /// What became of it.
    Fate,
}

/// Somebody waits for one.
#[derive(Debug)]
pub(super) struct Rise {
    pub(super) climb: Climb,
    pub(super) stage: Stage,
}

/// Where the write is.
#[derive(Debug)]
pub(super) enum Stage {
    /// On its way to the hub.
    Outbox,
    /// There, and others are to confirm it.
    Holders {
        /// Where the hub was asked about through this connection.
        asked: Option<Seen>,
        /// How many have confirmed, as far as is known.
        confirmed: u32,
        /// The hub does not know the place that was noted: it has the write where it is now, once this
        /// replica is in step with it.
        is_at_head: bool,
    },
}

/// Writes that are to reach a level.
#[derive(Debug, Default)]
pub(in crate::replica) struct Climbs {
    pub(super) waiting: Waits<Rise>,
    by_write: BTreeMap<WriteId, BTreeSet<RequestId>>,
}

impl Climbs {
    pub(in crate::replica) fn deadline(&self) -> Option<Duration> {
        self.waiting.deadline()
    }

    /// Everyone who waits; nobody afterwards.
    pub(in crate::replica) fn drain(&mut self) -> Vec<RequestId> {
        std::mem::take(self).waiting.drain().collect()
    }

    /// What was asked through one connection is asked again through the next.
    pub(in crate::replica) fn unsend(&mut self) {
        for rise in self.waiting.values_mut() {
            if let Stage::Holders { asked, .. } = &mut rise.stage {
                *asked = None;
            }
        }
    }

    /// The last write of a run that somebody waits for.
    pub(in crate::replica) fn awaited(&self, writer: &Writer) -> Option<Seq> {
        let of = |seq| WriteId::new(writer.clone(), seq);
        let own = self
            .by_write
            .range(of(Seq::default())..=of(Seq::new(u64::MAX)));
        own.last().map(|(write, _)| write.seq)
    }

    pub(super) fn insert(&mut self, request: RequestId, rise: Rise, deadline: Deadline) {
        let write = rise.climb.write.clone();
        self.by_write.entry(write).or_default().insert(request);
        self.waiting.insert(request, rise, deadline);
    }

    pub(super) fn remove(&mut self, request: RequestId) -> Option<Rise> {
        let rise = self.waiting.remove(request)?;
        self.forget(request, &rise.climb.write);
        Some(rise)
    }

    /// Somebody who has waited as long as they wanted, for so long.
    pub(super) fn take_late(&mut self, now: Now) -> Option<(RequestId, Rise, Duration)> {
        let (request, rise, limit) = self.waiting.take_late(now)?;
        self.forget(request, &rise.climb.write);
        Some((request, rise, limit))
    }

    fn forget(&mut self, request: RequestId, write: &WriteId) {
        if let Some(of_write) = self.by_write.get_mut(write) {
            of_write.remove(&request);
            if of_write.is_empty() {
                self.by_write.remove(write);
            }
        }
    }

    /// Whoever waits for a write.
    pub(super) fn of(&self, write: &WriteId) -> Vec<RequestId> {
        let requests = self.by_write.get(write).into_iter().flatten();
        requests.copied().collect()
    }
}
