//! A flag that is set once and can be waited for.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Starts unset, is set once, stays set. Any number of tasks may wait for it.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    set: AtomicBool,
    changed: Notify,
}

impl Signal {
    /// Sets it and wakes everyone who waits. Setting it again does nothing.
    pub(crate) fn set(&self) {
        self.set.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Returns once it is set. Cancel-safe.
    pub(crate) async fn wait(&self) {
        let mut changed = pin!(self.changed.notified());
        // Queueing up before looking at the flag means that a `set` in between is not missed.
        changed.as_mut().enable();
        if !self.is_set() {
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn wakes_those_who_wait_and_those_who_come_late() {
        let signal = Arc::new(Signal::default());
        let waiting = tokio::spawn({
            let signal = Arc::clone(&signal);
            async move { signal.wait().await }
        });
        tokio::task::yield_now().await;
        signal.set();
        waiting.await.unwrap();
        signal.wait().await;
        assert!(signal.is_set());
    }
}
