//! Rights on their way from whoever keeps them to every hub.

use std::future::pending;
use std::sync::Arc;

use sync_core::Rights;
use tokio::sync::watch;

use super::Driver;

/// The rights that hold, and where others come from.
#[derive(Debug, Default)]
pub(super) struct InForce {
    rights: Option<Arc<Rights>>,
    /// Where others are sent; none if they are not, or nobody is left to do so.
    sent: Option<watch::Receiver<Arc<Rights>>>,
    /// What was sent last: what holds may have been read anew since.
    last: Option<Arc<Rights>>,
}

impl InForce {
    pub(super) fn new(sent: Option<watch::Receiver<Arc<Rights>>>) -> Self {
        let mut in_force = Self {
            sent,
            ..Self::default()
        };
        in_force.rights = in_force.take();
        in_force
    }

    /// What holds now; none if everybody may do everything.
    pub(super) fn now(&self) -> Option<Arc<Rights>> {
        self.rights.clone()
    }

    /// Waits for other rights to be sent; for ever if nobody is left to. Cancel-safe.
    pub(super) async fn changed(&mut self) {
        let Some(sent) = &mut self.sent else {
            return pending().await;
        };
        // What was sent before everybody left is told of first.
        if sent.changed().await.is_err() {
            self.sent = None;
            pending::<()>().await;
        }
    }

    /// What was sent, if it was not taken before. Whether anybody is left to send more says nothing of it.
    fn take(&mut self) -> Option<Arc<Rights>> {
        let sent = Arc::clone(&self.sent.as_mut()?.borrow_and_update());
        let known = self.last.replace(Arc::clone(&sent));
        let is_known = known.is_some_and(|known| Arc::ptr_eq(&known, &sent));
        (!is_known).then_some(sent)
    }
}

impl Driver {
    /// Has every swarm go by what was sent, if that is new.
    pub(super) fn apply_rights(&mut self) {
        if let Some(rights) = self.rights.take() {
            self.put_in_force(&rights);
        }
    }

    /// Has every swarm go by these, those that come later included.
    pub(super) fn put_in_force(&mut self, rights: &Arc<Rights>) {
        self.rights.rights = Some(Arc::clone(rights));
        for hub in self.hubs.values_mut() {
            hub.set_rights(Some(Arc::clone(rights)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether there is something to wait no longer for.
    async fn is_told(in_force: &mut InForce) -> bool {
        tokio::select! {
            biased;
            () = in_force.changed() => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test]
    async fn what_was_sent_before_its_sender_was_dropped_holds_and_is_told_of_once() {
        let (sender, sent) = watch::channel(Arc::new(Rights::default()));
        let mut in_force = InForce::new(Some(sent));
        assert!(!is_told(&mut in_force).await);
        let other = Arc::new(Rights::default());
        sender.send_replace(Arc::clone(&other));
        drop(sender);
        assert!(is_told(&mut in_force).await);
        let taken = in_force.take().expect("it is new");
        assert!(Arc::ptr_eq(&taken, &other));
        assert!(!is_told(&mut in_force).await, "nobody is left to send more");
        assert!(in_force.take().is_none());
    }

    #[tokio::test]
    async fn what_was_sent_long_ago_does_not_take_the_place_of_what_was_read_since() {
        let (_sender, sent) = watch::channel(Arc::new(Rights::default()));
        let mut in_force = InForce::new(Some(sent));
        let read = Arc::new(Rights::default());
        in_force.rights = Some(Arc::clone(&read));
        assert!(in_force.take().is_none());
        assert!(in_force.now().is_some_and(|now| Arc::ptr_eq(&now, &read)));
    }
}
