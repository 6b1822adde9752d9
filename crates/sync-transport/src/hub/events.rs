//! The bounded queue of events for the owner of a coordinator.
//!
//! Not a channel: the end of a session must be queued without waiting and in one step with its
//! removal, and messages of an ended session must not follow it.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::vec::IntoIter;

use bytes::Bytes;
use sync_core::transport::CoordinatorEvent;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError};

use crate::options::INBOX_UNITS_MAX;

/// Room for messages that the owner has not handled yet, in units. Enough for a full round of the
/// largest swarm, and a bound on what an owner that is behind makes the process hold.
const UNITS_MAX: usize = 65_536;

/// Bytes of a message per unit: 64 MiB in all. Each event takes one more for itself.
const UNIT_BYTES: usize = 1024;

/// Units of a session: its first and its last event.
const SESSION_UNITS: u32 = 2;

/// The events in order, without a bound of its own: whoever pushes holds room.
#[derive(Debug, Default)]
pub(crate) struct Queue(VecDeque<CoordinatorEvent>);

impl Queue {
    pub(crate) fn push(&mut self, event: CoordinatorEvent) {
        self.0.push_back(event);
    }

    pub(crate) fn drain(&mut self, limit: usize) -> Vec<CoordinatorEvent> {
        let count = self.0.len().min(limit);
        self.0.drain(..count).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Room in the queue, given in the order it was asked for, and the wake-up of the owner.
#[derive(Debug)]
pub(crate) struct Events {
    room: Semaphore,
    ready: Notify,
}

/// Room that was found. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    /// Of what all peers share.
    shared: Option<SemaphorePermit<'a>>,
    /// Of what the peer has for itself.
    own: Option<SemaphorePermit<'a>>,
}

impl Room<'_> {
    /// The events are in the queue; [`Events::release`] gives the room back.
    pub(crate) fn keep(self) {
        for permit in [self.shared, self.own].into_iter().flatten() {
            permit.forget();
        }
    }
}

/// The room that one peer has for itself: see [`INBOX_UNITS_MAX`].
#[derive(Debug)]
pub(crate) struct Inbox {
    room: Semaphore,
    units_max: u32,
}

impl Inbox {
    pub(crate) fn new(units_max: usize) -> Self {
        Self {
            room: Semaphore::new(units_max),
            units_max: u32::try_from(units_max).unwrap_or(u32::MAX),
        }
    }

    /// Gives back the room of a frame that the owner has handled.
    pub(crate) fn release(&self, frame: &Bytes) {
        self.room.add_permits(self.share(units(frame)) as usize);
    }

    /// What a run takes of this room: all of it, if it is larger.
    fn share(&self, units: u32) -> u32 {
        units.min(self.units_max)
    }
}

impl Events {
    /// Sessions get room of their own, so that a full house leaves messages all of theirs.
    pub(crate) fn new(sessions_max: usize) -> Self {
        Self {
            room: Semaphore::new(UNITS_MAX + sessions_max * SESSION_UNITS as usize),
            ready: Notify::new(),
        }
    }

    pub(crate) async fn reserve_session(&self) -> Room<'_> {
        Room {
            shared: self.room.acquire_many(SESSION_UNITS).await.ok(),
            own: None,
        }
    }

    /// Waits for room for `frames`. Cancel-safe: a place in line is lost, nothing else.
    pub(crate) async fn reserve<'a>(&'a self, inbox: &'a Inbox, frames: &[Bytes]) -> Room<'a> {
        let units = units_of(frames);
        // A semaphore is never closed, so there is always a permit in the end. The own room comes
        // first: whoever waits for it holds nothing that others share.
        let own = inbox.room.acquire_many(inbox.share(units)).await.ok();
        let shared = self.room.acquire_many(units).await.ok();
        Room { shared, own }
    }

    pub(crate) fn try_reserve<'a>(
        &'a self,
        inbox: &'a Inbox,
        frames: &[Bytes],
    ) -> Result<Room<'a>, TryAcquireError> {
        let units = units_of(frames);
        let own = Some(inbox.room.try_acquire_many(inbox.share(units))?);
        let shared = Some(self.room.try_acquire_many(units)?);
        Ok(Room { shared, own })
    }

    /// Gives back the room of events that the owner has handled.
    pub(crate) fn release(&self, events: &[CoordinatorEvent]) {
        let units = |event: &CoordinatorEvent| match event {
            CoordinatorEvent::Received { frame, .. } => units(frame) as usize,
            CoordinatorEvent::Connected { .. } | CoordinatorEvent::Disconnected { .. } => 1,
        };
        self.room.add_permits(events.iter().map(units).sum());
    }

    /// Wakes the owner, now or when it next waits.
    pub(crate) fn wake(&self) {
        self.ready.notify_one();
    }

    /// Returns after a wake-up. Cancel-safe: an unused wake-up goes to the next who waits.
    pub(crate) async fn wait(&self) {
        self.ready.notified().await;
    }
}

/// `frames` in runs that each take half of an inbox at most, so that one half is read while the
/// other waits. A frame that takes more is a run of its own.
pub(crate) fn runs(frames: Vec<Bytes>) -> impl Iterator<Item = Vec<Bytes>> {
    let mut frames = frames.into_iter().peekable();
    std::iter::from_fn(move || next_run(&mut frames))
}

fn next_run(frames: &mut Peekable<IntoIter<Bytes>>) -> Option<Vec<Bytes>> {
    let mut run = vec![frames.next()?];
    let mut taken = units_of(&run) as usize;
    while let Some(frame) =
        frames.next_if(|next| taken + units(next) as usize <= INBOX_UNITS_MAX / 2)
    {
        taken += units(&frame) as usize;
        run.push(frame);
    }
    Some(run)
}

fn units_of(frames: &[Bytes]) -> u32 {
    frames.iter().map(units).fold(0, u32::saturating_add)
}

/// A frame of 16 MiB, the largest there is, takes a quarter of the room.
fn units(frame: &Bytes) -> u32 {
    u32::try_from(1 + frame.len() / UNIT_BYTES).unwrap_or(u32::MAX)
}
