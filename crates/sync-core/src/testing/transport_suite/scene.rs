//! A running transport with short words for what the laws do to it.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::timeout;

use super::{Fixture, PATIENCE, Setup};
use crate::id::{AgentId, Incarnation, SwarmId};
use crate::transport::{
    Connection, Coordinator, CoordinatorEvent, Frame, Hello, Link, LinkReceiver, Refusal, Role,
    SessionId, TransportError,
};

pub(super) struct Scene {
    pub(super) coordinator: Arc<dyn Coordinator>,
    pub(super) link: Arc<dyn Link>,
    events: VecDeque<CoordinatorEvent>,
    bystanders: Vec<Connection>,
}

impl Scene {
    pub(super) async fn new(fixture: &dyn Fixture, setup: &Setup) -> Self {
        let stage = fixture.start(setup).await;
        Self {
            coordinator: stage.coordinator,
            link: stage.link,
            events: VecDeque::new(),
            bystanders: Vec::new(),
        }
    }

    /// Connects and waits until the hub has said so.
    pub(super) async fn connect(&mut self, hello: &Hello) -> (SessionId, Connection) {
        let connection = soon(self.link.connect(hello)).await.unwrap();
        match self.event().await {
            CoordinatorEvent::Connected {
                session,
                hello: said,
            } => {
                // What it can read is the link's to say.
                let compressions = said.compressions;
                let expected = Hello {
                    compressions,
                    ..hello.clone()
                };
                assert_eq!(said, expected);
                assert!(compressions.contains(connection.welcome.compressions));
                (session, connection)
            }
            other => panic!("expected a connection of {hello:?}, got {other:?}"),
        }
    }

    /// The next event.
    pub(super) async fn event(&mut self) -> CoordinatorEvent {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let events = soon(self.coordinator.recv(16)).await;
            assert!(!events.is_empty(), "the coordinator was shut down");
            assert!(events.len() <= 16, "more events than asked for");
            self.events.extend(events);
        }
    }

    /// The next event, which must be a frame of `session`.
    pub(super) async fn received(&mut self, session: SessionId) -> Bytes {
        match self.event().await {
            CoordinatorEvent::Received {
                session: from,
                frame,
            } if from == session => frame,
            other => panic!("expected a frame of {session:?}, got {other:?}"),
        }
    }

    /// The next event, which must be the end of `session`; returns the reason.
    pub(super) async fn disconnected(&mut self, session: SessionId) -> String {
        match self.event().await {
            CoordinatorEvent::Disconnected {
                session: gone,
                reason,
            } if gone == session => reason,
            other => panic!("expected the end of {session:?}, got {other:?}"),
        }
    }

    /// Fails if anything but the connection of a bystander is reported: whatever else was still
    /// to be said would have been said before.
    pub(super) async fn assert_quiet(&mut self) {
        let name = format!("bystander-{}", self.bystanders.len());
        let (_, connection) = self.connect(&member("bystanders", &name)).await;
        self.bystanders.push(connection);
    }

    pub(super) async fn send(&self, session: SessionId, frame: impl Into<Bytes>) {
        let frames = vec![Frame::single(frame.into())];
        soon(self.coordinator.send(session, frames)).await.unwrap();
    }

    pub(super) async fn refused(&self, hello: &Hello) -> Refusal {
        match soon(self.link.connect(hello)).await {
            Err(TransportError::Refused { refusal, .. }) => refusal,
            other => panic!("expected a refusal of {hello:?}, got {other:?}"),
        }
    }
}

/// Waits for what must happen.
pub(super) async fn soon<T>(happens: impl Future<Output = T>) -> T {
    let Ok(value) = timeout(PATIENCE, happens).await else {
        panic!("nothing happened for {PATIENCE:?}");
    };
    value
}

/// Reads exactly `count` frames.
pub(super) async fn read(receiver: &mut Box<dyn LinkReceiver>, count: usize) -> Vec<Bytes> {
    let mut frames = Vec::new();
    while frames.len() < count {
        let limit = count - frames.len();
        let more = soon(receiver.recv(limit)).await.unwrap();
        assert!(
            (1..=limit).contains(&more.len()),
            "{} of {limit}",
            more.len()
        );
        frames.extend(more);
    }
    frames
}

/// Reads until the connection ends; returns what came before, and how it ended.
pub(super) async fn read_to_end(
    receiver: &mut Box<dyn LinkReceiver>,
) -> (Vec<Bytes>, TransportError) {
    let mut frames = Vec::new();
    loop {
        match soon(receiver.recv(64)).await {
            Ok(more) => frames.extend(more),
            Err(error) => return (frames, error),
        }
    }
}

pub(super) fn swarm(name: &str) -> SwarmId {
    SwarmId::new(name).unwrap()
}

pub(super) fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

pub(super) fn member(swarm_name: &str, name: &str) -> Hello {
    let run = Incarnation::from_random(1);
    Hello::new(swarm(swarm_name), agent(name), run, Role::Member)
}

pub(super) fn client(swarm_name: &str, name: &str) -> Hello {
    Hello {
        role: Role::Client,
        ..member(swarm_name, name)
    }
}

/// Bytes that nothing makes smaller.
pub(super) fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Bytes as state has them: the same names again and again.
pub(super) fn text(seed: u64, length: usize) -> Bytes {
    let item = |number: u64| {
        let owner = number % 9;
        format!("{{\"task\":\"task-{number}\",\"state\":\"open\",\"owner\":\"agent-{owner}\"}}")
    };
    let text = (seed..).map(item).flat_map(String::into_bytes);
    text.take(length).collect()
}
