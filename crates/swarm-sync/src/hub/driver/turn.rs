//! One turn of the task: what is ready by now and as many messages as time allows, so that no message,
//! completion or deadline waits for more than a few milliseconds of what others asked for.

use std::ops::Bound;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sync_core::{CoordinatorEvent, SwarmId};
use sync_protocol::Hub;

use super::Driver;
use crate::meter::Process;

/// How long a turn handles messages, and how long it looks after what is due: a few of the dearest
/// questions, or hundreds of cheap ones that share a flush.
const TURN: Duration = Duration::from_millis(2);

/// Messages of a turn, however fast: one pass of the machines, one flush, many messages.
const EVENTS_PER_TURN: usize = 256;

/// Events taken from the coordinator at a time. Taking is cheap, and only what was taken is served in a
/// fair order.
pub(super) const EVENTS_PER_TAKE: usize = 4_096;

/// Events that were taken and not handled yet. The coordinator bounds what one peer has in line, and the
/// bytes of all; this is for one that does not.
const EVENTS_TAKEN_MAX: usize = 1 << 17;

/// Bytes of answers and commits that wait for the store before messages wait, too. What a peer asks
/// for is a thousand times what it sends, so the room for what was sent does not bound it; far more
/// than agents that read their answers let gather within one flush.
const HELD_BYTES_MAX: usize = 16 << 20;

/// Bytes of answers that are handed to the coordinator before more messages are handled: it may find
/// that their receiver reads nothing, and the rest of what that one asked need not be worked out.
const ANSWERS_BYTES_MAX: usize = 1 << 20;

impl Driver {
    /// Handles what is ready, and carries out what follows from it, until nothing is left, the turn is
    /// over or the store has to catch up first.
    pub(super) async fn take_turn(&mut self) {
        let traffic = self.coordinator.traffic();
        let store_bytes = self.store.bytes_on_disk();
        for hub in self.hubs.values_mut() {
            hub.note_traffic(traffic);
            hub.note_store_bytes(store_bytes);
        }
        self.look_at_disk();
        self.take_ready().await;
        self.tend();
        self.pump().await;
        self.handle_events().await;
        self.pump().await;
        self.tell();
    }

    /// Tells the machines what room there is, if it is time to look.
    pub(super) fn look_at_disk(&mut self) {
        if !self.disk.look(self.clock.now().mono) {
            return;
        }
        let mut is_short = false;
        for hub in self.hubs.values_mut() {
            hub.note_free_bytes(self.disk.free());
            is_short |= hub.is_short_of_space();
        }
        self.disk.say("hub", is_short);
    }

    /// What was counted, for whoever measures.
    fn tell(&mut self) {
        let now = self.now();
        let today = UNIX_EPOCH + Duration::from_millis(now.wall_ms);
        let left = |ends: SystemTime| ends.duration_since(today).unwrap_or_default();
        let process = || Process {
            traffic: self.coordinator.traffic(),
            store_bytes: self.store.bytes_on_disk(),
            free_bytes: self.disk.free(),
            connections: self.sessions.len(),
            refused: self.coordinator.refused(),
            certificate: self.coordinator.certificate_ends().map(left),
        };
        self.meter.tell(now.mono, &self.hubs, process);
    }

    /// Whether more may be held for the store.
    pub(super) fn has_room(&self) -> bool {
        self.held_bytes() < HELD_BYTES_MAX
    }

    /// Whether more may be taken from the coordinator.
    pub(super) fn may_take(&self) -> bool {
        self.has_room() && self.turns.len() < EVENTS_TAKEN_MAX
    }

    /// Puts events in line.
    pub(super) fn line_up(&mut self, events: Vec<CoordinatorEvent>) {
        for event in events {
            if let Some(stray) = self.turns.push(event) {
                self.coordinator.handled(&stray);
            }
        }
    }

    /// What the store has finished and who has sent something, without waiting.
    async fn take_ready(&mut self) {
        if let Some(completed) = at_once(self.queue.completed()).await {
            self.handle_completed(completed);
        }
        if self.may_take()
            && let Some(events) = at_once(self.coordinator.take(EVENTS_PER_TAKE)).await
        {
            self.line_up(events);
        }
    }

    async fn handle_events(&mut self) {
        let began = self.now().mono;
        let mut last = began;
        let mut pumped = self.held_bytes();
        let mut held = pumped;
        for _ in 0..EVENTS_PER_TURN {
            if pumped >= HELD_BYTES_MAX || last.saturating_sub(began) >= TURN {
                return;
            }
            let Some(event) = self.turns.next() else {
                return;
            };
            // No other hub's can change: a thousand of them are not asked at each event.
            let swarm = self.swarm_of(&event);
            let before = self.held_bytes_of(swarm.as_ref());
            self.handle_event(&event).await;
            self.coordinator.handled(&event);
            held = held + self.held_bytes_of(swarm.as_ref()) - before;
            if held >= pumped + ANSWERS_BYTES_MAX {
                self.pump().await;
                pumped = self.held_bytes();
                held = pumped;
            }
            let now = self.now().mono;
            self.turns.spend(now.saturating_sub(last));
            last = now;
        }
    }

    /// Looks after the machines that want it, the next time from where it stopped.
    fn tend(&mut self) {
        let now = self.now();
        let from = self.tended.take().map_or(Bound::Unbounded, Bound::Excluded);
        for (swarm, hub) in self.hubs.range_mut((from, Bound::Unbounded)) {
            if hub.poll_timeout().is_some_and(|due| due <= now.mono) {
                hub.handle_timeout(now);
            }
            if self.clock.now().mono.saturating_sub(now.mono) >= TURN {
                self.tended = Some(swarm.clone());
                return;
            }
        }
    }

    /// What waits at all hubs. O(swarms).
    fn held_bytes(&self) -> usize {
        self.hubs.values().map(Hub::held_bytes).sum()
    }

    fn held_bytes_of(&self, swarm: Option<&SwarmId>) -> usize {
        let hub = swarm.and_then(|swarm| self.hubs.get(swarm));
        hub.map_or(0, Hub::held_bytes)
    }

    fn swarm_of(&self, event: &CoordinatorEvent) -> Option<SwarmId> {
        match event {
            CoordinatorEvent::Connected { hello, .. } => Some(hello.swarm.clone()),
            CoordinatorEvent::Received { session, .. }
            | CoordinatorEvent::Disconnected { session, .. } => self.sessions.get(session).cloned(),
        }
    }
}

/// What a future gives if it need not wait.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = std::future::ready(()) => None,
    }
}
