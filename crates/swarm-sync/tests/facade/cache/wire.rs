//! A link that a test can cut, slow down and hold up.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use swarm_sync::{Answer, Ask, Link, MemoryLink, Traffic, TransportError};
use sync_core::{
    Body, Connection, Frame, Hello, LinkReceiver, LinkSender, Piece, Pieces, Reply, codec,
};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::Instant;

use crate::support::PATIENCE;

/// What holds for the wire now.
#[derive(Debug, Clone)]
struct State {
    /// Whether anybody may connect.
    open: bool,
    /// Connections made before this cut are lost.
    cut: u64,
    /// Whether the answers to reads stay on their way.
    holding: bool,
    /// Whether questions from where to watch stay on theirs.
    holding_watches: bool,
    /// How long anything takes to arrive; later things may overtake earlier ones.
    delay: Range<Duration>,
}

#[derive(Debug)]
pub(super) struct TestLink {
    inner: Mutex<MemoryLink>,
    state: watch::Sender<State>,
    /// How many answers are held up.
    held: Arc<watch::Sender<usize>>,
}

impl TestLink {
    pub(super) fn new(inner: MemoryLink) -> Self {
        let state = State {
            open: true,
            cut: 0,
            holding: false,
            holding_watches: false,
            delay: Duration::ZERO..Duration::ZERO,
        };
        Self {
            inner: Mutex::new(inner),
            state: watch::Sender::new(state),
            held: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Every connection is lost, with what is on its way; the next can be made at once.
    pub(super) fn cut(&self) {
        self.state.send_modify(|state| state.cut += 1);
    }

    /// And none can be made until [`TestLink::mend`].
    pub(super) fn cut_for_good(&self) {
        self.state.send_modify(|state| state.open = false);
        self.cut();
    }

    pub(super) fn mend(&self) {
        self.state.send_modify(|state| state.open = true);
    }

    /// From now on everything takes that long to arrive, drawn anew each time.
    pub(super) fn slow_down(&self, delay: Range<Duration>) {
        self.state.send_modify(|state| state.delay = delay);
    }

    /// From now on the answers to reads do not arrive, while all else does.
    pub(super) fn hold_reads(&self) {
        self.state.send_modify(|state| state.holding = true);
    }

    pub(super) fn release_reads(&self) {
        self.state.send_modify(|state| state.holding = false);
    }

    /// From now on the questions that begin a watch do not reach the hub, while all else does.
    pub(super) fn hold_watches(&self) {
        self.state.send_modify(|state| state.holding_watches = true);
    }

    pub(super) fn release_watches(&self) {
        self.state
            .send_modify(|state| state.holding_watches = false);
    }

    /// Waits until that many answers are held up.
    pub(super) async fn until_held(&self, count: usize) {
        let mut held = self.held.subscribe();
        let reached = held.wait_for(|held| *held >= count);
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        reached.expect("they are asked").expect("the wire is there");
    }

    /// Where connections lead from now on.
    pub(super) fn lead_to(&self, inner: MemoryLink) {
        *self.inner.lock().expect("nothing panics in it") = inner;
        self.cut();
    }
}

#[async_trait]
impl Link for TestLink {
    async fn connect(&self, hello: &Hello) -> Result<Connection, TransportError> {
        if !self.state.borrow().open {
            return Err(TransportError::Unreachable {
                address: self.describe(),
                reason: "the test has cut it".into(),
            });
        }
        let inner = self.inner.lock().expect("nothing panics in it").clone();
        let connection = inner.connect(hello).await?;
        let receiver = Receiver {
            inner: connection.receiver,
            cut: self.state.borrow().cut,
            state: self.state.subscribe(),
            random: SmallRng::seed_from_u64(7),
            coming: Vec::new(),
            held: VecDeque::new(),
            count: Arc::clone(&self.held),
        };
        let sender = Sender {
            inner: Arc::new(AsyncMutex::new(connection.sender)),
            state: self.state.subscribe(),
        };
        Ok(Connection {
            receiver: Box::new(receiver),
            sender: Box::new(sender),
            ..connection
        })
    }

    fn describe(&self) -> String {
        "the test".into()
    }
}

#[derive(Debug)]
struct Sender {
    inner: Arc<AsyncMutex<Box<dyn LinkSender>>>,
    state: watch::Receiver<State>,
}

#[async_trait]
impl LinkSender for Sender {
    async fn send(&mut self, frames: Vec<Frame>) -> Result<(), TransportError> {
        if !frames.iter().any(begins_a_watch) || !self.state.borrow().holding_watches {
            return self.inner.lock().await.send(frames).await;
        }
        let (inner, mut state) = (Arc::clone(&self.inner), self.state.clone());
        tokio::spawn(async move {
            let released = state.wait_for(|state| !state.holding_watches).await;
            released.expect("the wire is there");
            inner.lock().await.send(frames).await
        });
        Ok(())
    }

    async fn close(&mut self) {
        self.inner.lock().await.close().await;
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

fn begins_a_watch(frame: &Frame) -> bool {
    let message = codec::decode(&frame.to_bytes()).expect("a client's message");
    let Body::Request { ask, .. } = message.body else {
        return false;
    };
    matches!(ask, Ask::Watch { from: None, .. })
}

#[derive(Debug)]
struct Receiver {
    inner: Box<dyn LinkReceiver>,
    cut: u64,
    state: watch::Receiver<State>,
    random: SmallRng,
    /// On its way, with when it arrives.
    coming: Vec<(Instant, Bytes)>,
    held: VecDeque<Bytes>,
    count: Arc<watch::Sender<usize>>,
}

#[async_trait]
impl LinkReceiver for Receiver {
    async fn recv(&mut self, _limit: usize) -> Result<Vec<Bytes>, TransportError> {
        loop {
            let state = self.state.borrow_and_update().clone();
            if state.cut > self.cut {
                let reason = "the test has cut it".to_owned();
                return Err(TransportError::Closed { reason });
            }
            let arrived = self.arrived(&state);
            if !arrived.is_empty() {
                return Ok(arrived);
            }
            let next = self.coming.iter().map(|(at, _)| *at).min();
            let next = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = self.inner.recv(1) => {
                    let now = Instant::now();
                    for frame in received? {
                        let delay = self.delay();
                        self.coming.push((now + delay, frame));
                    }
                }
                () = next => {}
                changed = self.state.changed() => changed.expect("the wire is there"),
            }
        }
    }
}

impl Receiver {
    fn delay(&mut self) -> Duration {
        let Range { start, end } = self.state.borrow().delay.clone();
        start.max(self.random.random_range(start..=end))
    }

    /// What is there now and not held up.
    fn arrived(&mut self, state: &State) -> Vec<Bytes> {
        let now = Instant::now();
        let here = self.coming.extract_if(.., |(at, _)| *at <= now);
        let here: Vec<Bytes> = here.map(|(_, frame)| frame).collect();
        let mut arrived: Vec<Bytes> = Vec::new();
        if !state.holding {
            arrived.extend(self.held.drain(..));
        }
        for frame in here {
            if state.holding && answers_a_read(&frame) {
                self.held.push_back(frame);
            } else {
                arrived.push(frame);
            }
        }
        self.count.send_replace(self.held.len());
        arrived
    }
}

fn answers_a_read(frame: &Bytes) -> bool {
    let message = codec::decode(frame).expect("the hub's message");
    let Body::Reply {
        delivery: of,
        index,
        frames: count,
        ..
    } = message.body
    else {
        return false;
    };
    let piece = Piece { of, index, count };
    let reply: Option<Reply> = Pieces::default()
        .take("an answer", piece, &message.segments)
        .expect("the hub's answer");
    matches!(reply, Some(Ok(Answer::State(_))))
}
