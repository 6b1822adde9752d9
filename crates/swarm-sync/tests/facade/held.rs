//! A link on which some of what an agent says stays on its way until the test lets it through.

use std::sync::Arc;

use async_trait::async_trait;
use swarm_sync::{Link, Traffic, TransportError};
use sync_core::{Body, Connection, Frame, Hello, LinkSender, codec};
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
