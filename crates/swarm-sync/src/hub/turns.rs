//! Whose message is next. Swarms take turns, and in each swarm its names, by the time that what they
//! asked has taken: who asks much waits for itself, and the others only for one piece of it at a time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sync_core::{AgentId, CoordinatorEvent, Role, SessionId, SwarmId};

#[cfg(test)]
mod tests;

/// What one may use in a row while others wait: about what the dearest question takes, so that many
/// cheap ones are worth as much, and switching costs nothing beside it.
const QUANTUM: Duration = Duration::from_millis(1);

/// In whose line a message waits. Not its connection's: what one name has sent through its next
/// connection must not overtake what it sent through the last. A client may go by a member's name, and
/// is then somebody else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    agent: AgentId,
    role: Role,
}

/// What waits, in the order of the coordinator for each name.
#[derive(Debug, Default)]
pub(super) struct Turns {
    swarms: Ring<SwarmId, Ring<Name, VecDeque<CoordinatorEvent>>>,
    /// Whose the connections are, from the first to the last event of each.
    sessions: BTreeMap<SessionId, (SwarmId, Name)>,
    len: usize,
}

impl Turns {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts an event in its line; returns one of a connection that has not begun or is over.
    pub(super) fn push(&mut self, event: CoordinatorEvent) -> Option<CoordinatorEvent> {
        let whose = match &event {
            CoordinatorEvent::Connected { session, hello } => {
                let name = Name {
                    agent: hello.agent.clone(),
                    role: hello.role,
                };
                let whose = (hello.swarm.clone(), name);
                self.sessions.insert(*session, whose.clone());
                Some(whose)
            }
            CoordinatorEvent::Received { session, .. } => self.sessions.get(session).cloned(),
            CoordinatorEvent::Disconnected { session, .. } => self.sessions.remove(session),
        };
        let Some((swarm, name)) = whose else {
            return Some(event);
        };
        self.swarms.lane(swarm).lane(name).push_back(event);
        self.len += 1;
        None
    }

    /// The next event. What it takes is to be told by [`Turns::spend`] before the next one is asked for.
    pub(super) fn next(&mut self) -> Option<CoordinatorEvent> {
        let event = self.swarms.front()?.front()?.pop_front()?;
        self.len -= 1;
        Some(event)
    }

    /// What the last event has taken.
    pub(super) fn spend(&mut self, time: Duration) {
        if let Some(names) = self.swarms.front() {
            names.spend(time, VecDeque::is_empty);
        }
        self.swarms.spend(time, Ring::is_empty);
    }
}

/// Lanes that take turns. The first in line is served until it has used its quantum or is empty. Each
/// step is O(log n) of those who wait.
#[derive(Debug)]
struct Ring<K, L> {
    lanes: BTreeMap<K, L>,
    /// Each lane once.
    order: VecDeque<K>,
    /// What the first has used of its quantum.
    used: Duration,
}

impl<K, L> Default for Ring<K, L> {
    fn default() -> Self {
        Self {
            lanes: BTreeMap::new(),
            order: VecDeque::new(),
            used: Duration::ZERO,
        }
    }
}

impl<K: Clone + Ord, L: Default> Ring<K, L> {
    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The lane of a key, the last in line if it is new.
    fn lane(&mut self, key: K) -> &mut L {
        self.lanes.entry(key).or_insert_with_key(|key| {
            self.order.push_back(key.clone());
            L::default()
        })
    }

    fn front(&mut self) -> Option<&mut L> {
        self.lanes.get_mut(self.order.front()?)
    }

    /// Charges the first in line, and lets the next one be first if its turn is over.
    fn spend(&mut self, time: Duration, is_empty: impl FnOnce(&L) -> bool) {
        self.used += time;
        let ended = self.front().is_some_and(|lane| is_empty(lane));
        if !ended && self.used < QUANTUM {
            return;
        }
        self.used = Duration::ZERO;
        let Some(first) = self.order.pop_front() else {
            return;
        };
        if ended {
            self.lanes.remove(&first);
        } else {
            self.order.push_back(first);
        }
    }
}
