//! The bounded queue of events for the owner of a coordinator.
//!
//! Not a channel: the end of a session must be queued without waiting and in one step with its
//! removal, and messages of an ended session must not follow it.

use std::collections::VecDeque;

use bytes::Bytes;
use sync_core::transport::CoordinatorEvent;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// Room for messages that the owner has not taken yet, in units. Enough for a full round of the
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
pub(crate) struct Room<'a>(Option<SemaphorePermit<'a>>);

impl Room<'_> {
    /// The events are in the queue; [`Events::release`] gives the room back.
    pub(crate) fn keep(self) {
        if let Some(permit) = self.0 {
            permit.forget();
        }
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
        self.acquire(SESSION_UNITS).await
    }

    pub(crate) async fn reserve(&self, frame: &Bytes) -> Room<'_> {
        self.acquire(units(frame)).await
    }

    pub(crate) fn try_reserve(&self, frames: &[Bytes]) -> Option<Room<'_>> {
        let units = frames.iter().map(units).fold(0, u32::saturating_add);
        let permit = self.room.try_acquire_many(units).ok()?;
        Some(Room(Some(permit)))
    }

    /// Gives back the room of events that the owner took.
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

    async fn acquire(&self, units: u32) -> Room<'_> {
        // The semaphore is never closed, so there is always a permit in the end.
        Room(self.room.acquire_many(units).await.ok())
    }
}

/// A frame of 16 MiB, the largest there is, takes a quarter of the room.
fn units(frame: &Bytes) -> u32 {
    u32::try_from(1 + frame.len() / UNIT_BYTES).unwrap_or(u32::MAX)
}
