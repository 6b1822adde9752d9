//! One session as the hub reaches it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sync_core::transport::SessionId;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::events::Inbox;
use crate::audit::Origin;
use crate::options::CoordinatorOptions;
use crate::outbox::Outbox;

/// A session: what waits for its peer, and whether the peer lives.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) session: SessionId,
    pub(crate) from: Origin,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    heard: Notify,
    talked: AtomicBool,
    waits_for_owner: AtomicBool,
}

impl Peer {
    pub(crate) fn new(
        session: SessionId,
        from: Origin,
        options: &CoordinatorOptions,
        inbox: usize,
    ) -> Self {
        Self {
            session,
            from,
            outbox: Outbox::new(options.outbox_frames_max, options.outbox_bytes_max),
            inbox: Inbox::new(inbox),
            heard: Notify::new(),
            talked: AtomicBool::new(false),
            waits_for_owner: AtomicBool::new(false),
        }
    }

    /// Notes a sign of life: any byte is one.
    pub(crate) fn hear(&self) {
        self.heard.notify_waiters();
    }

    /// Notes a message.
    pub(crate) fn talk(&self) {
        self.talked.store(true, Ordering::Relaxed);
    }

    /// Whether there was a message since this was last asked.
    pub(crate) fn take_talked(&self) -> bool {
        self.talked.swap(false, Ordering::Relaxed)
    }

    /// Asks for a sign of life and waits for one. False at once if the connection ends meanwhile.
    pub(crate) async fn answers(&self, limit: Duration) -> bool {
        let mut heard = pin!(self.heard.notified());
        // Listening begins before asking, or a quick answer would be missed.
        heard.as_mut().enable();
        self.outbox.ping();
        tokio::select! {
            biased;
            () = self.outbox.ended() => false,
            () = heard => true,
            // Nothing is read from a peer while the owner is behind, so its silence says nothing.
            () = sleep(limit) => self.waits_for_owner.load(Ordering::Relaxed),
        }
    }

    /// Marks that messages of this peer wait for the owner, until the mark is dropped.
    pub(crate) fn wait_for_owner(&self) -> WaitsForOwner<'_> {
        self.waits_for_owner.store(true, Ordering::Relaxed);
        WaitsForOwner(self)
    }
}

/// See [`Peer::wait_for_owner`].
#[derive(Debug)]
pub(crate) struct WaitsForOwner<'a>(&'a Peer);

impl Drop for WaitsForOwner<'_> {
    fn drop(&mut self) {
        self.0.waits_for_owner.store(false, Ordering::Relaxed);
    }
}
