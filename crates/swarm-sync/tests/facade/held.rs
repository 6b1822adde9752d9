//! Links on which not everything arrives: some of what an agent says stays on its way until the test lets
//! it through, or an answer of the hub is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use swarm_sync::{Link, Traffic, TransportError};
use sync_core::{Body, Connection, Frame, Hello, LinkReceiver, LinkSender, codec};
use tokio::sync::{Mutex, watch};

#[derive(Debug, Clone)]
pub(crate) struct HeldLink {
    inner: Arc<dyn Link>,
    /// What is held up.
    which: fn(&Body) -> bool,
    holding: watch::Sender<bool>,
}

impl HeldLink {
    pub(crate) fn new(inner: Arc<dyn Link>, which: fn(&Body) -> bool) -> Self {
        let holding = watch::Sender::new(true);
        Self {
            inner,
            which,
            holding,
        }
    }

    /// What was held up arrives, and nothing is held up any more.
    pub(crate) fn release(&self) {
        self.holding.send_replace(false);
    }
}

#[async_trait]
impl Link for HeldLink {
    async fn connect(&self, hello: &Hello) -> Result<Connection, TransportError> {
        let connection = self.inner.connect(hello).await?;
        let sender = HeldSender {
            inner: Arc::new(Mutex::new(connection.sender)),
            which: self.which,
            holding: self.holding.subscribe(),
        };
        Ok(Connection {
            sender: Box::new(sender),
            ..connection
        })
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[derive(Debug)]
struct HeldSender {
    inner: Arc<Mutex<Box<dyn LinkSender>>>,
    which: fn(&Body) -> bool,
    holding: watch::Receiver<bool>,
}

#[async_trait]
impl LinkSender for HeldSender {
    async fn send(&mut self, frames: Vec<Frame>) -> Result<(), TransportError> {
        for frame in frames {
            let message = codec::decode(&frame.to_bytes()).expect("an agent's message");
            if !*self.holding.borrow() || !(self.which)(&message.body) {
                self.inner.lock().await.send(vec![frame]).await?;
                continue;
            }
            let (inner, mut holding) = (Arc::clone(&self.inner), self.holding.clone());
            tokio::spawn(async move {
                // An error is the end of the test, which has dropped the link.
                if holding.wait_for(|holding| !holding).await.is_ok() {
                    let _ = inner.lock().await.send(vec![frame]).await;
                }
            });
        }
        Ok(())
    }

    async fn close(&mut self) {
        self.inner.lock().await.close().await;
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// A link on which one answer of the hub is lost, and the connection with it.
#[derive(Debug, Clone)]
pub(crate) struct LossyLink {
    inner: Arc<dyn Link>,
    /// How many answers there are up to the one that is lost; 0 afterwards.
    left: Arc<AtomicUsize>,
}

impl LossyLink {
    /// The how-manieth answer is lost, from 1.
    pub(crate) fn new(inner: Arc<dyn Link>, which: usize) -> Self {
        let left = Arc::new(AtomicUsize::new(which));
        Self { inner, left }
    }

    /// Whether the answer was lost.
    pub(crate) fn has_lost(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

#[async_trait]
impl Link for LossyLink {
    async fn connect(&self, hello: &Hello) -> Result<Connection, TransportError> {
        let connection = self.inner.connect(hello).await?;
        let receiver = LossyReceiver {
            inner: connection.receiver,
            left: Arc::clone(&self.left),
        };
        Ok(Connection {
            receiver: Box::new(receiver),
            ..connection
        })
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[derive(Debug)]
struct LossyReceiver {
    inner: Box<dyn LinkReceiver>,
    left: Arc<AtomicUsize>,
}

#[async_trait]
impl LinkReceiver for LossyReceiver {
    async fn recv(&mut self, limit: usize) -> Result<Vec<Bytes>, TransportError> {
        let frames = self.inner.recv(limit).await?;
        let is_answer = |frame: &Bytes| {
            let message = codec::decode(frame).expect("a hub's message");
            matches!(message.body, Body::Reply { .. })
        };
        let answers = frames.iter().filter(|frame| is_answer(frame)).count();
        let left = self.left.load(Ordering::SeqCst);
        self.left
            .store(left.saturating_sub(answers), Ordering::SeqCst);
        if left > 0 && answers >= left {
            return Err(TransportError::Closed {
                reason: "an answer is lost".to_owned(),
            });
        }
        Ok(frames)
    }
}
